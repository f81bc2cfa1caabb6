"""The settings of a stack: typed, and every error at once before any resource exists.

`load` is the only place in the project that reads Pulumi's configuration. `read_stack_file` reads
the same settings from a stack file, so that the toolchain can check it before it builds anything.

Secret values are flat keys of their own (`slipway:<key>`), read with `require_secret` alone: Pulumi
hands out a structured value that holds a secret as plain text, so an encrypted value inside one of
the keys below is refused.
"""

import json
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field, ValidationError

from infra.settings import (
    artifacts,
    autoscaling,
    backends,
    files,
    hosts,
    joined,
    promotion,
    quota,
    resources,
    secrets,
    stack_file,
    storage,
    timeouts,
    traffic,
)
from infra.settings.artifacts import Artifact
from infra.settings.autoscaling import ScalingSettings
from infra.settings.cluster import (
    AksClusterSettings,
    ClusterSettings,
    EksClusterSettings,
    ExistingClusterSettings,
    GkeClusterSettings,
    LocalClusterSettings,
)
from infra.settings.errors import NAMESPACE, SettingsError, key, lines, suggest
from infra.settings.gateway import GatewaySettings, IssuerSettings
from infra.settings.models import ModelPriority, ModelSettings, workloads
from infra.settings.monitoring import MonitoringSettings
from infra.settings.plain import at, is_encrypted
from infra.settings.platform import PlatformSettings
from infra.settings.resources import GpuSettings, ResourceSettings
from infra.settings.secrets import SecretSource
from infra.settings.storage import StorageSettings
from infra.settings.teams import QuotaSettings, TeamSettings
from infra.settings.types import ModelName, ResourceNames, StrictModel, TeamName

if TYPE_CHECKING:
    import pulumi

__all__ = [
    "AksClusterSettings",
    "Artifact",
    "ClusterSettings",
    "EksClusterSettings",
    "ExistingClusterSettings",
    "GatewaySettings",
    "GkeClusterSettings",
    "GpuSettings",
    "IssuerSettings",
    "LocalClusterSettings",
    "ModelPriority",
    "ModelSettings",
    "MonitoringSettings",
    "PlatformSettings",
    "QuotaSettings",
    "ResourceSettings",
    "ScalingSettings",
    "SecretSource",
    "Settings",
    "SettingsError",
    "StorageSettings",
    "TeamSettings",
    "load",
    "parse",
    "read_stack_file",
    "workloads",
]


class Settings(StrictModel):
    """The settings of one stack: the keys of the `slipway` namespace in its stack file.

    Attributes:
        approve: Logical names of protected resources that may be replaced or deleted.
        cluster: Which cluster, and how it is made.
        platform: The shared components.
        teams: Teams by name; a team's name is its namespace.
        models: Models by name.
    """

    approve: ResourceNames = ()
    cluster: ClusterSettings
    platform: PlatformSettings = Field(default_factory=PlatformSettings)
    teams: dict[TeamName, TeamSettings] = Field(default_factory=dict)
    models: dict[ModelName, ModelSettings] = Field(default_factory=dict)

    @property
    def workloads(self) -> dict[str, ModelSettings]:
        """Every version of every model, by the name of what runs it."""
        return workloads(self.models)

    @property
    def scales_on_requests(self) -> bool:
        """Whether the number of some model's pods follows its requests."""
        return any(item.requests_per_second is not None for item in self._scalings)

    @property
    def scales_to_zero(self) -> bool:
        """Whether some model may have no pods."""
        return any(item.to_zero for item in self._scalings)

    @property
    def promotes(self) -> bool:
        """Whether some canary promotes itself."""
        canaries = [model.canary for model in self.models.values()]
        return any(canary is not None and canary.promote is not None for canary in canaries)

    @property
    def mirrors(self) -> bool:
        """Whether some model's requests are copied to another version of it."""
        return any(model.mirror is not None for model in self.models.values())

    @property
    def _scalings(self) -> list[ScalingSettings]:
        return [model.scaling for model in self.models.values() if model.scaling is not None]

    @property
    def hosts(self) -> tuple[str, ...]:
        """The host names that are a model's alone."""
        return tuple(model.host for model in self.models.values() if model.host is not None)

    @property
    def secret_keys(self) -> frozenset[str]:
        """The flat keys that hold secret values."""
        return frozenset(secrets.uses(self.model_dump(by_alias=True)))


