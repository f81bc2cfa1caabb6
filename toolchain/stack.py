"""What `make up`, `make preview` and `make down` do with a stack."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from infra import settings as stack_settings
from infra.settings import (
    ClusterSettings,
    ExistingClusterSettings,
    LocalClusterSettings,
    Settings,
)
from toolchain import (
    backups,
    cache,
    env,
    local_cluster,
    parts,
    plugins,
    policy_pack,
    programs,
    project,
    recovery,
)
from toolchain.engine import Engine
from toolchain.errors import SlipwayError
from toolchain.local_cluster import Brings
from toolchain.local_cluster.distributions import steps_of
from toolchain.progress import Report, size
from toolchain.timings import Timings

MANAGED: Final = Brings(
    network_policies=True, metrics_server=True, load_balancer=True, storage_class=None
)
"""What the clusters of a cloud have; their classes of storage differ, and no program hangs on them.
"""


class Stack:
    """A stack with its settings file.

    Args:
        name: Name of the stack.
        report: Takes progress lines.

    Raises:
        SlipwayError: There is no such stack.
    """

    def __init__(self, name: str, report: Report) -> None:
        self.name = name
        self._report = report
        self._file = project.stack_file(name)
        self._timings = Timings()

    def up(self, arguments: Sequence[str]) -> None:
        """Bring the stack up and send its models' held-out data through the gateway."""
        with self._timings.phase("checks"):
            # Every error of the file at once, before anything is built.
            settings = self._read(check_files=False)
            self._check_machine(settings)
            self._check_passphrase(settings)
        with self._timings.phase("models"):
            self._build_examples(settings)
            self._read(check_files=True)
        with self._timings.phase("programs"):
            programs.ensure(needed(settings), self._report)
            engine = self._engine()
        with self._timings.phase("pulumi"):
            engine.select()
            self._back_up(engine)
            engine.up([*self._unattended(), *arguments], settings.approve)
        with self._timings.phase("predictions"):
            self._python("apps.serving.check", "--let-sleep", "--stack", self.name)
        self._report(self._timings.line())
        self._timings.write()

    def preview(self, arguments: Sequence[str]) -> None:
        """Show what `up` would change."""
        self._previewing()[1].preview(["--diff", *arguments])

    def policy(self, arguments: Sequence[str]) -> None:
        """Show what `up` would change, and fail where that breaks a rule of `policy/`.

        What is protected is no error here: the report of a preview judges that.
        """
        pack = policy_pack.ensure(self._report)
        _, engine = self._previewing()
        engine.preview(["--ignore-protect", "--policy-pack", str(pack), *arguments])

    def planned(self, arguments: Sequence[str]) -> tuple[Settings, dict[str, Any]]:
        """Return the settings, and the engine's digest of what `up` would change."""
        settings, engine = self._previewing()
        return settings, engine.planned(arguments)

    def digest(self) -> str:
        """Return the digest of everything that the program registers for this stack.

        It is that of a stack without resources, in a backend of its own: what is up does not count.

        Raises:
            SlipwayError: The program has failed.
        """
        from toolchain.previews import digest, model

        with TemporaryDirectory() as folder:
            _, engine = self._previewing({"PULUMI_BACKEND_URL": f"file://{folder}"})
            preview = engine.planned([])
        errors = model.parse(self.name, preview).errors
        if errors:
            raise SlipwayError("\n".join(problem.text for problem in errors))
        return digest.of(preview)

    def drifted(self, arguments: Sequence[str]) -> dict[str, Any]:
        """Return the engine's digest of what was changed outside of Pulumi.

        Raises:
            SlipwayError: There is no such stack in the backend, or the engine has failed.
        """
        engine = self._engine()
        if not engine.exists():
            # A typing error in the backend's URL must not look like a stack without drift.
            raise SlipwayError(f"the stack {self.name} is not in its backend: run `make up` first")
        return engine.drifted(arguments)

    def down(self, arguments: Sequence[str]) -> None:
        """Destroy the stack, and say what remains."""
        engine = self._engine()
        if not engine.exists():
            self._report(f"the stack {self.name} is not there: nothing to destroy")
            return
        with self._timings.phase("pulumi"):
            engine.destroy([*self._unattended(), *arguments])
        for line in self._remains():
            self._report(line)
        self._report(self._timings.line())
        self._timings.write()

    def state(self) -> list[str]:
        """Create the stack in its backend where it is new, and return what is known of its state.

        Raises:
            SlipwayError: The backend cannot be used.
        """
        engine = self._engine()
        engine.select()
        resources = engine.exported()["deployment"].get("resources") or []
        lines = [
            f"backend: {engine.backend or 'as chosen by `pulumi login`'}",
            f"resources: {len(resources)}",
        ]
        for lock in engine.locks():
            ended = ", which has ended: the next `make up` removes it" if lock.stale() else ""
            lines.append(f"locked by {lock.holder}{ended}")
        for path in self._backups().all():
            made, count = backups.read(path)
            lines.append(f"backup {path.stem}: {count} resources, {made:%Y-%m-%d %H:%M} UTC")
        return lines

    def restore(self, name: str | None) -> None:
        """Make a backup the stack's state, after a backup of what it is now.

        Args:
            name: Of the backup; the newest by default.

        Raises:
            SlipwayError: There is no such backup, or the stack is being changed.
        """
        path = self._backups().find(name)
        engine = self._engine()
        if engine.exists():
            self._back_up(engine)
        engine.restore(path)
        self._report(
            f"the state of {self.name} is that of {path.stem}; nothing else was touched: "
            "`make drift` says where what is there differs from it"
        )

    def unlock(self, *, force: bool) -> None:
        """Remove the locks of runs that have ended.

        Args:
            force: Also those of runs that may not have, and of backends that do not say.

        Raises:
            SlipwayError: A lock is, or may be, held.
        """
        engine = self._engine()
        if not force:
            if not engine.backend.startswith("file://"):
                raise SlipwayError(
                    "this backend does not tell whose locks there are: `pulumi up` names the "
                    "holder; when you know that it has ended, run `make unlock ARGS=--force`"
                )
            held = recovery.held_elsewhere(engine.locks())
            if held is not None:
                raise held
            if not engine.locks():
                self._report(f"nobody holds a lock of {self.name}")
                return
        for lock in engine.locks():
            self._report(f"removing the lock of {lock.holder}")
        engine.unlock()

    def _back_up(self, engine: Engine) -> None:
        path = self._backups().add(engine.exported())
        if path is not None:
            self._report(f"backup of the state: {path.name}")

    def _backups(self) -> backups.Backups:
        return backups.Backups(env.state_folder() / "backups", self.name)

    def environment(self) -> dict[str, str]:
        """Return the environment of a shell for this stack, with all its programs obtained.

        The stack exists then, so that `pulumi config set --secret` can come before the first `up`.
        """
        variables = self._engine_variables()
        self._engine(variables).select()
        # The engine keeps one selected stack for all shells, and another run may have changed it.
        return {**variables, "PULUMI_STACK": self.name}

    def _previewing(self, more: Mapping[str, str] | None = None) -> tuple[Settings, Engine]:
        """Return the settings and the engine, with what the program reads obtained.

        Args:
            more: Environment variables of the engine, before all others.
        """
        self._build_examples(self._read(check_files=False))
        settings = self._read(check_files=True)
        programs.ensure(parts.manifests(settings, brings(settings.cluster)), self._report)
        engine = self._engine({**self._engine_variables(), **(more or {})})
        engine.select()
        return settings, engine

    def _engine(self, variables: Mapping[str, str] | None = None) -> Engine:
        """Return the engine.

        Args:
            variables: Its environment where that is at hand.
        """
        variables = variables or self._engine_variables()
        return Engine(programs.path("pulumi"), self.name, variables, self._report)

    def _engine_variables(self) -> dict[str, str]:
        """Return the engine's environment, with the engine and its plug-in obtained."""
        programs.ensure(env.TOOLS, self._report)
        stand_in = plugins.ensure_kubernetes(self._report)
        return env.variables(self.name, os.environ, stand_in=stand_in)

    def _read(self, *, check_files: bool) -> Settings:
        try:
            return stack_settings.read_stack_file(self._file, check_files=check_files)
        except stack_settings.SettingsError as error:
            lines = [f"{self._file.name}: {line}" for line in error.errors]
            raise SlipwayError("\n".join(lines)) from error

    def _unattended(self) -> list[str]:
        """The local stack asks nothing; on any other one a person, or `ARGS=--yes`, decides."""
        return ["--yes", "--skip-preview"] if self.name == project.LOCAL_STACK else []

    def _check_machine(self, settings: Settings) -> None:
        """Find what would stop the local cluster before minutes go into building programs.

        The plug-in looks again, and more closely: at ports, at the owner of the name.
        """
        cluster = settings.cluster
        if not isinstance(cluster, LocalClusterSettings):
            return
        if local_cluster.read(cluster.name) is not None:
            return
        ports = tuple(local_cluster.PortForward(port, port) for port in cluster.ports)
        spec = local_cluster.ClusterSpec(cluster.name, "upstream", ports)
        problems = local_cluster.preflight(spec)
        if problems:
            raise SlipwayError("\n".join(problems))

    def _check_passphrase(self, settings: Settings) -> None:
        """Say that secrets of the local stack are none while its passphrase is the public one."""
        variables = env.variables(self.name, os.environ, stand_in=False)
        public = variables.get("PULUMI_CONFIG_PASSPHRASE") == env.DEVELOPMENT_PASSPHRASE
        if public and settings.secret_keys:
            self._report(
                "the secrets in this stack file are encrypted with a public passphrase: put no "
                "real ones there (docs/secrets.md)"
            )

    def _build_examples(self, settings: Settings) -> None:
        """Make the example models that the stack names, unless they are up to date.

        Each example has one script beside its `build` folder.
        """
        for script in sorted(
            {
                script
                for model in settings.models.values()
                for path in [project.ROOT / (model.path or "")]
                if (model.path or "").startswith("examples/") and path.parent.name == "build"
                for script in path.parent.parent.glob("[!_]*.py")
            }
        ):
            self._python(f"examples.{script.parent.name}.{script.stem}")

    def _python(self, module: str, *arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=project.ROOT,
            env=env.variables(self.name, os.environ, stand_in=False),
            check=False,
        )
        if done.returncode != 0:
            raise SlipwayError(f"python -m {module} failed: its lines above say why")

    def _remains(self) -> list[str]:
        lines = [
            f"programs and images stay in {cache.root()} ({size(_size_of(cache.root()))}): "
            "the next `make up` uses them; delete the folder to free the disk",
        ]
        if not self._default_backend():
            return lines
        lines.append(f"the stack's history stays in {env.state_folder()}")
        return lines

    def _default_backend(self) -> bool:
        variables = env.variables(self.name, os.environ, stand_in=False)
        return variables.get("PULUMI_BACKEND_URL") == f"file://{env.state_folder()}"


