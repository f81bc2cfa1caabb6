"""Fills the tables of docs/benchmarks.md, each between a line that begins it and one that ends it.

What stands outside of these lines is written by hand and stays.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from bench.report import aims, cluster, serving
from bench.report.tables import when

_BLOCKS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "server": serving.server,
    "peers": serving.peers,
    "growth": cluster.growth,
    "objects": cluster.objects,
    "stack": cluster.stack,
}
"""By section, from what is kept of it to its tables."""

_BLOCK = re.compile(r"<!-- begin: (?P<name>[\w-]+) -->\n.*?<!-- end: (?P=name) -->", re.DOTALL)


def filled(page: str, results: Mapping[str, Any], file: str) -> str:
    """Return the page with the tables of these results.

    A block of a section that was not measured says so.

    Args:
        page: The page, with its blocks.
        results: What `bench.results` keeps.
        file: Name of the file that keeps it.
    """

    def fill(block: re.Match[str]) -> str:
        name = block["name"]
        return f"<!-- begin: {name} -->\n{_text(name, results, file)}\n<!-- end: {name} -->"

    return _BLOCK.sub(fill, page)


def _text(name: str, results: Mapping[str, Any], file: str) -> str:
    sections = results["sections"]
    if name == "machine":
        return _machine(results["machine"], file)
    if name == "aims":
        return aims.table_of(sections)
    if name not in sections:
        return f'Not measured on this machine: `make bench ARGS="--only {name}"`.'
    section = sections[name]
    tables = _BLOCKS[name](section)
    return f"{when(section)}\n\n{tables}" if "date" in section else tables


def _machine(machine: Mapping[str, Any], file: str) -> str:
    return (
        f"`bench/results/{file}`: {machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gib']} GiB, {machine['system']}, kernel {machine['kernel']},"
        f" Python {machine['python']}."
    )