STRUCTURED: Final = frozenset(Settings.model_fields)


def parse(raw: Mapping[str, Any], encrypted: Set[str] = frozenset()) -> Settings:
    """Return the settings of plain data.

    Args:
        raw: Values by key, without the namespace.
        encrypted: Flat keys whose values are encrypted.

    Raises:
        SettingsError: Names every error.
    """
    errors = [
        *_unknown_teams(raw),
        *joined.errors(raw),
        *traffic.errors(raw),
        *backends.errors(raw),
        *promotion.errors(raw),
        *hosts.errors(raw),
        *files.errors(raw),
        *quota.errors(raw),
        *autoscaling.errors(raw),
        *resources.errors(raw),
        *storage.errors(raw),
        *timeouts.errors(raw),
        *secrets.errors(raw, encrypted, STRUCTURED),
    ]
    # One in plain text has its error already; its value comes no further.
    flat = secrets.uses(raw).keys() - STRUCTURED
    try:
        settings = Settings.model_validate({k: v for k, v in raw.items() if k not in flat})
    except ValidationError as error:
        raise SettingsError(lines(error, Settings) + errors) from None
    if errors:
        raise SettingsError(errors)
    return settings


def read_stack_file(path: Path, *, check_files: bool = True) -> Settings:
    """Return the settings of a stack file, without Pulumi.

    Args:
        path: A `Pulumi.<stack>.yaml` in the project's folder.
        check_files: Also check the files that the settings name. Off while the examples, which
            `make up` builds, may not be there yet.

    Raises:
        SettingsError: Names every error.
    """
    raw = stack_file.read(path)
    encrypted = {name for name in raw if name not in STRUCTURED and is_encrypted(raw[name])}
    settings = parse({k: v for k, v in raw.items() if k not in encrypted}, encrypted)
    if check_files:
        artifacts.check(settings.models, settings.teams, path.resolve().parent)
    return settings


def load() -> tuple[Settings, dict[str, Artifact], dict[str, "pulumi.Output[str]"]]:
    """Return the settings of the stack that Pulumi is running.

    Also the file of each version of a model that has one, by the name of what runs it, and the
    secret values by their flat key.

    Paths are relative to the working directory, which is the project's folder under Pulumi.

    Raises:
        pulumi.RunError: Names every error; Pulumi prints it without a traceback.
    """
    # Here, because the toolchain reads stack files without waiting for the SDK to be imported.
    import pulumi
    from pulumi.runtime import config as pulumi_config

    prefix = f"{NAMESPACE}:"
    raw: dict[str, Any] = {}
    errors: list[str] = []
    encrypted: set[str] = set()
    for name, text in {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}.items():
        if not name.startswith(prefix):
            continue
        short = name.removeprefix(prefix)
        if not pulumi_config.is_config_secret(name):
            raw[short] = _value(text)
        elif short in STRUCTURED:
            errors.append(
                f"{name}: holds an encrypted value; only a flat key does, see docs/secrets.md"
            )
        else:
            encrypted.add(short)
    try:
        if errors:
            raise SettingsError(errors)
        settings = parse(raw, encrypted)
        config = pulumi.Config(NAMESPACE)
        values = {flat: config.require_secret(flat) for flat in sorted(encrypted)}
        return settings, artifacts.read(settings.models, settings.teams, Path.cwd()), values
    except SettingsError as error:
        raise pulumi.RunError(str(error)) from error


def _value(text: str) -> Any:
    """Return what Pulumi's text stands for: a structured value is JSON, a scalar is itself.

    Pulumi writes an empty mapping as empty text, and every key of ours is a mapping.
    """
    if not text:
        return {}
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _unknown_teams(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model of a team that is not listed.

    It looks at the plain data, so that these errors come together with those of the fields.
    """
    teams, models = raw.get("teams") or {}, raw.get("models") or {}
    if not isinstance(teams, Mapping) or not isinstance(models, Mapping):
        return []
    errors = []
    for name, model in models.items():
        team = at(model, "team")
        if isinstance(team, str) and team not in teams:
            way_out = suggest(team, map(str, teams)) if teams else "add it to slipway:teams"
            errors.append(f"{key('models', name, 'team')}: no team `{team}`; {way_out}")
    return errors