def needed(settings: Settings) -> list[str]:
    """Return the programs that a stack needs, those of its local cluster included."""
    cluster = settings.cluster
    brought = brings(cluster)
    node = (
        steps_of(_distribution(cluster)).programs
        if isinstance(cluster, LocalClusterSettings)
        else ()
    )
    every = [
        *env.TOOLS,
        *parts.manifests(settings, brought),
        *node,
        *parts.images(settings, brought),
    ]
    return list(dict.fromkeys(every))


def brings(cluster: ClusterSettings) -> Brings:
    """Return what a stack's cluster has beyond Kubernetes itself.

    Args:
        cluster: The cluster.
    """
    if isinstance(cluster, LocalClusterSettings):
        return local_cluster.brings(_distribution(cluster))
    if isinstance(cluster, ExistingClusterSettings):
        traits = cluster.traits
        return Brings(
            network_policies=traits.network_policies,
            metrics_server=traits.metrics_server,
            load_balancer=traits.load_balancer.address_pool is None,
            storage_class=traits.storage_class,
        )
    return MANAGED


def _distribution(cluster: LocalClusterSettings) -> local_cluster.Distribution:
    return local_cluster.distribution_of(cluster.name, cluster.distributions).distribution


def _size_of(folder: Path) -> int:
    """Return the bytes that the files of a folder take."""
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
