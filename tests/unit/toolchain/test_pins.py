"""One table of versions, and everything that repeats one agrees with it."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from infra import versions
from toolchain import catalog, project
from toolchain.sources.base import Program
from toolchain.sources.gobuild import MODULES, GoBuild, GoModule
from toolchain.sources.gotoolchain import required

ROOT = project.ROOT
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-clouds.lock")
BUILDS = [
    (program, module)
    for program in catalog.ALL
    for source in program.sources
    if isinstance(source, GoBuild)
    for module in source.modules
]
# Modules whose version is not the program's.
OWN_VERSION = {
    "cert-manager": versions.CERT_MANAGER,
    "coredns": versions.COREDNS,
    "external-secrets": versions.EXTERNAL_SECRETS,
    "keda": versions.KEDA,
    "kubernetes": versions.KUBERNETES,
    "prometheus": versions.PROMETHEUS_MODULE,
    "pulumi-language-python": versions.PULUMI_LANGUAGE_PYTHON,
}
# Modules whose main packages are the project's own.
OWN_MAIN = {
    "cert-manager": "github.com/cert-manager/cert-manager",
    "coredns": "github.com/coredns/coredns",
    "kubernetes": "k8s.io/kubernetes",
}
# The project's own source.
UNPUBLISHED = {"pause"}


def requirements() -> dict[str, str]:
    raw = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*raw["dependencies"], *(x for g in raw["optional-dependencies"].values() for x in g)]
    return dict(line.split("==") for line in lines)


def test_every_python_package_is_pinned_exactly_and_locked_at_that_version() -> None:
    lock = "".join(map(Path.read_text, LOCKS))
    for name, version in requirements().items():
        # The lock names a package without the extras that are asked for.
        plain = name.partition("[")[0].lower()
        assert f"\n{plain}=={version} " in lock.lower(), f"run `make lock`: {name}"


def test_no_lock_names_an_address() -> None:
    for lock in LOCKS:
        assert "://" not in lock.read_text(), lock.name


def test_the_python_sdks_are_of_the_pinned_engine_and_plugin() -> None:
    assert requirements()["pulumi"] == versions.PULUMI
    assert requirements()["pulumi-kubernetes"] == versions.PULUMI_KUBERNETES


@pytest.mark.parametrize(
    ("program", "module"), BUILDS, ids=lambda value: getattr(value, "folder", "")
)
def test_a_go_module_pins_the_version_of_the_table(program: Program, module: GoModule) -> None:
    if module.folder in UNPUBLISHED:
        return
    go_mod = (MODULES / module.folder / "go.mod").read_text()
    required_versions = dict(re.findall(r"^\s*(?:require )?(\S+/\S+) (v\S+)", go_mod, re.MULTILINE))
    data = [item.module for item in module.files] + [item.module for item in module.folders]
    package = OWN_MAIN.get(module.folder, [*module.packages, *data][0].split("@")[0])
    owners = [name for name in required_versions if f"{package}/".startswith(f"{name}/")]
    version = OWN_VERSION.get(module.folder, program.version)
    assert required_versions[max(owners, key=len)] == f"v{version}"


@pytest.mark.parametrize("module", sorted({module.folder for _, module in BUILDS}))
def test_the_pinned_go_toolchain_is_new_enough(module: str) -> None:
    pinned = tuple(int(part) for part in versions.GO.split("."))
    assert required((MODULES / module / "go.mod").read_text()) <= pinned


def test_the_toolchain_knows_the_projects_name() -> None:
    assert yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["name"] == project.NAME


@pytest.mark.parametrize("script", ["toolchain/bootstrap.sh", "toolchain/lock.sh", ".ci/run"])
def test_shell_scripts_parse_and_can_be_started(script: str) -> None:
    path = Path(ROOT / script)
    subprocess.run(["bash", "-n", path], check=True)
    assert path.stat().st_mode & 0o111
