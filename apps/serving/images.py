"""The images that models are downloaded and served with."""

from collections.abc import Mapping

import pulumi

from apps.serving import download
from apps.serving.runtimes import RUNTIMES
from infra import machine
from infra.contract import ClusterHandle
from infra.settings import ModelSettings


class ServerImages(pulumi.ComponentResource):
    """The images that models are downloaded and served with, each once for all models.

    Type token: `slipway:serving:ServerImages`. Resources: one `Image` for each recipe.

    Args:
        resource_name: Logical name.
        cluster: The cluster that pulls them.
        models: The versions of models that are served, by the name of what runs them.
        opts: Resource options.

    Attributes:
        by_workload: Reference of the server image by the same names.
        download: Reference of the image that downloads; `None` where no model is.
    """

    by_workload: Mapping[str, pulumi.Input[str]]
    download: pulumi.Output[str] | None

    def __init__(
        self,
        resource_name: str,
        cluster: ClusterHandle,
        models: Mapping[str, ModelSettings],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:serving:ServerImages", resource_name, None, opts)
        recipes = {
            name: None if model.container.image else _recipe(model)
            for name, model in models.items()
        }
        downloads = any(model.downloads for model in models.values())
        wanted = {*recipes.values(), download.RECIPE if downloads else None}
        images = {
            recipe: machine.Image(
                recipe,
                recipe=recipe,
                store=cluster.traits.store,
                opts=pulumi.ResourceOptions(parent=self),
            )
            for recipe in sorted(filter(None, wanted))
        }
        self.by_workload = {
            name: images[recipe].ref if recipe else str(models[name].container.image)
            for name, recipe in recipes.items()
        }
        self.download = images[download.RECIPE].ref if downloads else None
        self.register_outputs({})


def _recipe(model: ModelSettings) -> str | None:
    """Return the recipe of the image that is made for a model."""
    return model.container.recipe or RUNTIMES[model.format].recipe
