"""The make targets' errors are lines for a person, never a traceback."""

import fcntl
import multiprocessing
import re
from pathlib import Path

import pytest

from toolchain import cache, cli, download, host, installation, plugins, programs, project
from toolchain.engine import Engine
from toolchain.errors import SlipwayError, ToolchainError
from toolchain.sources import debian
from toolchain.stack import Stack
from toolchain.timings import Timings


def test_an_unknown_stack_names_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "--stack", "prod"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: STACK=prod: there is no Pulumi.prod.yaml")
    assert "local" in error


def test_every_target_that_runs_the_command_line_is_one_of_its_commands() -> None:
    makefile = (project.ROOT / "Makefile").read_text()
    rules = re.findall(r"^([a-z -]+):.*\n\t@\$\(TOOLCHAIN\) \$@", makefile, re.MULTILINE)
    targets = {target for rule in rules for target in rule.split()}
    assert {"up", "state", "restore", "unlock"} <= targets
    assert targets <= set(cli.COMMANDS)


@pytest.mark.parametrize("name", ["../x", "a b", "", "x/y"])
def test_a_stack_name_is_no_path(name: str) -> None:
    with pytest.raises(SlipwayError, match="letters, digits"):
        project.stack_file(name)


def test_every_error_of_a_stack_file_comes_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "Pulumi.local.yaml").write_text(
        "config:\n  slipway:cluster: {kind: local, gatewayProt: 1}\n  slipway:taems: {}\n"
    )
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(programs, "ensure", lambda *arguments: pytest.fail("something was built"))
    assert cli.main(["up"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("error: ") for line in lines)
    assert any("gatewayProt" in line for line in lines)
    assert any("taems" in line for line in lines)


def test_without_root_up_says_so_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("toolchain.local_cluster.read", lambda name: None)
    monkeypatch.setattr(programs, "ensure", lambda *arguments: pytest.fail("something was built"))
    assert cli.main(["up"]) == 1
    assert "root" in capsys.readouterr().err


def test_an_interruption_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: Stack, arguments: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Stack, "up", interrupt)
    assert cli.main(["up"]) == 130
    assert capsys.readouterr().err == ("stopped: run `make up` again and it continues from here\n")


def test_words_that_no_command_knows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ensure", "--quickly"]) == 2
    assert "--quickly" in capsys.readouterr().err


def test_an_unknown_program_is_one_error() -> None:
    with pytest.raises(ToolchainError, match="no program is called 'kubctl'"):
        programs.path("kubctl")


def test_a_relative_cache_folder_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", "cache")
    with pytest.raises(ToolchainError, match="SLIPWAY_CACHE is 'cache': it must be an absolute"):
        cache.root()


def test_a_cache_folder_that_cannot_be_written_is_one_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", "/proc/slipway")
    with pytest.raises(ToolchainError, match=r"cannot create /proc/slipway.*SLIPWAY_CACHE"):
        cache.folder()


def test_packages_that_only_root_can_install_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "missing", lambda packages: list(packages))
    monkeypatch.setattr(host, "is_root", lambda: False)
    with pytest.raises(ToolchainError, match="sudo apt-get install s6 socat"):
        debian.install(["s6", "socat"], lambda line: None)


def _hold(name: str, held: "multiprocessing.synchronize.Event", done: object) -> None:
    with cache.lock(name):
        held.set()
        done.wait()  # type: ignore[attr-defined]


def test_a_second_run_waits_for_the_first_and_says_so(lines: list[str]) -> None:
    context = multiprocessing.get_context("fork")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=("tool", held, done))
    other.start()
    held.wait()

    def report(line: str) -> None:
        lines.append(line)
        done.set()

    with cache.lock("tool", report):
        assert lines == ["waiting for another run that works on tool"]
    other.join()


def test_the_lock_of_a_killed_run_is_free() -> None:
    context = multiprocessing.get_context("fork")
    held = context.Event()
    other = context.Process(target=_hold, args=("tool", held, context.Event()))
    other.start()
    held.wait()
    other.kill()
    other.join()
    with (cache.folder("locks") / "tool.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_what_an_interrupted_installation_left_is_removed() -> None:
    left = cache.folder("staging") / "tool-1.abc"
    (left / "half").mkdir(parents=True)
    with cache.staging("tool-1"):
        assert not left.exists()


def test_programs_that_are_there_take_no_time_and_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "installed", lambda program: object())
    monkeypatch.setattr(cache, "lock", lambda *arguments: pytest.fail("waited for a lock"))
    programs.ensure(programs.names())


def test_the_phases_are_reported_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_TIMINGS", str(tmp_path / "timings.json"))
    timings = Timings()
    for name in ("programs", "pulumi"):
        with timings.phase(name):
            pass
    assert timings.line() == "programs 0.0 s | pulumi 0.0 s | total 0.0 s"
    timings.write()
    assert (tmp_path / "timings.json").read_text() == '{\n "programs": 0.0,\n "pulumi": 0.0\n}\n'


def test_a_secret_under_the_public_passphrase_is_told_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said_by_up() -> str:
        assert cli.main(["up"]) == 1
        return capsys.readouterr().err

    def stop(*arguments: object) -> None:
        raise ToolchainError("far enough")

    (tmp_path / "Pulumi.local.yaml").write_text(
        "config:\n  slipway:cluster: {kind: local}\n  slipway:token: {secure: v1:AA:BB}\n"
        "  slipway:teams: {vision: {secrets: {labels: {TOKEN: {config: token}}}}}\n"
    )
    monkeypatch.setattr(project, "ROOT", tmp_path)
    monkeypatch.setattr(programs, "ensure", stop)
    monkeypatch.setattr(Stack, "_check_machine", lambda self, settings: None)
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE", raising=False)
    assert "public passphrase" in said_by_up()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "our own")
    assert "public passphrase" not in said_by_up()


def _engine(folder: Path, said: str, backend: str) -> Engine:
    """Return an engine that refuses everything with one line."""
    pulumi = folder / "pulumi"
    pulumi.write_text(f'#!/bin/sh\necho "error: {said}" >&2\nexit 255\n')
    pulumi.chmod(0o755)
    return Engine(pulumi, "prod", {"PULUMI_BACKEND_URL": backend}, lambda line: None)


def test_a_backend_that_cannot_be_read_is_not_taken_for_one_without_the_stack(
    tmp_path: Path,
) -> None:
    backend = "s3://states"
    assert not _engine(tmp_path, "no stack named 'prod' found", backend).exists()
    with pytest.raises(SlipwayError, match="stack export failed: access denied"):
        _engine(tmp_path, "access denied", backend).exists()


def test_a_folder_of_states_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"cannot create /proc/states.*PULUMI_BACKEND_URL"):
        _engine(tmp_path, "", "file:///proc/states").select()


def test_doctor_does_not_need_a_cache_that_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_CACHE", "/dev/null")
    download.Unreachable().forget()


def test_pulumi_in_the_shell_of_a_stack_works_on_that_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi = tmp_path / "pulumi"
    pulumi.write_text("#!/bin/sh\n")
    pulumi.chmod(0o755)
    monkeypatch.setattr(programs, "ensure", lambda *arguments: None)
    monkeypatch.setattr(programs, "path", lambda name: pulumi)
    monkeypatch.setattr(plugins, "ensure_kubernetes", lambda report: False)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    assert Stack("local", lambda line: None).environment()["PULUMI_STACK"] == "local"
