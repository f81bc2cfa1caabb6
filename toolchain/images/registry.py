"""Pushes an image to a registry.

https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push: each layer that the
registry lacks in one request, then the configuration, then the manifest, whose digest the image is
pulled by from then on. The registry checks every digest itself.
"""

import base64
import gzip
import hashlib
import http.client
import io
import json
import re
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, Any, Final

from toolchain import cache
from toolchain.images import credentials
from toolchain.images.credentials import Credentials
from toolchain.images.recipes import ImageError
from toolchain.progress import Report, silent, size

MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER: Final = re.compile(r'(\w+)="([^"]*)"')
# Longest silence of a registry; the last answer to a layer comes once it has been checked.
_SECONDS: Final = 300
_AGENT: Final = "slipway-toolchain"


@dataclass(frozen=True)
class _Blob:
    """Something that is sent: its digest, its length, and how it is read from its beginning."""

    digest: str
    length: int
    open: Callable[[], IO[bytes]]


class Repository:
    """A repository of a registry.

    Args:
        name: `<host>/<path>`.
        find: From a host to who pushes to it.

    Raises:
        ImageError: The name has no host.
    """

    def __init__(
        self,
        name: str,
        find: Callable[[str], Credentials | None] = credentials.find,
    ) -> None:
        self._host, _, self._path = name.partition("/")
        if not self._host or not self._path:
            raise ImageError(f"{name!r} is not a repository: write `<host>/<path>`")
        self.name = name
        self._find = find
        self._credentials: Credentials | None = None
        self._authorization: str | None = None
        # A registry on this machine may do without TLS, as for Docker.
        local = self._host.partition(":")[0] in ("localhost", "127.0.0.1")
        self._base = f"{'http' if local else 'https'}://{self._host}/v2/{self._path}"

    def digest(self, tag: str) -> str | None:
        """Return the digest that a tag stands for; `None` where there is no such tag.

        Raises:
            ImageError: The registry does not answer, or refuses to.
        """
        status, headers = self._request(
            "HEAD", f"{self._base}/manifests/{tag}", {"Accept": MANIFEST}, accepted=(200, 404)
        )
        found = headers.get("Docker-Content-Digest", "")
        if status == http.client.NOT_FOUND:
            return None
        if not _DIGEST.fullmatch(found):
            raise ImageError(f"the registry {self._host} names no digest of the tag {tag}")
        return found

    def push(self, archive: Path, tag: str, report: Report = silent) -> str:
        """Push an image, and return its digest.

        Args:
            archive: The image, in the format of `docker save`.
            tag: Its tag.
            report: Takes progress lines.

        Raises:
            ImageError: The registry does not answer, or refuses the image.
        """
        with cache.staging("push") as work, tarfile.open(archive) as image:
            (entry,) = json.loads(_member(image, "manifest.json").read())
            config = _member(image, entry["Config"]).read()
            layers = [
                _compressed(_member(image, name), work / f"{index}.gz")
                for index, name in enumerate(entry["Layers"])
            ]
            for layer in layers:
                self._send(layer, report)
            self._send(_of_bytes(config), report)
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": MANIFEST,
                    "config": _descriptor(_CONFIG, _of_bytes(config)),
                    "layers": [_descriptor(_LAYER, layer) for layer in layers],
                }
            ).encode()
        self._request(
            "PUT",
            f"{self._base}/manifests/{tag}",
            {"Content-Type": MANIFEST},
            body=_of_bytes(manifest),
            accepted=(201,),
        )
        return _of_bytes(manifest).digest

    def _send(self, blob: _Blob, report: Report) -> None:
        status, _ = self._request(
            "HEAD", f"{self._base}/blobs/{blob.digest}", {}, accepted=(200, 404)
        )
        if status == http.client.OK:
            return
        _, headers = self._request("POST", f"{self._base}/blobs/uploads/", {}, accepted=(202,))
        report(f"pushing {size(blob.length)} to {self.name}")
        place = urllib.parse.urljoin(self._base, headers.get("Location", ""))
        separator = "&" if urllib.parse.urlsplit(place).query else "?"
        self._request(
            "PUT",
            f"{place}{separator}digest={urllib.parse.quote(blob.digest, safe='')}",
            {"Content-Type": "application/octet-stream"},
            body=blob,
            accepted=(201,),
        )

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        accepted: tuple[int, ...],
        body: _Blob | None = None,
    ) -> tuple[int, Message]:
        """Send a request, a second time with credentials where the registry asks for them."""
        status, answer, text = self._once(method, url, headers, body)
        if status == http.client.UNAUTHORIZED:
            self._authorization = self._authorize(answer.get("WWW-Authenticate", ""))
            status, answer, text = self._once(method, url, headers, body)
        if status not in accepted:
            raise ImageError(
                f"the registry {self._host} answers {status} to {method} of {self.name}"
                f"{_reason(text)}: {_way_out(status)}"
            )
        return status, answer

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: _Blob | None
    ) -> tuple[int, Message, bytes]:
        given = {"User-Agent": _AGENT, **headers}
        if self._authorization and urllib.parse.urlsplit(url).netloc == self._host:
            given["Authorization"] = self._authorization
        given["Content-Length"] = str(body.length if body else 0)
        content = body.open() if body else None
        try:
            request = urllib.request.Request(url, content, given, method=method)
            with _open(request) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ImageError(f"the registry {self._host} does not answer: {reason}") from error
        finally:
            if content is not None:
                content.close()

    def _authorize(self, challenge: str) -> str:
        """Return what a registry wants to see, which it says in its challenge (RFC 9110).

        Of tokens: https://distribution.github.io/distribution/spec/auth/token/
        """
        if self._credentials is None:
            self._credentials = self._find(self._host)
        basic = _basic(self._credentials) if self._credentials else None
        scheme, _, rest = challenge.partition(" ")
        if scheme.lower() == "basic" and basic:
            return basic
        parameters = dict(_PARAMETER.findall(rest))
        realm = parameters.pop("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("https://", f"http://{self._host}")):
            raise ImageError(
                f"the registry {self._host} wants a password: run `docker login {self._host}`"
            )
        parameters["scope"] = f"repository:{self._path}:pull,push"
        url = f"{realm}?{urllib.parse.urlencode(parameters)}"
        headers = {"User-Agent": _AGENT, **({"Authorization": basic} if basic else {})}
        try:
            with _open(urllib.request.Request(url, headers=headers)) as response:
                answer: dict[str, Any] = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise ImageError(
                f"the registry {self._host} gives no token ({error}): log in again"
            ) from error
        return f"Bearer {answer.get('token') or answer.get('access_token')}"


def _open(request: urllib.request.Request) -> Any:
    return urllib.request.urlopen(request, timeout=_SECONDS)


def _basic(who: Credentials) -> str:
    return f"Basic {base64.b64encode(f'{who.user}:{who.password}'.encode()).decode()}"


def _way_out(status: int) -> str:
    if status in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        return "log in as somebody who may push there"
    return "see the registry's own logs"


def _reason(text: bytes) -> str:
    """Return what the registry says of an error (distribution-spec, "Error Codes")."""
    try:
        errors = json.loads(text)["errors"]
        return " (" + ", ".join(str(error["code"]) for error in errors) + ")"
    except (ValueError, KeyError, TypeError):
        return ""


def _member(image: tarfile.TarFile, name: str) -> IO[bytes]:
    member = image.extractfile(name)
    if member is None:
        raise ImageError(f"the image has no file {name}")
    return member


def _compressed(layer: IO[bytes], target: Path) -> _Blob:
    """Return a layer compressed; the same layer makes the same bytes, which are sent once."""
    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=file, mtime=0) as compressor,
    ):
        shutil.copyfileobj(layer, compressor, 1 << 20)
    with target.open("rb") as made:
        digest = hashlib.file_digest(made, "sha256").hexdigest()
    return _Blob(f"sha256:{digest}", target.stat().st_size, lambda: target.open("rb"))


def _of_bytes(content: bytes) -> _Blob:
    digest = hashlib.sha256(content).hexdigest()
    return _Blob(f"sha256:{digest}", len(content), lambda: io.BytesIO(content))


def _descriptor(media_type: str, blob: _Blob) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.length}
