"""Container images made on this machine, without a registry and without a daemon.

An image's reference carries a hash of all that goes into it, so that it is known before the image
is built, an unchanged image is not built again, and a changed one rolls the pods that name it.
"""

from toolchain.images.builder import build
from toolchain.images.recipes import RECIPES, ImageError, Recipe, archive_path, reference

__all__ = ["RECIPES", "ImageError", "Recipe", "archive_path", "build", "reference"]
