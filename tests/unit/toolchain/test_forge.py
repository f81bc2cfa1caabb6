"""A report is one comment and one issue, kept up to date, and nobody else's text is touched."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from toolchain import forge

MARK = "<!-- slipway preview: dev -->"
REPORT = f"{MARK}\n## Stack `dev`: 1 changed\n"


class Server:
    """Keeps comments and issues as a forge does, a few on a page.

    Attributes:
        entries: What there is, by path of its list.
        requests: What was asked: method, path, token.
    """

    def __init__(self) -> None:
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[tuple[str, str, str]] = []
        self.refuses = False
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self) -> None:
                path, _, query = self.path.partition("?")
                token = self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN")
                outer.requests.append((self.command, path, str(token)))
                length = int(self.headers.get("Content-Length") or 0)
                sent = json.loads(self.rfile.read(length) or b"null")
                found = outer.answer(self.command, path, query, sent)
                body = json.dumps(found).encode()
                self.send_response(403 if outer.refuses else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815 - the server's names

            def log_message(self, *arguments: object) -> None:
                """Keep the output of tests clean."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, method: str, path: str, query: str, sent: Any) -> Any:
        if path == "/user":
            return {"id": 7}
        if method == "GET":
            page = int(dict(part.split("=") for part in query.split("&"))["page"])
            return self.entries.get(path, [])[(page - 1) * 100 : page * 100]
        if method == "POST":
            listed = self.entries.setdefault(path, [])
            number = len(listed) + 1
            listed.append(
                {
                    "id": number,
                    "number": number,
                    "iid": number,
                    "user": {"type": "Bot"},
                    "author": {"id": 7},
                    **sent,
                }
            )
            return listed[-1]
        list_path, _, number_text = path.rpartition("/")
        if list_path.endswith("/issues/comments"):
            list_path = list_path.removesuffix("/comments") + "/12/comments"
        self.entries[list_path][int(number_text) - 1] |= sent
        return {}


@pytest.fixture(name="server")
def _server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def github(server: Server) -> dict[str, str]:
    return {
        "GITHUB_REPOSITORY": "team/slipway",
        "GITHUB_API_URL": server.url,
        "GITHUB_TOKEN": "of-the-job",
    }


def gitlab(server: Server) -> dict[str, str]:
    return {"CI_PROJECT_ID": "3", "CI_API_V4_URL": server.url, "SLIPWAY_GITLAB_TOKEN": "own"}


PLACES = [
    (github, "/repos/team/slipway/issues/12/comments", "/repos/team/slipway/issues", "body"),
    (gitlab, "/projects/3/merge_requests/12/notes", "/projects/3/issues", "description"),
]


@pytest.fixture(name="job", params=PLACES, ids=["github", "gitlab"])
def _job(
    request: pytest.FixtureRequest, server: Server, monkeypatch: pytest.MonkeyPatch
) -> tuple[Server, str, str, str]:
    """A job of each forge: its server, where comments and issues are, and an issue's text."""
    make, comments, issues, text = request.param
    for name in (*github(server), *gitlab(server)):
        monkeypatch.delenv(name, raising=False)
    for name, value in make(server).items():
        monkeypatch.setenv(name, value)
    return server, comments, issues, text


def run(tmp_path: Path, command: str, *arguments: str, text: str = REPORT) -> int:
    path = tmp_path / "report.md"
    path.write_text(text)
    return forge.main([command, str(path), *arguments])


def test_a_second_report_takes_the_place_of_the_first(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, comments, _, _ = job
    assert run(tmp_path, "comment", "--request", "12") == 0
    assert run(tmp_path, "comment", "--request", "12", text=f"{MARK}\nnothing changes\n") == 0
    assert [one["body"] for one in server.entries[comments]] == [f"{MARK}\nnothing changes\n"]


def test_each_stack_has_a_comment_of_its_own(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, comments, _, _ = job
    run(tmp_path, "comment", "--request", "12")
    run(tmp_path, "comment", "--request", "12", text=REPORT.replace("dev", "prod"))
    assert len(server.entries[comments]) == 2


def test_a_comment_is_found_again_on_a_later_page(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, comments, _, _ = job
    for number in range(150):
        server.answer("POST", comments, "", {"body": f"comment {number}"})
    run(tmp_path, "comment", "--request", "12")
    run(tmp_path, "comment", "--request", "12", text=f"{MARK}\nlater\n")
    assert len(server.entries[comments]) == 151
    assert server.entries[comments][150]["body"] == f"{MARK}\nlater\n"


def test_a_text_of_somebody_else_is_left_alone_though_it_has_the_mark(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, comments, _, _ = job
    somebody = {"user": {"type": "User"}, "author": {"id": 8}}
    server.answer("POST", comments, "", {"body": REPORT, **somebody})
    run(tmp_path, "comment", "--request", "12", text=f"{MARK}\nlater\n")
    assert [one["body"] for one in server.entries[comments]] == [REPORT, f"{MARK}\nlater\n"]


def test_an_issue_is_opened_once_changed_and_closed(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, _, issues, text = job
    assert run(tmp_path, "issue", "--title", "Drift of dev") == 0
    assert run(tmp_path, "issue", "--title", "Drift of dev", text=f"{MARK}\nmore\n") == 0
    (issue,) = server.entries[issues]
    assert (issue["title"], issue[text]) == ("Drift of dev", f"{MARK}\nmore\n")
    assert run(tmp_path, "close-issue") == 0
    assert issue.get("state") == "closed" or issue.get("state_event") == "close"


def test_there_may_be_no_issue_to_close(job: tuple[Server, str, str, str], tmp_path: Path) -> None:
    server, _, _, _ = job
    assert run(tmp_path, "close-issue") == 0
    assert {method for method, _, _ in server.requests} == {"GET"}


def test_the_jobs_token_goes_with_every_request(
    job: tuple[Server, str, str, str], tmp_path: Path
) -> None:
    server, _, _, _ = job
    run(tmp_path, "comment", "--request", "12")
    assert {token for _, _, token in server.requests} <= {"Bearer of-the-job", "own"}


def test_a_refusal_is_one_error_that_names_the_way_out_and_no_token(
    job: tuple[Server, str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job[0].refuses = True
    assert run(tmp_path, "comment", "--request", "12") == 1
    error = capsys.readouterr().err
    assert "403" in error and "rights" in error
    assert "of-the-job" not in error and "own\n" not in error


def test_a_file_that_is_no_report_is_not_posted(
    job: tuple[Server, str, str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "comment", "--request", "12", text="hello\n") == 1
    assert "no mark of a report" in capsys.readouterr().err
    assert job[0].entries == {}


def test_without_a_forge_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("GITHUB_REPOSITORY", "CI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)
    assert run(tmp_path, "comment", "--request", "12") == 1
    assert "no job of GitHub or GitLab" in capsys.readouterr().err
