"""Who pushes to a registry: what Docker's configuration says, or a cloud's own program.

Nothing of it is kept: it is asked for when an image is pushed.
"""

import base64
import binascii
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from toolchain.images.recipes import ImageError

_SECONDS: Final = 60


@dataclass(frozen=True)
class Credentials:
    """A user and a password, which may be a token.

    Attributes:
        user: The user.
        password: The password.
    """

    user: str
    password: str

    def __repr__(self) -> str:
        """Return what a log may show."""
        return f"Credentials({self.user!r})"


@dataclass(frozen=True)
class _Cloud:
    """How a cloud's program gives out passwords of its registries."""

    host: re.Pattern[str]
    user: str
    command: Sequence[str]


_CLOUDS: Final = (
    # https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
    _Cloud(
        re.compile(r"\d{12}\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(\.cn)?"),
        "AWS",
        ("aws", "ecr", "get-login-password", "--region", "{region}"),
    ),
    # https://learn.microsoft.com/azure/container-registry/container-registry-authentication
    _Cloud(
        re.compile(r"(?P<name>[a-z0-9]+)\.azurecr\.io"),
        "00000000-0000-0000-0000-000000000000",
        (
            *("az", "acr", "login", "--name", "{name}", "--expose-token"),
            *("--output", "tsv", "--query", "accessToken"),
        ),
    ),
    # https://cloud.google.com/artifact-registry/docs/docker/authentication
    _Cloud(
        re.compile(r"[a-z0-9-]+-docker\.pkg\.dev"),
        "oauth2accesstoken",
        ("gcloud", "auth", "print-access-token"),
    ),
)


def find(host: str, environment: Mapping[str, str] = os.environ) -> Credentials | None:
    """Return the credentials of a registry; `None` where nobody has any for it.

    Args:
        host: The registry's host, with its port where that is not 443.
        environment: Where Docker's configuration and the programs are found.

    Raises:
        ImageError: The program that has them fails.
    """
    config = _docker_config(environment)
    helper = config.get("credHelpers", {}).get(host) or config.get("credsStore")
    if helper and (found := _of_helper(str(helper), host, environment)):
        return found
    if found := _of_config(config, host):
        return found
    for cloud in _CLOUDS:
        if match := cloud.host.fullmatch(host):
            command = [part.format(**match.groupdict()) for part in cloud.command]
            return Credentials(cloud.user, _run(command, "", environment).strip())
    return None


def _docker_config(environment: Mapping[str, str]) -> dict[str, Any]:
    home = environment.get("DOCKER_CONFIG") or Path(environment.get("HOME", "~"), ".docker")
    path = Path(home).expanduser() / "config.json"
    try:
        raw = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ImageError(f"Docker's configuration {path} cannot be read: correct it") from error
    return raw if isinstance(raw, dict) else {}


def _of_config(config: Mapping[str, Any], host: str) -> Credentials | None:
    entry = config.get("auths", {}).get(host) or {}
    try:
        user, separator, password = (
            base64.b64decode(entry.get("auth", ""), validate=True).decode().partition(":")
        )
    except (binascii.Error, ValueError) as error:
        raise ImageError(
            f"Docker's configuration has an entry for {host} that is not base64: run `docker login`"
        ) from error
    return Credentials(user, password) if separator else None


def _of_helper(helper: str, host: str, environment: Mapping[str, str]) -> Credentials | None:
    """Ask a helper (https://github.com/docker/docker-credential-helpers), which may have none."""
    try:
        answer = json.loads(_run([f"docker-credential-{helper}", "get"], host, environment))
    except ImageError as error:
        if "credentials not found" in str(error):
            return None
        raise
    return Credentials(str(answer["Username"]), str(answer["Secret"]))


def _run(command: Sequence[str], stdin: str, environment: Mapping[str, str]) -> str:
    name = " ".join(command)
    try:
        done = subprocess.run(
            command,
            input=stdin,
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except FileNotFoundError as error:
        raise ImageError(
            f"there is no program {command[0]}, which has the password of the registry: install "
            "it, or run `docker login`"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ImageError(f"`{name}` does not end: see whether it asks something") from error
    if done.returncode != 0:
        # What is printed on success is the password; on failure it says why.
        reason = " ".join((done.stderr or done.stdout).split()) or "no reason given"
        raise ImageError(f"`{name}` failed: {reason}")
    return done.stdout
