"""Settings of secrets: what a team's secrets are made of, and whether every value is there.

A secret value is a flat key of the stack's configuration (`slipway:<key>`), which Pulumi encrypts,
or stays in a store outside the cluster. No structured key ever holds one.
"""

import re
from collections.abc import Iterator, Mapping, Set
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from infra.settings.errors import key, suggest
from infra.settings.plain import at, entries
from infra.settings.types import SecretName, StoreName, StrictModel

_CONFIG_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
# What a shell and every language can read; Kubernetes itself would allow more.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the image, its Python and its libraries are steered by, and what Kubernetes sets itself.
_RESERVED_VARIABLES: Final = frozenset({"HOME", "HOSTNAME", "PATH", "TMPDIR"})
_RESERVED_PREFIXES: Final = ("KUBERNETES_", "LD_", "ORT_", "PYTHON", "SLIPWAY_")


def _config_key(value: str) -> str:
    if not _CONFIG_KEY.fullmatch(value):
        raise ValueError(
            # Not the text itself: it may be the value that the key should stand for.
            "is not a flat key; start with a letter and use letters, digits, hyphens and "
            "underscores"
        )
    return value


def _variable(value: str) -> str:
    if not _VARIABLE.fullmatch(value):
        raise ValueError(
            f"`{value}` is not an environment variable; start with a letter and use letters, "
            "digits and underscores"
        )
    if value in _RESERVED_VARIABLES or value.startswith(_RESERVED_PREFIXES):
        raise ValueError(f"the server's own `{value}` cannot be a secret; choose another name")
    return value


ConfigKey = Annotated[str, AfterValidator(_config_key)]
VariableName = Annotated[str, AfterValidator(_variable)]


class ConfigReference(StrictModel):
    """A value that Pulumi keeps encrypted in the stack file.

    Attributes:
        config: The flat key: `slipway:<config>`.
    """

    config: ConfigKey


class SecretSource(StrictModel):
    """Where the value of one variable comes from: the stack file or a store, not both.

    Attributes:
        config: A flat key, see `ConfigReference`.
        store: A key of `slipway:platform.secrets.stores`.
        path: What the store calls the secret.
        property: A field of a secret that is a JSON object; the whole secret by default.
    """

    config: ConfigKey | None = None
    store: StoreName | None = None
    path: Annotated[str, Field(min_length=1)] | None = None
    property: Annotated[str, Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.config is None) == (self.store is None):
            raise ValueError(
                "needs one source; write `{config: <key>}` or `{store: <name>, path: <path>}`"
            )
        if self.store is None and (self.path or self.property):
            raise ValueError("`path` and `property` belong to a store; remove them or name it")
        if self.store is not None and self.path is None:
            raise ValueError(f"`path` is missing; add what `{self.store}` calls the secret")
        return self


TeamSecrets = dict[SecretName, Annotated[dict[VariableName, SecretSource], Field(min_length=1)]]
"""A team's secrets by name: environment variables with their sources."""


def uses(raw: Mapping[str, Any]) -> dict[str, str]:
    """Return the flat keys that plain settings name, each with the first place that does.

    Args:
        raw: Plain settings, right or wrong.
    """
    found: dict[str, str] = {}
    for place, reference in _references(raw):
        flat = at(reference, "config")
        if isinstance(flat, str):
            found.setdefault(flat, place)
    return found


def errors(raw: Mapping[str, Any], encrypted: Set[str], structured: Set[str]) -> list[str]:
    """Return an error for each secret value that is not there, not encrypted or not used.

    Like `uses` it looks at plain data, so that these errors come together with all others.

    Args:
        raw: Plain settings, right or wrong, without encrypted values.
        encrypted: The flat keys that are encrypted.
        structured: The keys that are no flat ones.
    """
    used = uses(raw)
    found = []
    for flat, place in used.items():
        command = f"`pulumi config set --secret {key(flat)}`"
        if flat in structured:
            found.append(f"{place}: `{flat}` is a key of the settings; name a flat key")
        elif flat in raw:
            found.append(f"{key(flat)}: is a secret in plain text; encrypt it with {command}")
        elif flat not in encrypted and _CONFIG_KEY.fullmatch(flat):
            found.append(f"{place}: there is no {key(flat)}; set it with {command}")
    for flat in sorted(encrypted - used.keys()):
        found.append(f"{key(flat)}: {_unused(flat, used)}")
    return [*found, *_unknown_stores(raw), *_wrong_uses(raw)]


def _unused(flat: str, used: Mapping[str, str]) -> str:
    way_out = f"name it as `{{config: {flat}}}`, or `pulumi config rm {key(flat)}`"
    near = suggest(flat, used) if used else ""
    return f"no secret uses it; {near if near.startswith('did you mean') else way_out}"


def _references(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield each place that may name a flat key, with what stands there."""
    for place, source in _sources(raw):
        yield place, source
    for store, settings in entries(at(raw, "platform", "secrets", "stores")):
        place = key("platform", "secrets", "stores", store, "credentials")
        yield place, at(settings, "credentials")


def _sources(raw: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for team, settings in entries(at(raw, "teams")):
        for secret, variables in entries(at(settings, "secrets")):
            for variable, source in entries(variables):
                yield key("teams", team, "secrets", secret, variable), source


def _unknown_stores(raw: Mapping[str, Any]) -> list[str]:
    stores = dict(entries(at(raw, "platform", "secrets", "stores")))
    found = []
    for place, source in _sources(raw):
        store = at(source, "store")
        if isinstance(store, str) and store not in stores:
            way_out = (
                suggest(store, stores) if stores else "add it to slipway:platform.secrets.stores"
            )
            found.append(f"{place}.store: no store `{store}`; {way_out}")
    return found


def _wrong_uses(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each model that names a secret it cannot have."""
    found = []
    for model, settings in entries(at(raw, "models")):
        names, team = at(settings, "secrets"), at(settings, "team")
        if not isinstance(names, list) or not isinstance(team, str):
            continue
        secrets = dict(entries(at(raw, "teams", team, "secrets")))
        place = key("models", model, "secrets")
        owners: dict[str, str] = {}
        for name in dict.fromkeys(name for name in names if isinstance(name, str)):
            if name not in secrets:
                way_out = (
                    suggest(name, secrets)
                    if secrets
                    else f"add it to {key('teams', team, 'secrets')}"
                )
                found.append(f"{place}: the team `{team}` has no secret `{name}`; {way_out}")
            for variable, _ in entries(secrets.get(name)):
                owner = owners.setdefault(variable, name)
                if owner != name:
                    found.append(
                        f"{place}: `{owner}` and `{name}` both set `{variable}`; rename it in one"
                    )
    return found
