"""The errors of the local cluster."""

from toolchain.errors import SlipwayError


class LocalClusterError(SlipwayError):
    """A local cluster cannot be created, started, used or removed; one line for a person."""


class PreflightError(LocalClusterError):
    """What a cluster needs is missing; one line per problem, every problem at once.

    Attributes:
        problems: The lines.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
