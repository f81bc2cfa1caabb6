"""The settings of a stack: typed, and every error at once before any resource exists.

`load` is the only place in the project that reads Pulumi's configuration. `read_stack_file` reads
the same settings from a stack file, so that the toolchain can check it before it builds anything.

Secrets will be flat keys of their own (`slipway:<name>`), read with `require_secret`: Pulumi hands
out a structured value that holds a secret as plain text, so an encrypted value inside one of the
keys below is refused.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from infra.settings import artifacts, stack_file
from infra.settings.artifacts import Artifact
from infra.settings.cluster import ClusterSettings, LocalClusterSettings
from infra.settings.errors import NAMESPACE, SettingsError, key, lines, suggest
from infra.settings.models import ModelSettings, ResourceSettings
from infra.settings.platform import GatewaySettings, PlatformSettings, TeamSettings
from infra.settings.types import ModelName, StrictModel, TeamName

__all__ = [
    "Artifact",
    "ClusterSettings",
    "GatewaySettings",
    "LocalClusterSettings",
    "ModelSettings",
    "PlatformSettings",
    "ResourceSettings",
    "Settings",
    "SettingsError",
    "TeamSettings",
    "load",
    "parse",
    "read_stack_file",
]


class Settings(StrictModel):
    """The settings of one stack: the keys of the `slipway` namespace in its stack file.

    Attributes:
        cluster: Which cluster, and how it is made.
        platform: The shared components.
        teams: Teams by name; a team's name is its namespace.
        models: Models by name.
    """

    cluster: ClusterSettings
    platform: PlatformSettings = Field(default_factory=PlatformSettings)
    teams: dict[TeamName, TeamSettings] = Field(default_factory=dict)
    models: dict[ModelName, ModelSettings] = Field(default_factory=dict)

    @property
    def formats(self) -> frozenset[str]:
        """The formats of the models."""
        return frozenset(model.format for model in self.models.values())


def parse(raw: Mapping[str, Any]) -> Settings:
    """Return the settings of plain data.

    Args:
        raw: Values by key, without the namespace.

    Raises:
        SettingsError: Names every error.
    """
    errors = _unknown_teams(raw)
    try:
        settings = Settings.model_validate(raw)
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
    settings = parse(stack_file.read(path))
    if check_files:
        artifacts.check(settings.models, path.resolve().parent)
    return settings


def load() -> tuple[Settings, dict[str, Artifact]]:
    """Return the settings of the stack that Pulumi is running, and the file of each model.

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
    for name, text in {**pulumi_config.get_config_env(), **pulumi_config.CONFIG.get()}.items():
        if not name.startswith(prefix):
            continue
        if pulumi_config.is_config_secret(name):
            errors.append(f"{name}: holds an encrypted value; write it as plain text")
        raw[name.removeprefix(prefix)] = _value(text)
    try:
        if errors:
            raise SettingsError(errors)
        settings = parse(raw)
        return settings, artifacts.read(settings.models, Path.cwd())
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
        team = model.get("team") if isinstance(model, Mapping) else None
        if isinstance(team, str) and team not in teams:
            way_out = suggest(team, map(str, teams)) if teams else "add it to slipway:teams"
            errors.append(f"{key('models', name, 'team')}: no team `{team}`; {way_out}")
    return errors
