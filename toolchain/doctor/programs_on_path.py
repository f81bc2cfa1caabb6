"""Programs that a stack needs and the project does not obtain."""

import shutil

from toolchain.doctor.finding import Finding, Level


def on_path(name: str, purpose: str, way_out: str, absent: Level = "missing") -> Finding:
    """Return the line for a program.

    Args:
        name: Its file name.
        purpose: What it is needed for, in a sentence.
        way_out: How to get it.
        absent: How much it matters when it is not there.
    """
    found = shutil.which(name)
    if found is not None:
        return Finding("ok", f"{name}: {found}")
    return Finding(absent, f"{name} is not on PATH; {purpose}: {way_out}")
