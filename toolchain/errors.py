"""The errors that the toolchain shows to a person."""


class SlipwayError(Exception):
    """One line for a person: it names the key, program or folder, and the way out.

    The command line prints it as `error: ...` and ends with exit code 1.
    """


class ToolchainError(SlipwayError):
    """A program cannot be had on this machine."""


class ChecksumError(ToolchainError):
    """A file is not the one that its publisher released: everything stops."""


class DiskSpaceError(ToolchainError):
    """A folder has less room than the next step needs."""


class SourceUnavailableError(ToolchainError):
    """One source cannot give a program here; the next source is tried.

    The message is the reason, short enough to follow `not from ...: `.
    """
