"""Who may import whom, as docs/architecture.md tells it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What the modules below a folder (or one module) may not import.
FORBIDDEN = {
    "infra/platform": ("infra.clusters", "apps"),
    "apps": ("infra.clusters", "infra.platform", "toolchain"),
    "infra/settings": ("infra.clusters", "infra.platform", "infra.machine", "toolchain"),
    "infra/contract.py": ("infra.clusters", "infra.platform", "infra.settings", "apps"),
    "infra/clusters": ("infra.platform", "apps"),
    "toolchain": ("infra.clusters", "infra.platform", "infra.machine", "apps"),
    "apps/serving/server": ("infra", "pulumi", "toolchain"),
    # It runs in an environment of its own.
    "policy": ("infra", "apps", "toolchain"),
}
# Only `infra/clusters` knows a cloud.
CLOUD_SDKS = ("pulumi_aws", "pulumi_azure_native", "pulumi_eks", "pulumi_gcp", "boto3")
# Modules that must stay free of Pulumi, because the toolchain and fast checks use them.
WITHOUT_PULUMI = (
    "infra/digests.py",
    "infra/naming.py",
    "infra/versions.py",
    "apps/serving/runtimes.py",
    "infra/settings/artifacts.py",
    "infra/settings/charts.py",
    "infra/settings/cluster",
    "infra/settings/errors.py",
    "infra/settings/models.py",
    "infra/settings/plain.py",
    "infra/settings/platform.py",
    "infra/settings/stack_file.py",
    "infra/settings/types.py",
)


def _modules(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # `from infra import machine` imports the module `infra.machine`.
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _reaches(name: str, target: str) -> bool:
    return name == target or name.startswith(f"{target}.")


@pytest.mark.parametrize("place", FORBIDDEN)
def test_a_layer_does_not_import_what_it_must_not_know(place: str) -> None:
    assert _modules(place), f"{place} is gone: correct the rule"
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _modules(place)
        for name in _imports(path)
        for target in FORBIDDEN[place]
        if _reaches(name, target)
    ]
    assert wrong == []


def test_only_clusters_import_a_cloud_sdk() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for place in ("infra", "apps")
        for path in _modules(place)
        if "clusters" not in path.parts
        for name in _imports(path)
        if name.split(".")[0] in CLOUD_SDKS
    ]
    assert wrong == []


@pytest.mark.parametrize("place", WITHOUT_PULUMI)
def test_what_the_toolchain_reads_does_not_import_pulumi(place: str) -> None:
    imported = {name for path in _modules(place) for name in _imports(path)}
    assert not any(name.split(".")[0].startswith("pulumi") for name in imported)


def test_only_settings_read_pulumis_configuration() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for place in ("infra", "apps", "__main__.py")
        for path in _modules(place)
        for name in _imports(path)
        if name in ("pulumi.Config", "pulumi.runtime.config")
    }
    assert readers == {"infra/settings/__init__.py"}


def test_the_program_has_no_branch() -> None:
    tree = ast.parse((ROOT / "__main__.py").read_text())
    branches = (ast.If, ast.IfExp, ast.For, ast.While, ast.Match, ast.Try, ast.BoolOp)
    assert [node for node in ast.walk(tree) if isinstance(node, branches)] == []
