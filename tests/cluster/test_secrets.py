"""Secrets of a team on real pods: they arrive, they change, and nothing else shows them."""

import json
import re
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.naming import EXTERNAL_SECRETS_NAMESPACE
from tests.cluster import hardened
from tests.cluster.checkout import Checkout
from tests.cluster.local_node import until
from tests.cluster.secrets_manager import REGION, SecretsManager
from tests.planted import found
from tests.running import Run, run
from toolchain import cache
from toolchain.local_cluster import state

pytestmark = pytest.mark.cluster

TEAM, MODEL = "vision", "digits"
# One value is encrypted in the stack file, the other stays in a store.
ENCRYPTED, STORED = "LABEL_TOKEN", "ARCHIVE_TOKEN"
STORE, SECRET, PATH = "aws", "labels", "prod/labels"


def planted(name: str) -> str:
    """Return a value with what every kind of quoting changes, so that none would hide it."""
    return f'pl4nted-{name}-{uuid.uuid4().hex}-"/+é%'


VALUES = tuple(planted(f"config-{number}") for number in range(3))
STORED_VALUES = tuple(planted(f"store-{number}") for number in range(3))
KEY = planted("key")
# Not secret, and in the same places: what does not show this shows nothing.
MARKER = f"marker-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def store(
    checkout: Checkout, served: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SecretsManager]:
    """A store outside the cluster."""
    server = SecretsManager(checkout.cluster, tmp_path_factory.mktemp("store"))
    put(server, STORED_VALUES[0])
    yield server
    server.stop()


@pytest.fixture(scope="module")
def stack(checkout: Checkout, store: SecretsManager) -> Iterator[Checkout]:
    """The shared stack, with a secret of both kinds in its model."""
    file = checkout.folder / "Pulumi.local.yaml"
    before = file.read_text()
    encrypt(checkout, "labelToken", VALUES[0])
    encrypt(checkout, "storeKey", KEY)
    reader = {"accessKeyId": "tests", "credentials": {"config": "storeKey"}}
    aws = {"kind": "aws", "region": REGION, "endpoint": store.url, **reader}
    secret = {ENCRYPTED: {"config": "labelToken"}, STORED: source(PATH)}
    checkout.configure(
        {
            "platform": {"secrets": {"stores": {STORE: aws}, "refreshInterval": "5s"}},
            "teams": {TEAM: {"members": [MARKER], "secrets": {SECRET: secret}}},
            "models": {MODEL: {"secrets": [SECRET]}},
        }
    )
    checkout.slipway("up")
    yield checkout
    file.write_text(before)
    checkout.slipway("up")


def source(path: str) -> dict[str, str]:
    return {"store": STORE, "path": path, "property": "token"}


def put(store: SecretsManager, value: str) -> None:
    """Rotate the value in the store."""
    store.put(PATH, json.dumps({"token": value}))


def encrypt(checkout: Checkout, key: str, value: str) -> None:
    """Set a value as a person does."""
    checkout.pulumi("config", "set", "--secret", f"slipway:{key}", value)


def listed(checkout: Checkout, *arguments: str) -> list[dict[str, Any]]:
    """Return Kubernetes objects."""
    document = json.loads(checkout.kubectl("get", *arguments, "-o", "json").text)
    assert isinstance(document["items"], list)
    return document["items"]


def seen_by_pods(checkout: Checkout, variable: str) -> set[str]:
    """Return the values that the model's pods run with, those on their way out left aside."""
    selector = f"app.kubernetes.io/instance={MODEL}"
    names = [
        pod["metadata"]["name"]
        for pod in listed(checkout, "pods", "-n", TEAM, "-l", selector)
        if "deletionTimestamp" not in pod["metadata"]
    ]
    script = f"import os; print(os.environ['{variable}'])"
    return {
        checkout.kubectl("exec", "-n", TEAM, name, "--", "python3", "-c", script).text.strip()
        for name in names
    }


def kubernetes_secrets(checkout: Checkout, start: str) -> list[dict[str, Any]]:
    found = listed(checkout, "secrets", "-n", TEAM)
    return [item for item in found if item["metadata"]["name"].startswith(start)]


@contextmanager
def requests_that_may_not_fail(checkout: Checkout) -> Iterator[list[str]]:
    """Send requests through the gateway one after the other; what failed is in the list."""
    failed: list[str] = []
    ended = threading.Event()
    url = f"{checkout.endpoint}/{TEAM}/{MODEL}/v2/models/{MODEL}"
    context = checkout.gateway().context()

    def ask() -> None:
        while not ended.is_set():
            try:
                with urllib.request.urlopen(url, timeout=10, context=context) as answer:
                    answer.read()
            except OSError as error:
                failed.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield failed
    finally:
        ended.set()
        asking.join()


