"""Kubeconfigs of clouds: a program of the cloud gives out tokens, and none is kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(frozen=True)
class Exec:
    """A program that prints a token.

    https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins

    Attributes:
        api_version: How it speaks.
        command: The program, on PATH.
        arguments: What it is called with.
        env: Variables that it is given besides.
        install_hint: How to get it, for whoever does not have it.
        provide_cluster_info: Whether it is told of the cluster.
    """

    api_version: str
    command: str
    arguments: Sequence[pulumi.Input[str]] = ()
    env: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    install_hint: str = ""
    provide_cluster_info: bool = False


def kubeconfig(
    name: str, server: pulumi.Input[str], authority: pulumi.Input[str] | None, user: Exec
) -> pulumi.Output[str]:
    """Return a kubeconfig as a secret, which it is by its use and not by its content.

    Args:
        name: Name of the cluster, its user and its context.
        server: URL of its API.
        authority: Certificate of its authority, PEM in base64; `None` where it is a public one.
        user: What gives out tokens.
    """
    given = {
        "apiVersion": user.api_version,
        "command": user.command,
        "args": list(user.arguments),
        "interactiveMode": "Never",
        "provideClusterInfo": user.provide_cluster_info,
        **({"installHint": user.install_hint} if user.install_hint else {}),
        **(
            {"env": [{"name": key, "value": value} for key, value in user.env.items()]}
            if user.env
            else {}
        ),
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": {
                    "server": server,
                    **({"certificate-authority-data": authority} if authority else {}),
                },
            }
        ],
        "users": [{"name": name, "user": {"exec": given}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return pulumi.Output.secret(pulumi.Output.json_dumps(config))
