"""How long a version of Kubernetes has support."""

import re
from collections.abc import Mapping
from datetime import date

from toolchain.doctor.finding import Finding

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def version(name: str, ends: Mapping[str, str], today: date, way_out: str) -> Finding:
    """Return the line for a stack's version.

    Args:
        name: The version.
        ends: Its last days by the kind of support, first the usual one; as `2027-03-27`, or less
            exactly.
        today: Of which day.
        way_out: What to do when the support has ended.
    """
    told = ", ".join(f"{kind} until {end}" for kind, end in ends.items())
    past = [kind for kind, end in ends.items() if _DAY.fullmatch(end) and end < today.isoformat()]
    if past:
        return Finding(
            "note", f"Kubernetes {name}: {told}; {' and '.join(past)} is over: {way_out}"
        )
    return Finding("ok", f"Kubernetes {name}: {told}")
