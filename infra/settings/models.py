"""Settings of a served model."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from apps.serving.runtimes import RUNTIMES, Runtime
from infra.settings import profiles, sources
from infra.settings.autoscaling import ScalingSettings
from infra.settings.backends import DEPLOYMENT, Backend
from infra.settings.containers import ContainerSettings
from infra.settings.formats import ModelFormat
from infra.settings.profiles import Profile
from infra.settings.resources import ResourceSettings
from infra.settings.storage import DOWNLOAD
from infra.settings.traffic import ROLES, CanarySettings, MirrorSettings, VersionSettings
from infra.settings.types import (
    Concurrency,
    FilePath,
    HostName,
    LabelKey,
    LabelValue,
    ModelUri,
    ModelVersion,
    Replicas,
    SecretName,
    Sha256,
    StorageName,
    StrictModel,
    TeamName,
    TimeoutSeconds,
    distinct,
    parse_quantity,
)

# Pods that a Deployment has beyond its replicas while it is updated: a new version takes over
# before the old one goes.
SURGE: Final = 1


ModelPriority = Literal["low", "normal", "high"]

_PINS: Final = {"sha256": "its digest", "version": "a name that changes with it"}


class ModelSettings(StrictModel):
    """A model behind the gateway.

    Attributes:
        team: The team it belongs to, a key of `slipway:teams`.
        format: Format of the file, a row of `apps.serving.runtimes`.
        uri: Where it is stored, see `infra.settings.sources`. A `custom` model may do without one.
        sha256: SHA-256 of its file or folder, see `infra.digests.of`.
        version: What its owner calls this version of it, and never another one.
        storage: How it is downloaded: a key of its team's `storage`.
        container: What differs from the container of its format.
        backend: What makes its pods: a `deployment` of the stack, or an `inferenceService`, from
            which a KServe that the cluster has makes one.
        profile: Whose defaults hold for `replicas` and `resources`: `laptop`, those below, or
            `server`, those of `infra/settings/profiles.py`.
        replicas: Number of pods; 1 by default.
        scaling: Between how many pods it moves, instead of `replicas`.
        resources: What one pod may use.
        concurrency: Requests that a pod takes at once, those that wait included; more are refused
            with status 503. What its runtime allows by default.
        timeout_seconds: How long a request may take in a pod, its wait there included; then it gets
            status 504. As long as the gateway waits by default.
        node_selector: Labels of the nodes that its pods run on, beside those of the cluster's pool.
            Taints of the same keys are tolerated.
        priority: Whose pods get a place first, and give theirs up last, among the models.
        secrets: Secrets of its team whose variables its pods get.
        host: DNS name that is the model's alone; without it, the model answers below
            `/<team>/<model>` of the gateway.
        canary: Another version that answers a share of its requests.
        mirror: Another version that gets copies of its requests; it has this or `canary`.
        holdout: Held-out rows with their expected predictions, sent through the gateway at the
            end of `make up`; a path below the project's folder.
    """

    team: TeamName
    format: ModelFormat
    uri: ModelUri | None = None
    sha256: Sha256 | None = None
    version: ModelVersion | None = None
    storage: StorageName | None = None
    container: ContainerSettings = Field(default_factory=ContainerSettings)
    backend: Backend = DEPLOYMENT
    profile: Profile = "laptop"
    replicas: Replicas = 1
    scaling: ScalingSettings | None = None
    resources: ResourceSettings = Field(default_factory=ResourceSettings)
    concurrency: Concurrency | None = None
    timeout_seconds: TimeoutSeconds | None = None
    node_selector: Mapping[LabelKey, LabelValue] = Field(default_factory=dict)
    priority: ModelPriority = "normal"
    secrets: Annotated[tuple[SecretName, ...], AfterValidator(distinct)] = ()
    host: HostName | None = None
    canary: CanarySettings | None = None
    mirror: MirrorSettings | None = None
    holdout: FilePath | None = None

    @model_validator(mode="before")
    @classmethod
    def _profile_applied(cls, data: Any) -> Any:
        return profiles.applied(data)

    @model_validator(mode="after")
    def _runtime_serves_it(self) -> Self:
        for version in self.versions.values():
            row = RUNTIMES[version.format]
            if version.uri is None and not row.custom:
                raise ValueError(
                    f"`uri` is missing; add it, the format `{version.format}` is that of a file"
                )
            if row.gpu and self.resources.gpu is None:
                raise ValueError(
                    f"the format `{version.format}` is served on GPUs alone; add `resources.gpu: 1`"
                )
            version.container.check(version.format, row)
        if self.holdout is not None and self.runtime.protocol != "open-inference-v2":
            raise ValueError(
                f"`holdout` goes over the protocol open-inference-v2, and the model speaks "
                f"{self.runtime.protocol}; remove it"
            )
        return self

    @model_validator(mode="after")
    def _pinned(self) -> Self:
        for version in self.versions.values():
            version._check_pins()
        return self

    def _check_pins(self) -> None:
        source = self.source
        takes = source.takes if source else ()
        shown = f"a model of `{source.form}`" if source else "a model without a `uri`"
        given = [name for name in _PINS if getattr(self, name) is not None]
        for name in given:
            if name not in takes:
                raise ValueError(f"nothing holds {shown} against `{name}`; remove it")
        if source and source.needs and not set(given) & set(source.needs):
            ways = " or ".join(f"`{name}: <{_PINS[name]}>`" for name in source.needs)
            raise ValueError(f"`{self.uri}` may change unseen; pin it with {ways}")
        if self.storage is not None and not self.downloads:
            raise ValueError(f"{shown} is not downloaded; remove `storage`")

    @model_validator(mode="after")
    def _bounds_are_taken(self) -> Self:
        for version in self.versions.values():
            runtime = version.runtime
            for name, value, taken in (
                ("concurrency", self.concurrency, runtime.concurrency),
                ("timeoutSeconds", self.timeout_seconds, runtime.timeout),
            ):
                if value is not None and taken is None:
                    raise ValueError(
                        f"the runtime of the format `{version.format}` takes no `{name}`; remove it"
                    )
        return self

    @model_validator(mode="after")
    def _versions_differ(self) -> Self:
        own, *further = self.versions.items()
        for role, version in further:
            if version._content() == own[1]._content():
                raise ValueError(
                    f"`{role}` is the version that the model has itself; name another `uri`, or "
                    f"remove `{role}`"
                )
            if version.runtime.protocol != self.runtime.protocol:
                raise ValueError(
                    f"`{role}` speaks {version.runtime.protocol}, and the model "
                    f"{self.runtime.protocol}; its clients know one of them"
                )
        return self

    @model_validator(mode="after")
    def _scaling_fits(self) -> Self:
        if self.scaling is None:
            return self
        if "replicas" in self.model_fields_set:
            raise ValueError("`replicas` and `scaling` exclude each other; remove one of them")
        if self.scaling.to_zero and len(self.versions) > 1:
            raise ValueError(
                "what holds requests for a model without pods leads them to one version; set "
                "`scaling.min: 1`, or remove the other version"
            )
        percent = self.scaling.cpu_percent or 0
        request, limit = map(parse_quantity, (self.resources.cpu, self.resources.cpu_limit))
        if percent * request / 100 >= limit:
            raise ValueError(
                f"no pod can use {percent} % of `cpu: {self.resources.cpu}`, as "
                f"`scaling.cpu` has it; lower that, or raise `cpuLimit: {self.resources.cpu_limit}`"
            )
        return self

    @property
    def min_replicas(self) -> int:
        """The fewest pods it runs."""
        return self.scaling.min if self.scaling else self.replicas

    @property
    def max_replicas(self) -> int:
        """The most pods it runs, apart from those of a rollout."""
        return self.scaling.max if self.scaling else self.replicas

    @property
    def versions(self) -> Mapping[str, Self]:
        """The versions that run, each as a model of its own, by role: its own has none (`""`)."""
        further = {role: getattr(self, role) for role in ROLES}
        return {"": self} | {role: self._as(to) for role, to in further.items() if to is not None}

    def _as(self, version: VersionSettings) -> Self:
        """Return what runs another version: this model, but for what that version says."""
        # What pins the model itself says nothing of another file.
        own = version.uri is None and not (version.sha256 or version.version)
        pinned = self if own else version
        uri = version.uri or self.uri
        source = sources.of(uri) if uri else None
        downloads = source is not None and source.downloads
        return self.model_copy(
            update={
                "uri": uri,
                "sha256": pinned.sha256,
                "version": pinned.version,
                "storage": version.storage or (self.storage if downloads else None),
                "format": version.format or self.format,
                "container": version.container or self.container,
                "replicas": version.replicas or max(1, self.min_replicas),
                "scaling": None,
                "holdout": None,
                **dict.fromkeys(ROLES),
            }
        )

    def _content(self) -> tuple[object, ...]:
        return self.uri, self.sha256, self.version, self.container

    @property
    def threads(self) -> int:
        """Requests that a pod works on at once: one for each core that it may use."""
        return max(1, int(parse_quantity(self.resources.cpu_limit)))

    @property
    def runtime(self) -> Runtime:
        """How it is served: the row of its format, with what its container changes."""
        return self.container.applied(RUNTIMES[self.format])

    @property
    def source(self) -> sources.Source | None:
        """The kind of place where it is stored, if it has a file or folder."""
        return sources.of(self.uri) if self.uri is not None else None

    @property
    def downloads(self) -> bool:
        """Whether it is downloaded into its pods."""
        return self.source is not None and self.source.downloads

    @property
    def path(self) -> str | None:
        """Path of its file or folder, relative to the project's folder, if it is there."""
        here = self.uri is not None and self.uri.startswith("file:")
        return (self.uri or "").removeprefix("file:") if here else None

    @property
    def pod_cpu(self) -> Decimal:
        """CPU that a pod is promised, in cores; an init step that asks for more counts."""
        return max(parse_quantity(step.cpu) for step in self._steps())

    @property
    def pod_memory(self) -> Decimal:
        """The same of memory, in bytes."""
        return max(parse_quantity(step.memory) for step in self._steps())

    def _steps(self) -> list[ResourceSettings]:
        return [self.resources, *([DOWNLOAD] if self.downloads else [])]


def workloads(models: Mapping[str, ModelSettings]) -> dict[str, ModelSettings]:
    """Return every version of every model, by the name of what runs it: `<model>[-<role>]`.

    Args:
        models: The models by name.
    """
    return {
        f"{name}-{role}" if role else name: version
        for name, model in models.items()
        for role, version in model.versions.items()
    }
