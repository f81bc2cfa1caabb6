"""KEDA's HTTP add-on: holds requests for models without pods, and tells KEDA of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core import v1 as core
from pulumi_kubernetes.meta import v1 as meta

from infra import disruption, hardening, machine, naming
from infra.contract import GATEWAY_API, ClusterTraits, InterceptorReference
from infra.platform.access import READ, Account, rule
from infra.platform.definitions import Definitions
from infra.platform.http_add_on_network import HttpAddOnNetwork, HttpAddOnNetworkArgs

INTERCEPTOR: Final = "keda-http-interceptor"
SCALER: Final = "keda-http-scaler"

_ADMIN: Final = f"{INTERCEPTOR}-admin"
_INSTANCE: Final = "keda-http-add-on"
_PROXY_PORT: Final = 8080
_ADMIN_PORT: Final = 9090
SCALER_PORT: Final = 9090
# So much later than the gateway it gives a request up, which is then answered with 504. With its
# own 502 before that the gateway would ask once more, and wait a second time.
_LATER_SECONDS: Final = 5
# The interceptor ends without waiting for the requests that it has; so its end waits for them.
_DRAIN_SECONDS: Final = 10
# What its pods are promised and may use at most, in MiB: docs/adr/0017-scale-to-zero.md has what
# they used.
_MEMORY: Final = (32, 128)


@dataclass(frozen=True)
class HttpAddOnArgs:
    """What the add-on runs with.

    Attributes:
        traits: Where its images are brought and its pods may run.
        namespace: The gateway's, which reads Services nowhere else of the platform.
        priority: Name of its pods' PriorityClass.
        replicas: Pods of the interceptor: every request to a model that scales to zero goes through
            one.
        timeout_seconds: How long the gateway waits for a pod and the beginning of its answer.
        teams: Namespaces of the teams, by team.
        gateway: Name of the gateway's pods, which are in the same namespace; `None` where the
            gateway is one of the cluster's own.
        operator: Name of KEDA's operator, which asks the scaler.
    """

    traits: ClusterTraits
    namespace: pulumi.Input[str]
    priority: pulumi.Input[str]
    replicas: int
    timeout_seconds: int
    teams: Mapping[str, pulumi.Input[str]]
    gateway: str | None
    operator: str


@dataclass(frozen=True)
class _Program:
    """How one of the two programs runs.

    Attributes:
        environment: Its variables: it has no flags but for its log.
        ports: Its ports by name.
        live: What says that it works.
        ready: What says that it can be asked.
        drain_seconds: How long it goes on when it is to end.
    """

    environment: Mapping[str, pulumi.Input[str]]
    ports: Mapping[str, int]
    live: core.ProbeArgs
    ready: core.ProbeArgs
    drain_seconds: int = 0


class HttpAddOn(pulumi.ComponentResource):
    """The interceptor, which requests go through, and the scaler, which KEDA asks.

    The add-on's operator is left out: it would make the ScaledObjects that the stack makes itself.

    Type token: `slipway:platform:HttpAddOn`. Resources: for interceptor and scaler an `Image`, a
    `ServiceAccount` with its role, a `Deployment` and a `Service`; a `Service` of the interceptor's
    counts; a `ReferenceGrant`; a `PodDisruptionBudget` where there is more than one interceptor.
    Components: `Definitions`, `HttpAddOnNetwork`.
    https://github.com/kedacore/http-add-on

    Args:
        resource_name: Logical name.
        args: What it runs with.
        opts: Resource options.

    Attributes:
        reference: What routes and autoscalers of models lead to.
    """

    reference: InterceptorReference

    def __init__(
        self, resource_name: str, args: HttpAddOnArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("slipway:platform:HttpAddOn", resource_name, None, opts)
        self._args = args
        self._children = pulumi.ResourceOptions(parent=self)
        definitions = Definitions("keda-http-types", "keda-http-crds", opts=self._children)
        HttpAddOnNetwork(
            resource_name,
            HttpAddOnNetworkArgs(
                metadata=self._metadata,
                gateway=args.gateway,
                operator=args.operator,
                interceptor=INTERCEPTOR,
                proxy_port=_PROXY_PORT,
                admin_port=_ADMIN_PORT,
                scaler=SCALER,
                scaler_port=SCALER_PORT,
            ),
            self._children,
        )
        interceptor = self._run(
            INTERCEPTOR, self._interceptor(), [definitions, *self._grant_routes()], args.replicas
        )
        disruption.protect(
            self,
            INTERCEPTOR,
            self._metadata(INTERCEPTOR),
            naming.selector(INTERCEPTOR, _INSTANCE),
            args.replicas,
        )
        proxy = self._expose(INTERCEPTOR, INTERCEPTOR, _PROXY_PORT, "proxy", [interceptor])
        counts = self._expose(_ADMIN, INTERCEPTOR, _ADMIN_PORT, "admin", [])
        # It is ready once an interceptor has answered it.
        scaler = self._run(SCALER, self._scaler(), [definitions, interceptor, counts], 1)
        heard = self._expose(SCALER, SCALER, SCALER_PORT, "grpc", [scaler])
        self.reference = InterceptorReference(
            service=proxy.metadata.name,
            namespace=args.namespace,
            port=_PROXY_PORT,
            scaler=pulumi.Output.concat(
                heard.metadata.name, ".", args.namespace, f".svc:{SCALER_PORT}"
            ),
        )
        self.register_outputs({})

    def _labels(self, name: str) -> dict[str, str]:
        return naming.labels(name, _INSTANCE, "autoscaling")

    def _metadata(self, name: str, program: str | None = None) -> meta.ObjectMetaArgs:
        return meta.ObjectMetaArgs(
            name=name, namespace=self._args.namespace, labels=self._labels(program or name)
        )

    def _grant_routes(self) -> list[pulumi.Resource]:
        """Let routes of teams lead to the interceptor, and to nothing else beside it."""
        if not self._args.teams:
            return []
        return [
            kubernetes.apiextensions.CustomResource(
                f"{INTERCEPTOR}-routes",
                api_version="gateway.networking.k8s.io/v1beta1",
                kind="ReferenceGrant",
                metadata=self._metadata(INTERCEPTOR),
                spec={
                    "from": [
                        {
                            "group": GATEWAY_API.partition("/")[0],
                            "kind": "HTTPRoute",
                            "namespace": namespace,
                        }
                        for namespace in self._args.teams.values()
                    ],
                    "to": [{"group": "", "kind": "Service", "name": INTERCEPTOR}],
                },
                opts=self._children,
            )
        ]

    def _run(
        self,
        name: str,
        program: "_Program",
        needs: Sequence[pulumi.Resource],
        replicas: int,
    ) -> kubernetes.apps.v1.Deployment:
        """Run one program, with the right to read what it routes by."""
        account = Account(name, self._args.namespace, self._labels(name), self._children)
        account.may(
            [
                rule("http.keda.sh", ["httpscaledobjects"], READ),
                rule("discovery.k8s.io", ["endpointslices"], READ),
                rule("", ["services"], READ),
            ]
        )
        image = machine.Image(
            f"{name}-image", recipe=name, store=self._args.traits.store, opts=self._children
        )
        return kubernetes.apps.v1.Deployment(
            name,
            metadata=self._metadata(name),
            spec=kubernetes.apps.v1.DeploymentSpecArgs(
                replicas=replicas,
                selector=meta.LabelSelectorArgs(match_labels=naming.selector(name, _INSTANCE)),
                strategy=kubernetes.apps.v1.DeploymentStrategyArgs(
                    type="RollingUpdate",
                    rolling_update=kubernetes.apps.v1.RollingUpdateDeploymentArgs(
                        max_unavailable=0, max_surge=1
                    ),
                ),
                template=core.PodTemplateSpecArgs(
                    metadata=meta.ObjectMetaArgs(labels=self._labels(name)),
                    spec=hardening.pod(
                        account.name,
                        self._args.priority,
                        self._args.traits.cpu,
                        [_container(name, image.ref, program)],
                    ),
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[*account.bindings, *needs]),
        )

    def _interceptor(self) -> _Program:
        timeout = f"{self._args.timeout_seconds + _LATER_SECONDS}s"
        return _Program(
            {
                "KEDA_HTTP_CURRENT_NAMESPACE": self._args.namespace,
                "KEDA_HTTP_PROXY_PORT": str(_PROXY_PORT),
                "KEDA_HTTP_ADMIN_PORT": str(_ADMIN_PORT),
                "KEDA_CONDITION_WAIT_TIMEOUT": timeout,
                "KEDA_RESPONSE_HEADER_TIMEOUT": timeout,
                # Of connections that are kept, so that a busy model does not open one a request.
                "KEDA_HTTP_MAX_IDLE_CONNS_PER_HOST": "100",
            },
            {"proxy": _PROXY_PORT, "admin": _ADMIN_PORT},
            live=_asked("/livez", period=10, failures=6),
            ready=_asked("/readyz", period=2, failures=3),
            drain_seconds=_DRAIN_SECONDS,
        )

    def _scaler(self) -> _Program:
        return _Program(
            {
                "KEDA_HTTP_SCALER_PORT": str(SCALER_PORT),
                "KEDA_HTTP_SCALER_TARGET_ADMIN_NAMESPACE": self._args.namespace,
                "KEDA_HTTP_SCALER_TARGET_ADMIN_SERVICE": _ADMIN,
                # What it calls a Deployment is the Service whose pods it watches.
                "KEDA_HTTP_SCALER_TARGET_ADMIN_DEPLOYMENT": _ADMIN,
                "KEDA_HTTP_SCALER_TARGET_ADMIN_PORT": str(_ADMIN_PORT),
                # Half of a cold start's wait for KEDA to hear of it.
                "KEDA_HTTP_QUEUE_TICK_DURATION": "200ms",
            },
            {"grpc": SCALER_PORT},
            live=_called("liveness", period=10, failures=6),
            ready=_called("readiness", period=2, failures=3),
        )

    def _expose(
        self, name: str, program: str, port: int, target: str, needs: Sequence[pulumi.Resource]
    ) -> core.Service:
        return core.Service(
            name,
            metadata=self._metadata(name, program),
            spec=core.ServiceSpecArgs(
                type="ClusterIP",
                selector=naming.selector(program, _INSTANCE),
                ports=[core.ServicePortArgs(name=target, port=port, target_port=target)],
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=needs),
        )


def _container(name: str, image: pulumi.Input[str], program: _Program) -> core.ContainerArgs:
    promised, limit = _MEMORY
    return core.ContainerArgs(
        name=name,
        image=image,
        image_pull_policy="IfNotPresent",
        args=["--zap-devel=false", "--zap-log-level=info", "--zap-encoder=json"],
        env=[
            *(
                core.EnvVarArgs(name=variable, value=value)
                for variable, value in program.environment.items()
            ),
            # Go collects its garbage before the limit is reached.
            core.EnvVarArgs(name="GOMEMLIMIT", value=f"{limit * 9 // 10}MiB"),
        ],
        ports=[
            core.ContainerPortArgs(name=port, container_port=number)
            for port, number in program.ports.items()
        ],
        readiness_probe=program.ready,
        liveness_probe=program.live,
        lifecycle=core.LifecycleArgs(
            pre_stop=core.LifecycleHandlerArgs(
                sleep=core.SleepActionArgs(seconds=program.drain_seconds)
            )
        )
        if program.drain_seconds
        else None,
        resources=core.ResourceRequirementsArgs(
            requests={"cpu": "10m", "memory": f"{promised}Mi"},
            limits={"cpu": "1", "memory": f"{limit}Mi"},
        ),
        security_context=hardening.security_context(),
        termination_message_policy="FallbackToLogsOnError",
    )


def _asked(path: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        http_get=core.HTTPGetActionArgs(path=path, port="proxy"),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
    )


def _called(service: str, *, period: int, failures: int) -> core.ProbeArgs:
    return core.ProbeArgs(
        grpc=core.GRPCActionArgs(port=SCALER_PORT, service=service),
        period_seconds=period,
        failure_threshold=failures,
        timeout_seconds=3,
    )
