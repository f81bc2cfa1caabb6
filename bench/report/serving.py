"""Tables of the model server and its peers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from bench.figures import Figures, middle, spread
from bench.peers import MLSERVER
from bench.report.tables import LOAD_HEAD, load, table

_PROTOCOLS: Final = {"rest": "REST", "grpc": "gRPC"}
_SERVER_HEAD: Final = ("protocol", "clients", "CPU a request", *LOAD_HEAD)


def server(section: Mapping[str, Any]) -> str:
    """Return the tables of our server by itself."""
    return _tables([((name,), one) for name, one in section["figures"].items()], ("format",))


def peers(section: Mapping[str, Any]) -> str:
    """Return the tables of our server, its peers, and how they compare."""
    figures = section["figures"]
    servers = [
        ((model, name), one) for model, by_name in figures.items() for name, one in by_name.items()
    ]
    ratios = [
        (
            model,
            name,
            protocol,
            *(_against_mlserver(figures[model], name, key, clients) for clients in one[key]),
        )
        for (model, name), one in servers
        if name != MLSERVER
        for key, protocol in _PROTOCOLS.items()
    ]
    clients = next(iter(next(iter(figures.values())).values()))["rest"]
    head = ("model", "server", "protocol", *(f"{one} at once" for one in clients))
    return "\n\n".join(
        [
            f"Requests a second as a multiple of those of {MLSERVER}. In brackets, how many times"
            " less CPU a request takes: that changes less where the machine is busy.",
            table(head, ratios),
            _tables(servers, ("model", "server")),
        ]
    )


def _against_mlserver(by_server: Figures, server: str, protocol: str, clients: str) -> str:
    own, theirs = (by_server[name][protocol][clients]["cpu_ms"] for name in (server, MLSERVER))
    times = rate(by_server, server, protocol, clients)
    return f"{times:.1f} ({middle(theirs) / middle(own):.1f})"


def rate(by_server: Figures, server: str, protocol: str, clients: str) -> float:
    """Return a server's requests a second as a multiple of MLServer's, from the medians.

    Args:
        by_server: What the section `peers` has of a model.
        server: The server, `bench.peers.OURS` for instance.
        protocol: `rest` or `grpc`.
        clients: How many asked at once.
    """
    own, theirs = (
        middle(by_server[name][protocol][clients]["requests_per_second"])
        for name in (server, MLSERVER)
    )
    return own / theirs


def _tables(servers: Iterable[tuple[tuple[str, ...], Figures]], names: tuple[str, ...]) -> str:
    servers = list(servers)
    rows = [
        (*name, protocol, clients, spread(one[key][clients]["cpu_ms"], 2, "ms"), *cells)
        for name, one in servers
        for key, protocol in _PROTOCOLS.items()
        for clients, cells in ((clients, load(found)) for clients, found in one[key].items())
    ]
    starts = [
        (*name, spread(one["ready_s"], 1, "s"), spread(one["rss_mib"], 0, "MiB"))
        for name, one in servers
    ]
    return "\n\n".join(
        [
            table((*names, *_SERVER_HEAD), rows),
            "From the start of the process to its first prediction, and its memory after the load:",
            table((*names, "first prediction", "resident"), starts),
        ]
    )
