"""KEDA: makes what Prometheus knows of a model a metric that its autoscaler can follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiregistration import v1 as apiregistration
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import hardening, machine, naming
from infra.contract import ClusterTraits
from infra.platform.access import Account
from infra.platform.certificate import Certificate, CertificateArgs
from infra.platform.definitions import Definitions
from infra.platform.keda_network import KedaNetwork, KedaNetworkArgs
from infra.platform.keda_rights import operator_rules, own_rules
from infra.platform.namespace import restricted_namespace

OPERATOR: Final = "keda-operator"
ADAPTER: Final = "keda-metrics-apiserver"

_INSTANCE: Final = "keda"
_CERTIFICATES: Final = "/certs"
_GRPC_PORT: Final = 9666
_HEALTH_PORT: Final = 8081
_API_PORT: Final = 6443
_STARTUP_SECONDS: Final = 60


@dataclass(frozen=True)
class KedaArgs:
    """What KEDA runs with.

    Attributes:
        traits: Where its images are brought and its pods may run.
        priority: Name of its pods' PriorityClass.
        signing: Exists once certificates are signed; `None` where the cluster has cert-manager.
    """

    traits: ClusterTraits
    priority: pulumi.Input[str]
    signing: pulumi.Resource | None


@dataclass(frozen=True)
class _Part:
    """One of KEDA's two programs.

    Attributes:
        name: Its name, and that of its account, its Deployment and its Service.
        recipe: The recipe of its image.
        arguments: Its command line.
        port: Port of its Service.
        listens: Port of its pod behind that.
        health: Port and scheme that its probes use.
        memory: What its pod is promised and may use at most, in MiB: docs/adr/0010-autoscaling.md
            has what it used.
    """

    name: str
    recipe: str
    arguments: Sequence[str]
    port: int
    listens: int
    health: tuple[int, str]
    memory: tuple[int, int]

    @property
    def labels(self) -> dict[str, str]:
        """Labels of its objects."""
        return naming.labels(self.name, _INSTANCE, "autoscaling")

    @property
    def selector(self) -> dict[str, str]:
        """What its pods are selected by."""
        return naming.selector(self.name, _INSTANCE)


_OPERATOR: Final = _Part(
    name=OPERATOR,
    recipe="keda-operator",
    arguments=(
        "--zap-log-level=info",
        "--zap-encoder=json",
        f"--health-probe-bind-address=:{_HEALTH_PORT}",
        f"--metrics-service-bind-address=:{_GRPC_PORT}",
        f"--cert-dir={_CERTIFICATES}",
        # cert-manager makes the certificate, and tells the API server whom to trust.
        "--enable-cert-rotation=false",
    ),
    port=_GRPC_PORT,
    listens=_GRPC_PORT,
    health=(_HEALTH_PORT, "HTTP"),
    memory=(64, 192),
)
_ADAPTER: Final = _Part(
    name=ADAPTER,
    recipe="keda-adapter",
    arguments=(
        "--zap-log-level=error",
        f"--secure-port={_API_PORT}",
        f"--cert-dir={_CERTIFICATES}",
        f"--tls-cert-file={_CERTIFICATES}/tls.crt",
        f"--tls-private-key-file={_CERTIFICATES}/tls.key",
        f"--metrics-service-address={OPERATOR}.{naming.AUTOSCALING_NAMESPACE}.svc:{_GRPC_PORT}",
    ),
    port=443,
    listens=_API_PORT,
    health=(_API_PORT, "HTTPS"),
    memory=(64, 128),
)


class Keda(pulumi.ComponentResource):
    """KEDA's operator, the API of external metrics, and KEDA's resource types.

    Type token: `slipway:platform:Keda`. Resources: `Namespace` `slipway-autoscaling`; for operator
    and adapter an `Image`, a `ServiceAccount` with its roles, a `Deployment` and a `Service`; an
    `APIService`. Components: `Definitions`, `KedaNetwork`, `Certificate`.
    https://keda.sh/docs/latest/concepts/

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.
    """

    def __init__(
        self, resource_name: str, args: KedaArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:Keda", resource_name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        definitions = Definitions("keda-types", "keda-crds", opts=self._children)
        self._namespace = restricted_namespace(
            naming.AUTOSCALING_NAMESPACE, self._children
        ).metadata.name
        KedaNetwork(
            resource_name,
            KedaNetworkArgs(
                namespace=self._namespace,
                labels=naming.labels(resource_name, _INSTANCE, "autoscaling"),
                operator=_OPERATOR.selector,
                operator_port=_GRPC_PORT,
                adapter=_ADAPTER.selector,
                adapter_port=_API_PORT,
            ),
            opts=self._children,
        )
        self._certificate = Certificate(
            resource_name,
            CertificateArgs(
                namespace=self._namespace,
                labels=naming.labels(resource_name, _INSTANCE, "autoscaling"),
                services=[OPERATOR, ADAPTER],
                signing=args.signing,
            ),
            opts=self._children,
        )
        operator = Account(OPERATOR, self._namespace, _OPERATOR.labels, self._children)
        operator.may(operator_rules())
        operator.may_in(self._namespace, own_rules())
        adapter = Account(ADAPTER, self._namespace, _ADAPTER.labels, self._children)
        adapter.serves_an_api()
        self._run(_OPERATOR, operator, [*operator.bindings, definitions])
        self._register(self._run(_ADAPTER, adapter, adapter.bindings))
        self.register_outputs({})

    def _metadata(self, part: _Part) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(name=part.name, namespace=self._namespace, labels=part.labels)

    def _run(
        self, part: _Part, account: Account, needs: Sequence[pulumi.Resource]
    ) -> list[pulumi.Resource]:
        """Run one program behind a Service, and return both."""
        image = machine.Image(
            f"{part.name}-image",
            recipe=part.recipe,
            store=self._args.traits.store,
            opts=self._children,
        )
        deployment = kubernetes.apps.v1.Deployment(
            part.name,
            metadata=self._metadata(part),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=1,
                selector=meta.LabelSelectorArgs(match_labels=part.selector),
                # Two operators would write at once; seconds without one harm nothing.
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(type="Recreate"),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=part.labels),
                    spec=self._pod(part, image.ref, account),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )
        service = core.Service(
            part.name,
            metadata=self._metadata(part),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=part.selector,
                ports=[core.ServicePortArgs(name="tls", port=part.port, target_port="tls")],
            ),
            opts=self._children,
        )
        return [deployment, service]

    def _pod(self, part: _Part, image: pulumi.Input[str], account: Account) -> core.PodSpecArgs:
        placement = self._args.traits.cpu
        return hardening.pod(
            account.name,
            self._args.priority,
            placement,
            [_container(part, image)],
            volumes=[
                core.VolumeArgs(
                    name="certificates",
                    secret=core.SecretVolumeSourceArgs(secret_name=self._certificate.secret),
                ),
            ],
        )

    def _register(self, answering: list[pulumi.Resource]) -> None:
        """Let the API server ask the adapter for external metrics, and wait until it can."""
        apiregistration.APIService(
            "external-metrics",
            metadata=meta.ObjectMetaArgs(
                name="v1beta1.external.metrics.k8s.io",
                labels=_ADAPTER.labels,
                annotations={
                    "cert-manager.io/inject-ca-from": self._certificate.source,
                    "pulumi.com/waitFor": "condition=Available",
                },
            ),
            spec=apiregistration.APIServiceSpecArgs(
                group="external.metrics.k8s.io",
                version="v1beta1",
                group_priority_minimum=100,
                version_priority=100,
                service=apiregistration.ServiceReferenceArgs(
                    name=ADAPTER, namespace=self._namespace
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=answering),
        )


def _container(part: _Part, image: pulumi.Input[str]) -> core.ContainerArgs:
    promised, limit = part.memory
    return core.ContainerArgs(
        name=part.name,
        image=image,
        image_pull_policy="IfNotPresent",
        args=list(part.arguments),
        env=[
            core.EnvVarArgs(
                name="POD_NAMESPACE",
                value_from=core.EnvVarSourceArgs(
                    field_ref=core.ObjectFieldSelectorArgs(field_path="metadata.namespace")
                ),
            ),
            # Every namespace.
            core.EnvVarArgs(name="WATCH_NAMESPACE", value=""),
            core.EnvVarArgs(name="KEDA_RESTRICT_SECRET_ACCESS", value="true"),
            # Go collects its garbage before the limit is reached.
            core.EnvVarArgs(name="GOMEMLIMIT", value=f"{limit * 9 // 10}MiB"),
        ],
        ports=[core.ContainerPortArgs(name="tls", container_port=part.listens)],
        startup_probe=_probe(part, "readyz", period=1, failures=_STARTUP_SECONDS),
        readiness_probe=_probe(part, "readyz", period=5, failures=3),
        liveness_probe=_probe(part, "healthz", period=10, failures=6),
        resources=core.ResourceRequirementsArgs(
            requests={"cpu": "10m", "memory": f"{promised}Mi"},
            limits={"cpu": "500m", "memory": f"{limit}Mi"},
        ),
        security_context=hardening.security_context(),
        termination_message_policy="FallbackToLogsOnError",
        volume_mounts=[
            core.VolumeMountArgs(name="certificates", mount_path=_CERTIFICATES, read_only=True)
        ],
    )


def _probe(part: _Part, path: str, *, period: int, failures: int) -> core.ProbeArgs:
    port, scheme = part.health
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=f"/{path}", port=port, scheme=scheme),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
    )
