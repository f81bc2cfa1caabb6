"""The part of a team's secret that stays in an external store."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.meta import v1 as meta

from infra.naming import labels
from infra.settings import SecretSource

EXTERNAL_SECRETS_API: Final = "external-secrets.io/v1"
READY: Final = {"pulumi.com/waitFor": "condition=Ready"}
# A store answers within a second or two. One that refuses does so until somebody mends it.
PATIENCE: Final = pulumi.CustomTimeouts(create="60s", update="60s")
DIGEST: Final = "slipway.local/digest"
_DIGEST: Final = "digest"


@dataclass(frozen=True)
class StoredSecretArgs:
    """What of a secret comes from one store.

    Attributes:
        namespace: The team's namespace.
        secret: Name of the secret.
        store: Name of the SecretStore in that namespace.
        sources: Sources by variable, all of that store.
        refresh_seconds: How often the store is asked for another value.
        ready: What has to be there before.
    """

    namespace: pulumi.Input[str]
    secret: str
    store: str
    sources: Mapping[str, SecretSource]
    refresh_seconds: int
    ready: pulumi.Resource


class StoredSecret(pulumi.ComponentResource):
    """An immutable Secret with values of a store, made anew when they are other ones.

    External Secrets copies the values, so that they never pass through Pulumi. It watches the store
    with one `ExternalSecret`, which only keeps a digest of them, and copies them with another one,
    once. The digest is read at every preview and update: another one is another copy, and the pods
    that use it roll. Both have automatic names, so that one can come while another is still to go:
    a name made of the digest could not come back after an update that failed in between.

    Type token: `slipway:platform:StoredSecret`. Resources: the two, and the `Secret` of the digest,
    which is read.

    Args:
        resource_name: Logical name.
        args: What comes from which store.
        opts: Resource options.

    Attributes:
        name: Name of the Kubernetes Secret; using it waits for it.
    """

    name: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        args: StoredSecretArgs,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("slipway:platform:StoredSecret", resource_name, None, opts)
        self._args = args
        watch = self._external_secret(
            f"{resource_name}.{_DIGEST}",
            {
                "refreshInterval": go_duration(args.refresh_seconds),
                "target": {"template": {"data": {_DIGEST: _digest_template(resource_name)}}},
            },
            # Of one that is ready nothing tells whether it has seen other sources already.
            replaced_by=["spec.data"],
        )
        digest = kubernetes.core.v1.Secret.get(
            resource_name,
            # `<namespace>/<name>`, and the Secret is called like the ExternalSecret.
            watch.id,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[watch]),
        ).data.apply(lambda data: decoded(data[_DIGEST]))
        copy = self._external_secret(
            resource_name,
            {"refreshPolicy": "CreatedOnce", "target": {"immutable": True}},
            # Open to see, and it tells nothing: 40 bits of a hash.
            annotations={DIGEST: pulumi.Output.unsecret(digest)},
            replaced_by=["spec.data", f'metadata.annotations["{DIGEST}"]'],
        )
        self.name = copy.id.apply(lambda identifier: identifier.rpartition("/")[2])
        self.register_outputs({"name": self.name})

    def _external_secret(
        self,
        resource_name: str,
        spec: Mapping[str, Any],
        *,
        annotations: Mapping[str, pulumi.Input[str]] | None = None,
        replaced_by: list[str],
    ) -> kubernetes.apiextensions.CustomResource:
        return kubernetes.apiextensions.CustomResource(
            resource_name,
            api_version=EXTERNAL_SECRETS_API,
            kind="ExternalSecret",
            metadata=meta.ObjectMetaArgs(
                namespace=self._args.namespace,
                labels=labels("secret", self._args.secret, "secrets"),
                annotations={**READY, **(annotations or {})},
            ),
            spec={
                "secretStoreRef": {"kind": "SecretStore", "name": self._args.store},
                "data": [
                    {"secretKey": variable, "remoteRef": _remote(source)}
                    for variable, source in self._args.sources.items()
                ],
                **spec,
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[self._args.ready],
                custom_timeouts=PATIENCE,
                replace_on_changes=replaced_by,
            ),
        )


def _remote(source: SecretSource) -> dict[str, Any]:
    property_ = {"property": source.property} if source.property else {}
    return {"key": source.path, **property_}


def _digest_template(salt: str) -> str:
    """Return the template of the digest of all values.

    Args:
        salt: Makes the same values of two secrets look different.
    """
    return f'{{{{ print "{salt}" (toJson .) | sha256sum | trunc 10 }}}}'


def go_duration(seconds: int) -> str:
    """Return a time as Go writes it (`1h0m0s`).

    External Secrets writes its objects anew, this field in Go's spelling. In another one the field
    would change, and be its own from then on.
    """
    hours, minutes = seconds // 3600, seconds // 60 % 60
    text = f"{hours}h" if hours else ""
    text += f"{minutes}m" if hours or minutes else ""
    return f"{text}{seconds % 60}s"


def decoded(encoded: str) -> str:
    """Return the text of an entry of a Secret."""
    return base64.b64decode(encoded).decode()
