"""Secrets of all teams, and what copies those of external stores where there is one."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.contract import ClusterTraits, SecretReference, TeamReference
from infra.platform.secrets.external_secrets import ExternalSecrets, ExternalSecretsArgs
from infra.platform.secrets.team_secrets import TeamSecrets, TeamSecretsArgs
from infra.settings import PlatformSettings, TeamSettings


@dataclass(frozen=True)
class SecretsArgs:
    """What the secrets are made of.

    Attributes:
        settings: The platform's settings: its stores, and where charts come from.
        teams: Settings of the teams by name.
        references: Where their workloads run, by name.
        values: Secret values by their flat key in the configuration.
        traits: Where images go.
        priority: Name of the PriorityClass of the platform's pods.
    """

    settings: PlatformSettings
    teams: Mapping[str, TeamSettings]
    references: Mapping[str, TeamReference]
    values: Mapping[str, pulumi.Output[str]]
    traits: ClusterTraits
    priority: pulumi.Input[str]


def secrets(
    args: SecretsArgs, opts: pulumi.ResourceOptions
) -> Mapping[str, Mapping[str, SecretReference]]:
    """Make the secrets and return them by name, by team; teams without any are left out.

    Args:
        args: What they are made of.
        opts: Options of the components.
    """
    settings, operator = args.settings.secrets, None
    if settings.stores:
        operator = ExternalSecrets(
            "external-secrets",
            ExternalSecretsArgs(settings, args.traits, args.settings.charts, args.priority),
            opts,
        )
    return {
        name: TeamSecrets(
            name,
            TeamSecretsArgs(args.references[name], team.secrets, args.values, settings, operator),
            opts,
        ).references
        for name, team in args.teams.items()
        if team.secrets
    }
