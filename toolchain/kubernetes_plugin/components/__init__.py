"""Components that the plug-in makes itself: manifests and Helm charts.

They follow the components `yaml/v2` and `helm.sh/v4` of the official plug-in's 4.x line: the same
children under the same logical names, in the same order.
"""

from toolchain.kubernetes_plugin.components.construction import construct
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.components.wire import complete

__all__ = ["ComponentError", "complete", "construct"]
