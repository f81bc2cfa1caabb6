"""Settings of where a team's models are stored, and checks of what models make of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator

from apps.serving.runtimes import RUNTIMES
from infra.settings import sources
from infra.settings.errors import key, suggest
from infra.settings.plain import at, entries
from infra.settings.resources import ResourceSettings
from infra.settings.traffic import ROLES
from infra.settings.types import SecretName, StrictModel

# Measured, with 300 MB from S3: 160 MiB for one file, 350 MiB for six, of which four come at once.
DOWNLOAD: Final = ResourceSettings.model_validate(
    {"cpu": "100m", "cpuLimit": "2", "memory": "512Mi"}
)
"""What an init step that downloads a model may use."""

_PORTS: Final = {"http": 80, "https": 443}


def _endpoint(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    plain = parts.username is None and not (parts.path.strip("/") or parts.query or parts.fragment)
    if parts.scheme not in _PORTS or not parts.hostname or not plain or port == 0:
        raise ValueError(
            f"`{value}` is not the URL of an S3-compatible server; write it like "
            "`https://s3.example.com:9000`, without a path and a user"
        )
    return value


def _trusted(value: str) -> str:
    scheme, separator, rest = value.partition("://")
    if not separator or not rest or not value.endswith("/") or scheme == "file":
        raise ValueError(
            f"`{value}` is not the beginning of model URIs; write it like `s3://models-prod/`, "
            "with a slash at its end"
        )
    return value


TrustedPrefix = Annotated[str, AfterValidator(_trusted)]


class StorageSettings(StrictModel):
    """How models of a team are downloaded.

    Attributes:
        endpoint: URL of an S3-compatible server; AWS by default.
        region: Region of the buckets, as S3 has it.
        secret: A secret of the team, whose variables the download gets and the server does not:
            `AWS_ACCESS_KEY_ID` and so on. Without it, the download has the rights of the team's
            service account.
    """

    endpoint: Annotated[str, AfterValidator(_endpoint)] | None = None
    region: str | None = None
    secret: SecretName | None = None

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of a download, apart from those of its secret."""
        given = {"AWS_ENDPOINT_URL": self.endpoint, "AWS_DEFAULT_REGION": self.region}
        return {name: value for name, value in given.items() if value is not None}


def port(uri: str, storage: StorageSettings | None) -> int:
    """Return the TCP port that a model is downloaded from.

    Args:
        uri: Where the model is stored.
        storage: How it is downloaded.
    """
    endpoint = storage.endpoint if storage and uri.startswith("s3:") else None
    parts = urlsplit(endpoint or uri)
    return parts.port or _PORTS.get(parts.scheme, _PORTS["https"])


def errors(raw: Mapping[str, Any]) -> list[str]:
    """Return an error for each storage that is not there, and each model that is not trusted.

    It looks at the plain data, so that these errors come together with those of the fields.

    Args:
        raw: The settings as plain data.
    """
    found = []
    for team, settings in entries(at(raw, "teams")):
        secrets = dict(entries(at(settings, "secrets")))
        for name, storage in entries(at(settings, "storage")):
            secret = at(storage, "secret")
            if isinstance(secret, str) and secret not in secrets:
                place = key("teams", team, "storage", name, "secret")
                found.append(f"{place}: {_missing(team, 'secret', secret, secrets)}")
    for name, model in entries(at(raw, "models")):
        team = at(model, "team")
        if not isinstance(team, str) or at(raw, "teams", team) is None:
            continue
        found += _unknown_storage([name], model, team, raw)
        found += _distrusted([name], model, team, raw)
        for role in ROLES:
            version = at(model, role)
            found += _unknown_storage([name, role], version, team, raw)
            if isinstance(version, Mapping) and {"uri", "format"} & set(version):
                found += _distrusted([name, role], {**model, **version}, team, raw)
    return found


def _unknown_storage(
    place: Sequence[str], model: Any, team: str, raw: Mapping[str, Any]
) -> list[str]:
    storage, known = at(model, "storage"), dict(entries(at(raw, "teams", team, "storage")))
    if not isinstance(storage, str) or storage in known:
        return []
    return [f"{key('models', *place, 'storage')}: {_missing(team, 'storage', storage, known)}"]


def _distrusted(place: Sequence[str], model: Any, team: str, raw: Mapping[str, Any]) -> list[str]:
    """Return the error of a model that runs code from where its team trusts nothing."""
    uri, model_format = at(model, "uri"), at(model, "format")
    runtime = RUNTIMES.get(model_format) if isinstance(model_format, str) else None
    if not isinstance(uri, str) or runtime is None or not runtime.runs_code:
        return []
    trusted = at(raw, "teams", team, "trusted")
    prefixes = trusted if isinstance(trusted, list) else []
    # A file of the project was reviewed with it.
    if sources.kind(uri) in (None, "file") or uri.startswith(tuple(map(str, prefixes))):
        return []
    return [
        f"{key('models', *place, 'uri')}: loading a model of the format `{model_format}` can run "
        f"code that it brings, and the team `{team}` does not trust `{uri}`; convert it to a "
        f"format that runs none, like onnx, or add its place to {key('teams', team, 'trusted')}"
    ]


def _missing(team: str, what: str, name: str, known: Mapping[str, Any]) -> str:
    folder = {"secret": "secrets", "storage": "storage"}[what]
    way_out = suggest(name, known) if known else f"add it to {key('teams', team, folder)}"
    return f"the team `{team}` has no {what} `{name}`; {way_out}"
