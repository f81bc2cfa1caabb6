"""Puts a report where a team reads it: a comment per stack on a pull request, an issue of drift.

It needs nothing but Python, so that the job that may write comments installs and runs nothing of
the pull request. GitHub and GitLab say by environment variables where and as whom it runs.
"""

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from toolchain.errors import SlipwayError

_PAGE: Final = 100
_TIMEOUT_SECONDS: Final = 30


@dataclass(frozen=True)
class Note:
    """A comment or an issue that this account wrote.

    Attributes:
        number: How the forge calls it.
        text: Its text.
    """

    number: int
    text: str


class Forge(Protocol):
    """What is written with."""

    def comments(self, request: int) -> Iterator[Note]:
        """Yield the comments of this account on a pull request."""

    def comment(self, request: int, text: str, number: int | None) -> None:
        """Write a comment on a pull request, or another text into the one with a number."""

    def issues(self) -> Iterator[Note]:
        """Yield the open issues of this account."""

    def issue(self, title: str, text: str, number: int | None) -> None:
        """Open an issue, or write another text into the one with a number."""

    def close(self, number: int) -> None:
        """Close an issue."""


@dataclass(frozen=True)
class Api:
    """A REST API that takes and gives JSON.

    Attributes:
        root: URL that paths are added to.
        headers: Of every request; the account's token is in one.
    """

    root: str
    headers: Mapping[str, str]

    def call(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """Return the answer to a request.

        Raises:
            SlipwayError: It was refused, or nobody answers.
        """
        body = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(
            f"{self.root}{path}",
            body,
            {**self.headers, "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise SlipwayError(
                f"{method} {path} was refused ({error.code} {error.reason}): look at the rights "
                "that the job's token has"
            ) from error
        except OSError as error:
            raise SlipwayError(f"{method} {path}: {error}") from error

    def pages(self, path: str) -> Iterator[Any]:
        """Yield what a list has, of all its pages."""
        join = "&" if "?" in path else "?"
        for page in range(1, sys.maxsize):
            found = self.call("GET", f"{path}{join}per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return


@dataclass(frozen=True)
class GitHub:
    """A repository on GitHub, as the job's own token sees it."""

    api: Api

    def comments(self, request: int) -> Iterator[Note]:
        """Yield the comments that a bot wrote on a pull request: a person's may look alike."""
        return _by_bots(self.api.pages(f"/issues/{request}/comments"), "id")

    def comment(self, request: int, text: str, number: int | None) -> None:
        """Write or change a comment."""
        if number is None:
            self.api.call("POST", f"/issues/{request}/comments", {"body": text})
        else:
            self.api.call("PATCH", f"/issues/comments/{number}", {"body": text})

    def issues(self) -> Iterator[Note]:
        """Yield the open issues that a bot wrote; GitHub lists pull requests among them."""
        found = self.api.pages("/issues?state=open")
        return _by_bots((one for one in found if "pull_request" not in one), "number")

    def issue(self, title: str, text: str, number: int | None) -> None:
        """Open or change an issue."""
        if number is None:
            self.api.call("POST", "/issues", {"title": title, "body": text})
        else:
            self.api.call("PATCH", f"/issues/{number}", {"body": text})

    def close(self, number: int) -> None:
        """Close an issue."""
        self.api.call("PATCH", f"/issues/{number}", {"state": "closed"})


@dataclass(frozen=True)
class GitLab:
    """A project on GitLab, as the account of a project access token sees it."""

    api: Api
    account: int

    def comments(self, request: int) -> Iterator[Note]:
        """Yield this account's comments on a merge request."""
        found = self.api.pages(f"/merge_requests/{request}/notes")
        return self._own(found, "id", "body")

    def comment(self, request: int, text: str, number: int | None) -> None:
        """Write or change a comment."""
        path = f"/merge_requests/{request}/notes"
        if number is None:
            self.api.call("POST", path, {"body": text})
        else:
            self.api.call("PUT", f"{path}/{number}", {"body": text})

    def issues(self) -> Iterator[Note]:
        """Yield this account's open issues."""
        return self._own(self.api.pages("/issues?state=opened"), "iid", "description")

    def issue(self, title: str, text: str, number: int | None) -> None:
        """Open or change an issue."""
        if number is None:
            self.api.call("POST", "/issues", {"title": title, "description": text})
        else:
            self.api.call("PUT", f"/issues/{number}", {"description": text})

    def close(self, number: int) -> None:
        """Close an issue."""
        self.api.call("PUT", f"/issues/{number}", {"state_event": "close"})

    def _own(self, found: Iterator[Any], number: str, text: str) -> Iterator[Note]:
        for one in found:
            if one["author"]["id"] == self.account:
                yield Note(int(one[number]), one[text] or "")


def _by_bots(found: Iterator[Any], number: str) -> Iterator[Note]:
    for one in found:
        if one["user"]["type"] == "Bot":
            yield Note(int(one[number]), one["body"] or "")


def forge(variables: Mapping[str, str]) -> Forge:
    """Return the forge whose job this is.

    Args:
        variables: The job's environment.

    Raises:
        SlipwayError: It is no job of GitHub or GitLab, or it has no token.
    """
    if "GITHUB_REPOSITORY" in variables:
        token = _required(variables, "GITHUB_TOKEN")
        root = f"{_required(variables, 'GITHUB_API_URL')}/repos/{variables['GITHUB_REPOSITORY']}"
        accepted = {"Accept": "application/vnd.github+json"}
        return GitHub(Api(root, {"Authorization": f"Bearer {token}", **accepted}))
    if "CI_PROJECT_ID" in variables:
        headers = {"PRIVATE-TOKEN": _required(variables, "SLIPWAY_GITLAB_TOKEN")}
        root = _required(variables, "CI_API_V4_URL")
        account = Api(root, headers).call("GET", "/user")["id"]
        return GitLab(Api(f"{root}/projects/{variables['CI_PROJECT_ID']}", headers), int(account))
    raise SlipwayError("this is no job of GitHub or GitLab: GITHUB_REPOSITORY names none")


def put_comment(forge: Forge, request: int, text: str) -> None:
    """Write a report into the one comment that its first line is the mark of."""
    forge.comment(request, text, _number(forge.comments(request), text.partition("\n")[0]))


def put_issue(forge: Forge, title: str, text: str) -> None:
    """Write a report into the one open issue that its first line is the mark of."""
    forge.issue(title, text, _number(forge.issues(), text.partition("\n")[0]))


def close_issue(forge: Forge, text: str) -> None:
    """Close the open issue that the first line of a report is the mark of, if there is one."""
    number = _number(forge.issues(), text.partition("\n")[0])
    if number is not None:
        forge.close(number)


def _number(notes: Iterator[Note], mark: str) -> int | None:
    return next((note.number for note in notes if note.text.partition("\n")[0] == mark), None)


def _required(variables: Mapping[str, str], name: str) -> str:
    if not variables.get(name):
        raise SlipwayError(f"{name} is not set: see docs/previews.md")
    return variables[name]


def _marked(path: Path) -> str:
    text = path.read_text()
    if not text.startswith("<!-- slipway "):
        raise SlipwayError(f"{path}: its first line is no mark of a report")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Write one report and return the exit code.

    Args:
        arguments: Of the command line; those of the process by default.
    """
    parser = argparse.ArgumentParser(prog="python -m toolchain.forge", allow_abbrev=False)
    parser.add_argument("command", choices=("comment", "issue", "close-issue"))
    parser.add_argument("report", type=Path, help="Markdown whose first line is its mark")
    parser.add_argument("--request", type=int, help="number of the pull request of a comment")
    parser.add_argument("--title", default="Drift", help="of a new issue; default: %(default)s")
    parsed = parser.parse_args(arguments)
    try:
        text = _marked(parsed.report)
        if parsed.command == "comment":
            if parsed.request is None:
                raise SlipwayError("comment: name the pull request with --request")
            put_comment(forge(os.environ), parsed.request, text)
        elif parsed.command == "issue":
            put_issue(forge(os.environ), parsed.title, text)
        else:
            close_issue(forge(os.environ), text)
    except (SlipwayError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
