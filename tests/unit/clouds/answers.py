"""What the clouds' providers answer the mocked program: each kind's in a file of its own."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.unit.clouds import aks_answers, eks_answers, gke_answers

# Outputs of a resource that are not its inputs, by its type; from its logical name and inputs.
RESOURCES: Final[Mapping[str, Callable[[str, Mapping[str, Any]], dict[str, Any]]]] = {
    **aks_answers.RESOURCES,
    **eks_answers.RESOURCES,
    **gke_answers.RESOURCES,
}

# Results of functions that a preview can call, by their token.
CALLS: Final[Mapping[str, dict[str, Any]]] = {
    **aks_answers.CALLS,
}
