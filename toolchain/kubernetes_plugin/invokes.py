"""Functions that a program calls: `yaml/v1` decodes manifests with one."""

from typing import Final

from toolchain.kubernetes_plugin.components import manifests
from toolchain.kubernetes_plugin.components.errors import ComponentError
from toolchain.kubernetes_plugin.context import ProviderContext
from toolchain.kubernetes_plugin.outcome import OperationError
from toolchain.plugin.properties import Properties, contains_unknown, plain

YAML_DECODE: Final = "kubernetes:yaml:decode"


def invoke(context: ProviderContext, token: str, arguments: Properties) -> Properties:
    """Call a function.

    Args:
        context: The provider.
        token: Which function.
        arguments: Its arguments.

    Returns:
        What the program gets: for `kubernetes:yaml:decode` the objects of `text` as `result`.

    Raises:
        OperationError: There is no such function here, or its arguments are wrong.
    """
    if token != YAML_DECODE:
        raise OperationError(
            f"the stand-in kubernetes plug-in has no function {token}: use the components of "
            "helm.sh/v4 and yaml/v2 instead"
        )
    text = plain(arguments.get("text"))
    if contains_unknown(arguments) or not isinstance(text, str):
        raise OperationError(f"{token}: missing required field 'text' of type string")
    namespace = plain(arguments.get("defaultNamespace")) or context.session.namespace
    try:
        objects = manifests.parse(text, token)
        result, _ = manifests.normalize(objects, namespace, context.session.discovery)
    except ComponentError as error:
        raise OperationError(str(error)) from error
    return {"result": result}
