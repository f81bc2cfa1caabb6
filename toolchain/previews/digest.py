"""One digest of everything that a program registers: two clones with one digest make one thing.

It is taken from the engine's preview of a stack that has nothing yet, where everything is created.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

# What of a resource's state the program decides. The rest says when and from which line of which
# file it was registered, or is made up by the engine for this run.
_DECIDED: Final = (
    "urn",
    "custom",
    "inputs",
    "parent",
    "protect",
    "dependencies",
    "propertyDependencies",
    "additionalSecretOutputs",
    "aliases",
    "customTimeouts",
    "deletedWith",
    "ignoreChanges",
    "replaceOnChanges",
    "retainOnDelete",
)
# Lists whose order means nothing.
_SETS: Final = ("dependencies", "additionalSecretOutputs", "aliases")
_AUTONAMED: Final = "pulumi.com/autonamed"


def of(preview: Mapping[str, Any]) -> str:
    """Return the digest of a preview, as `sha256:` and 64 hex digits.

    Args:
        preview: What `pulumi preview --json` printed for a stack without resources.
    """
    return f"sha256:{hashlib.sha256(canonical(preview).encode()).hexdigest()}"


def canonical(preview: Mapping[str, Any]) -> str:
    """Return what is digested: JSON, a line for each resource, in the order of their URNs."""
    states = [step["newState"] for step in preview.get("steps") or [] if step.get("newState")]
    lines = sorted(json.dumps(_decided(state), sort_keys=True) for state in states)
    text = "\n".join(lines) + "\n"
    # A name that the plug-in made up differs at every run, in its object and in what refers to it.
    for name, urn in _made_up(states):
        text = text.replace(name, f"(made up for {urn})")
    return text


def _decided(state: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: state[key] for key in _DECIDED if state.get(key)}
    for key in _SETS:
        if key in found:
            found[key] = sorted(found[key], key=json.dumps)
    if "propertyDependencies" in found:
        found["propertyDependencies"] = {
            name: sorted(urns or ()) for name, urns in found["propertyDependencies"].items()
        }
    # After the URN comes an identity that the engine gives at random.
    return {**found, "provider": str(state.get("provider") or "").rpartition("::")[0]}


def _made_up(states: list[Any]) -> Iterator[tuple[str, str]]:
    for state in states:
        metadata = (state.get("inputs") or {}).get("metadata")
        if not isinstance(metadata, Mapping):
            continue
        annotations = metadata.get("annotations")
        if isinstance(annotations, Mapping) and annotations.get(_AUTONAMED) == "true":
            yield str(metadata["name"]), str(state["urn"])
