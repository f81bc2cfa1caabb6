"""What a model's pods get of its team's secrets."""

from collections.abc import Mapping, Sequence

from pulumi_kubernetes.core import v1 as core

from infra.contract import SecretReference


def environment(
    names: Sequence[str], secrets: Mapping[str, SecretReference]
) -> list[core.EnvVarArgs]:
    """Return the environment variables of a model's container.

    Each is spelt out, so that a preview and the pod's description say which ones there are, and a
    pod whose secret lacks one does not start.

    Args:
        names: The secrets that the model names.
        secrets: Its team's secrets by name.
    """
    return [
        core.EnvVarArgs(
            name=variable,
            value_from=core.EnvVarSourceArgs(
                secret_key_ref=core.SecretKeySelectorArgs(name=secret, key=variable)
            ),
        )
        for name in names
        for variable, secret in secrets[name].variables.items()
    ]