def test_a_models_pods_run_with_the_values_that_were_encrypted_and_stored(stack: Checkout) -> None:
    assert seen_by_pods(stack, ENCRYPTED) == {VALUES[0]}
    assert seen_by_pods(stack, STORED) == {STORED_VALUES[0]}
    assert stack.plan() == []


def test_a_changed_value_rolls_the_pods_without_a_failed_request_and_the_old_one_goes(
    stack: Checkout,
) -> None:
    (before,) = kubernetes_secrets(stack, f"{TEAM}.{SECRET}-")
    encrypt(stack, "labelToken", VALUES[1])
    with requests_that_may_not_fail(stack) as failed:
        stack.pulumi("up", "--yes", "--skip-preview")
    assert failed == []
    assert seen_by_pods(stack, ENCRYPTED) == {VALUES[1]}
    (after,) = kubernetes_secrets(stack, f"{TEAM}.{SECRET}-")
    assert after["metadata"]["name"] != before["metadata"]["name"]
    assert after["immutable"] is True
    assert stack.plan() == []


def test_a_value_that_rotates_in_its_store_rolls_the_pods_at_the_next_up_and_not_before(
    stack: Checkout, store: SecretsManager
) -> None:
    put(store, STORED_VALUES[1])
    until(stack.plan, "a preview that sees the rotation")
    changed = {step["urn"].rpartition("::")[2] for step in stack.plan()}
    assert changed == {f"{TEAM}.{SECRET}.{STORE}", MODEL}
    assert seen_by_pods(stack, STORED) == {STORED_VALUES[0]}
    with requests_that_may_not_fail(stack) as failed:
        stack.pulumi("up", "--yes", "--skip-preview")
    assert failed == []
    assert seen_by_pods(stack, STORED) == {STORED_VALUES[1]}
    assert stack.plan() == []

    def copies() -> list[dict[str, Any]]:
        return kubernetes_secrets(stack, f"{TEAM}.{SECRET}.{STORE}-")

    # Kubernetes itself deletes the copy after the ExternalSecret that made it.
    until(lambda: len(copies()) == 1, "the end of the old copy")
    assert copies()[0]["immutable"] is True


def test_external_secrets_has_no_more_rights_than_it_needs(stack: Checkout) -> None:
    pods = listed(stack, "pods", "-n", EXTERNAL_SECRETS_NAMESPACE)
    assert len(pods) == 1
    assert hardened.unexpected(pods) == []


@pytest.mark.parametrize("trouble", ["path", "key"])
def test_a_store_that_does_not_give_a_value_fails_up_with_its_name_and_the_secrets(
    stack: Checkout, store: SecretsManager, trouble: str
) -> None:
    file = stack.folder / "Pulumi.local.yaml"
    before = file.read_text()
    wrong = {"FURTHER_TOKEN": source("prod/nothing" if trouble == "path" else PATH)}
    stack.configure({"teams": {TEAM: {"secrets": {SECRET: wrong}}}})
    store.require_keys(trouble == "key")
    try:
        failed = stack.pulumi("up", "--yes", "--skip-preview", expect=None)
    finally:
        store.require_keys(False)
        file.write_text(before)
    assert failed.code != 0
    assert f"'{TEAM}.{SECRET}.{STORE}.digest-" in failed.text, failed.text
    reason = {"path": "(key: prod/nothing), err: Secret does not exist", "key": "StatusCode: 403"}
    assert reason[trouble] in failed.text, failed.text
    assert not [value for value in (*STORED_VALUES, KEY) if found(value, failed.text)]
    stack.pulumi("up", "--yes", "--skip-preview")
    assert stack.plan() == []


# The Secret, and the Deployment that names it.
_STEPS_OF_A_CHANGED_VALUE = 2


@dataclass
class Written:
    """What a run has written, by where it stands.

    Attributes:
        texts: Every text by its place.
        known: A word that stands there for certain; what does not show it was not looked at.
    """

    texts: dict[str, str] = field(default_factory=dict)
    known: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, text: str, known: str) -> None:
        self.texts[place] = text
        self.known[place] = known

    def add_folder(self, place: str, folder: Path, known: str) -> None:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                text = path.read_bytes().decode(errors="replace")
                self.add(f"{place} {path.relative_to(folder)}", text, "")
        everything = "\n".join(text for name, text in self.texts.items() if name.startswith(place))
        self.add(f"{place} as a whole", everything, known)


