"""Ports of the loopback address for what tests start."""

import socket


def free_port() -> int:
    """Return a loopback port that nothing listens on right now."""
    return free_ports()[0]


def free_ports() -> tuple[int, int]:
    """Return two different ones."""
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]
