"""The errors that reach a person or a client; each carries one line of text."""


class RequestError(Exception):
    """A request the server refuses.

    Args:
        message: What the client reads in `{"error": ...}`.
        status: HTTP status code.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ModelError(Exception):
    """A model file that cannot be served: missing, damaged, or not of the format that was named."""
