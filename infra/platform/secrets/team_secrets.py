"""A team's secrets: environment variables that its models may take."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra.contract import SecretReference, TeamReference
from infra.naming import labels
from infra.platform.secrets import stores
from infra.platform.secrets.stored_secret import (
    EXTERNAL_SECRETS_API,
    PATIENCE,
    READY,
    StoredSecret,
    StoredSecretArgs,
)
from infra.settings import SecretSource
from infra.settings.stores import SecretsSettings


@dataclass(frozen=True)
class TeamSecretsArgs:
    """What a team's secrets are made of.

    Attributes:
        team: Where the team's workloads run, and as whom.
        secrets: Sources by variable, by name of the secret.
        values: Secret values by their flat key in the configuration.
        settings: The external stores.
        operator: What copies values of stores; only secrets of stores wait for it.
    """

    team: TeamReference
    secrets: Mapping[str, Mapping[str, SecretSource]]
    values: Mapping[str, pulumi.Output[str]]
    settings: SecretsSettings
    operator: pulumi.Resource | None


class TeamSecrets(pulumi.ComponentResource):
    """The Kubernetes Secrets of one team.

    Type token: `slipway:platform:TeamSecrets`. Resources: for each secret with values of the
    configuration an immutable `Secret` with an automatic name: a changed value makes a new one, the
    pods that use it roll, and the old one goes when they have. For each store that the team reads a
    `SecretStore` of the same name, with a `Secret` where it takes credentials, and a `StoredSecret`
    component for each secret in it.

    Args:
        resource_name: Name of the team.
        args: What they are made of.
        opts: Resource options.

    Attributes:
        references: The secrets by name, as models refer to them.
    """

    references: Mapping[str, SecretReference]

    def __init__(
        self, resource_name: str, args: TeamSecretsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:TeamSecrets", resource_name, None, opts)
        self._team = resource_name
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        used = {
            source.store
            for sources in args.secrets.values()
            for source in sources.values()
            if source.store is not None
        }
        ready = {store: self._store(store) for store in sorted(used)}
        self.references = {
            name: SecretReference(
                {
                    **self._from_config(name, sources),
                    **{
                        variable: secret
                        for store in ready
                        for variable, secret in self._from_store(
                            name, sources, store, ready[store]
                        ).items()
                    },
                }
            )
            for name, sources in args.secrets.items()
        }
        self.register_outputs({})

    def _from_config(
        self, name: str, sources: Mapping[str, SecretSource]
    ) -> dict[str, pulumi.Input[str]]:
        """Return the name of the Secret that holds each variable of the configuration."""
        data = {
            variable: self._args.values[source.config]
            for variable, source in sources.items()
            if source.config is not None
        }
        if not data:
            return {}
        # Both parts may hold hyphens, but no dot: no two teams' secrets join alike.
        secret = self._secret(f"{self._team}.{name}", name, data)
        return dict.fromkeys(data, secret.metadata.name)

    def _from_store(
        self,
        name: str,
        sources: Mapping[str, SecretSource],
        store: str,
        ready: pulumi.Resource,
    ) -> dict[str, pulumi.Input[str]]:
        """Return the name of the Secret that holds each variable of a store."""
        of_store = {
            variable: source for variable, source in sources.items() if source.store == store
        }
        if not of_store:
            return {}
        stored = StoredSecret(
            f"{self._team}.{name}.{store}",
            StoredSecretArgs(
                namespace=self._args.team.namespace,
                secret=name,
                store=store,
                sources=of_store,
                refresh_seconds=self._args.settings.refresh_seconds,
                ready=ready,
            ),
            opts=self._children,
        )
        return dict.fromkeys(of_store, stored.name)

    def _store(self, name: str) -> kubernetes.apiextensions.CustomResource:
        """Make a store as this team reads it: with its own identity, from its own namespace."""
        settings = self._args.settings.stores[name]
        credentials = None
        if settings.credentials is not None:
            value = self._args.values[settings.credentials.config]
            credentials = self._secret(
                f"{self._team}.{name}.credentials", name, stores.credentials(settings, value)
            ).metadata.name
        reader = stores.Reader(self._args.team.service_account, credentials)
        return kubernetes.apiextensions.CustomResource(
            f"{self._team}.{name}",
            api_version=EXTERNAL_SECRETS_API,
            kind="SecretStore",
            metadata=meta.ObjectMetaArgs(
                name=name,
                namespace=self._args.team.namespace,
                labels=labels("store", name, "secrets"),
                annotations=READY,
            ),
            spec={"provider": stores.provider(settings, reader)},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=self._args.operator, custom_timeouts=PATIENCE
            ),
        )

    def _secret(
        self, resource_name: str, instance: str, data: Mapping[str, pulumi.Input[str]]
    ) -> core.Secret:
        return core.Secret(
            resource_name,
            metadata=meta.ObjectMetaArgs(
                namespace=self._args.team.namespace, labels=labels("secret", instance, "secrets")
            ),
            string_data=data,
            immutable=True,
            opts=self._children,
        )
