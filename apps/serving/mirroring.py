"""How copies of a model's requests reach its mirror, as the gateway can send them.

The answers of the copies are dropped, and a copy is sent once the client has its answer: a mirror
that is slow, down or failing changes nothing for clients.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from infra.naming import GRPC_PORT, SERVING_PORT
from infra.settings.traffic import MIRROR

TRAEFIK_API: Final = "traefik.io/v1alpha1"
"""API version of Traefik's own kinds."""

_TRAEFIK: Final = "traefik.io"
# Traefik takes room for so much at every request, and copies none that has more. It is what the
# gateway keeps of a request for a second attempt, too.
_BODY_BYTES: Final = 64 * 1024
# Copies that each of the gateway's pods has on their way to one mirror; it drops more. Without a
# bound, those to a mirror that does not answer would fill its memory.
_IN_FLIGHT: Final = {
    "amount": 100,
    # By what clients send they could pass it. Traefik sets this header itself, to its pod's name.
    "sourceCriterion": {"requestHeaderName": "X-Forwarded-Server"},
}


@dataclass(frozen=True)
class Mirror:
    """A version of a model that gets copies of its requests.

    Attributes:
        model: Name of the model, and of the Service of the version that answers.
        percent: Percent of the requests that are copied.
        port: Port of both versions' Services.
        grpc_port: The same for gRPC; `None` where one of them does not speak it.
    """

    model: str
    percent: int
    port: int
    grpc_port: int | None

    @property
    def name(self) -> str:
        """Name of the mirror's Service, and of what Traefik is told of it."""
        return f"{self.model}-{MIRROR}"

    def route(
        self, spec: dict[str, Any], kind: Literal["RequestMirror", "TraefikService"]
    ) -> dict[str, Any]:
        """Return the spec of an HTTPRoute whose requests are copied; without a share, as it was.

        Args:
            spec: The spec of the HTTPRoute that leads to the model's Service.
            kind: As `MirroringReference` has it.
        """
        if not self.percent:
            return spec
        copied = self._by_traefik if kind == "TraefikService" else self._by_filter
        return {
            **spec,
            "rules": [
                copied(rule) if rule["backendRefs"][0]["port"] in self._ports else rule
                for rule in spec["rules"]
            ],
        }

    def traefik_objects(self) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield the kinds, names and specs of what Traefik copies requests by."""
        yield "Middleware", self.name, {"inFlightReq": _IN_FLIGHT}
        for port, name in self._ports.items():
            # Of HTTP/2 without TLS, which gRPC is, Traefik has to be told.
            at = {"port": port, "scheme": "h2c" if name == GRPC_PORT else "http"}
            copy = {"name": self.name, "middlewares": [{"name": self.name}], **at}
            mirrors = [{**copy, "percent": self.percent}]
            mirroring = {"name": self.model, **at, "maxBodySize": _BODY_BYTES, "mirrors": mirrors}
            yield "TraefikService", self._service(port), {"mirroring": mirroring}

    @property
    def _ports(self) -> Mapping[int, str]:
        grpc = {} if self.grpc_port is None else {self.grpc_port: GRPC_PORT}
        return {self.port: SERVING_PORT, **grpc}

    def _service(self, port: int) -> str:
        return f"{self.name}-{self._ports[port]}"

    def _by_traefik(self, rule: dict[str, Any]) -> dict[str, Any]:
        service = self._service(rule["backendRefs"][0]["port"])
        return {
            **rule,
            "backendRefs": [{"group": _TRAEFIK, "kind": "TraefikService", "name": service}],
        }

    def _by_filter(self, rule: dict[str, Any]) -> dict[str, Any]:
        backend = {"name": self.name, "port": rule["backendRefs"][0]["port"]}
        copy = {
            "type": "RequestMirror",
            "requestMirror": {"backendRef": backend, "percent": self.percent},
        }
        return {**rule, "filters": [*rule.get("filters", []), copy]}