@pytest.fixture(scope="module")
def written(
    stack: Checkout, store: SecretsManager, tmp_path_factory: pytest.TempPathFactory
) -> Written:
    """What a whole run writes: previews, updates, one of them failing, a refresh, and the rest."""
    folder = tmp_path_factory.mktemp("written")
    result = Written()
    stack.pulumi("up", "--yes", "--skip-preview")
    encrypt(stack, "labelToken", VALUES[2])
    put(store, STORED_VALUES[2])
    until(lambda: len(stack.plan()) > _STEPS_OF_A_CHANGED_VALUE, "a preview that sees the rotation")
    _add_engine(stack, result, folder)
    _add_cluster(stack, result)
    result.add_folder("state", stack.folder / ".state", MARKER)
    result.add_folder("project logs", cache.root() / "logs", "go")
    result.add_folder("node logs", state.layout(stack.cluster).folder / "logs", "")
    result.add("stack file", (stack.folder / "Pulumi.local.yaml").read_text(), MARKER)
    return result


def _add_engine(stack: Checkout, result: Written, folder: Path) -> None:
    events = folder / "events.json"

    def pulumi(place: str, *arguments: str, known: str, expect: int | None = 0) -> None:
        # The engine counts its event log among its debugging commands.
        command = ["pulumi", "--non-interactive", *arguments, "--stack", "local"]
        variables = {**stack.shell, "PULUMI_DEBUG_COMMANDS": "true"}
        done = run(command, folder=stack.folder, variables=variables, expect=expect)
        result.add(place, done.text, known)

    pulumi("preview", "preview", "--diff", known="labels")
    pulumi("preview --json", "preview", "--json", known=MARKER)
    quota = ("quota", "no-secrets", "-n", TEAM)
    stack.kubectl("create", *quota, "--hard=count/secrets=0")
    try:
        arguments = ("up", "--yes", "--diff", "--event-log", str(events))
        pulumi("failing up", *arguments, known="exceeded quota", expect=None)
    finally:
        stack.kubectl("delete", *quota)
    result.add("events of the failing up", events.read_text(), MARKER)
    events.unlink()
    pulumi("up", "up", "--yes", "--diff", "--event-log", str(events), known="labels")
    result.add("events of the up", events.read_text(), MARKER)
    encrypt(stack, "labelToken", VALUES[1])
    pulumi("verbose up", "up", "--yes", "--logtostderr", "-v=9", known=MARKER)
    pulumi("refresh", "refresh", "--yes", "--diff", known=MODEL)
    pulumi("outputs", "stack", "output", "--json", known=MODEL)
    pulumi("export", "stack", "export", known=MARKER)
    result.add("make up", stack.slipway("up").text, MODEL)


def _add_cluster(stack: Checkout, result: Written) -> None:
    with pytest.raises(urllib.error.HTTPError):
        # The gateway's log has the host of a request, and not its path.
        url = f"{stack.endpoint}/{TEAM}/{MODEL}/nothing"
        request = urllib.request.Request(url, headers={"Host": f"{MARKER}.example"})
        urllib.request.urlopen(request, timeout=10, context=stack.gateway().context())
    result.add("events", stack.kubectl("get", "events", "-A", "-o", "json").text, MODEL)
    result.add("pods", stack.kubectl("describe", "pods", "-A").text, ENCRYPTED)
    kinds = "deployments,replicasets,services,configmaps,rolebindings,externalsecrets,secretstores"
    result.add("objects", stack.kubectl("get", kinds, "-A", "-o", "yaml").text, MARKER)
    logs = ""
    for pod in listed(stack, "pods", "-A"):
        place = (pod["metadata"]["name"], "-n", pod["metadata"]["namespace"])
        logs += stack.kubectl("logs", *place, "--all-containers").text
    result.add("logs of pods", logs, MARKER)


# The engine writes every property that it sends to a plug-in or gets from one into its verbose
# log, in the clear: docs/secrets.md says so. Whatever else stands there must not show a value.
_RPC_DUMP = re.compile(r"[Mm]arshaling property for RPC")


def test_no_planted_value_is_anywhere_in_what_a_whole_run_writes(written: Written) -> None:
    shown = {
        place: pieces
        for place, text in written.texts.items()
        for value in (*VALUES, *STORED_VALUES, KEY)
        if (pieces := found(value, _without_dumps(text) if place == "verbose up" else text))
    }
    assert shown == {}


def test_the_same_search_finds_what_was_written_on_purpose(written: Written) -> None:
    def seen(text: str, known: str) -> bool:
        return bool(found(known, text)) if known == MARKER else known in text

    texts = written.texts
    assert [place for place, known in written.known.items() if not seen(texts[place], known)] == []


def _without_dumps(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not _RPC_DUMP.search(line))
