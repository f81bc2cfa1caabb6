"""What Traefik is told: its command line, and the file of what no route can say."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from infra.settings import GatewaySettings

# A Gateway's listener finds Traefik's entry point by its port.
HTTP_PORT: Final = 8000
HTTPS_PORT: Final = 8443
HEALTH_PORT: Final = 8080

SERVICE: Final = "traefik"
FILE: Final = "gateway.yaml"
FOLDER: Final = "/etc/traefik"

# Our plug-in, by the name that Traefik's configuration has for it, and where Traefik looks for it.
_LIMITS: Final = "limits"
_MODULE: Final = f"slipway.dev/{_LIMITS}"
PLUGIN_FOLDER: Final = f"/plugins-local/src/{_MODULE}"

# A request that a pod took and did not answer is repeated once, and not more: a request that ends
# servers must not end them all. By then Traefik knows that the pod's other connections are closed.
_REPEAT: Final = "repeat"
_REPEAT_AFTER: Final = "10ms"
# One that no pod took is offered to the next. A pod that is gone stays on Traefik's list for up to
# 2 s, as long as an update of the list waits after the one before (`providersThrottleDuration`);
# with 50 to 100 ms between them, so many attempts take longer.
_OFFER: Final = "offer"
_OFFERS: Final = 40
_OFFER_AFTER: Final = "50ms"
# A pod of the cluster takes a connection at once, or is gone.
_DIAL_TIMEOUT: Final = "1s"
# Held in memory for a second attempt, and taken for every request; a row of 64 numbers takes half a
# KiB. Larger ones are repeated only where no pod took the connection.
_REPEATABLE: Final = 64 * 1024

_MIDDLEWARES: Final = (f"{_LIMITS}@file", f"{_REPEAT}@file", f"{_OFFER}@file")

# What is logged of a request. `RequestPath` is not: it has the query string; the router's name has
# the team and the model.
_LOGGED: Final = (
    "StartUTC",
    "Duration",
    "RouterName",
    "ClientHost",
    "RequestHost",
    "RequestMethod",
    "RequestProtocol",
    "RequestContentSize",
    "OriginDuration",
    "DownstreamStatus",
    "DownstreamContentSize",
    "TLSVersion",
)


def arguments(settings: GatewaySettings, namespace: str, teams: Sequence[str]) -> list[str]:
    """Return Traefik's command line.

    Args:
        settings: Settings of the gateway.
        namespace: Where Traefik and its Gateway are.
        teams: Namespaces whose routes it takes.
    """
    timeout = f"{settings.timeout_seconds}s"
    timeouts = "--entrypoints.websecure.transport.respondingtimeouts"
    return [
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
        "--log.format=json",
        f"--entrypoints.web.address=:{HTTP_PORT}",
        f"--entrypoints.websecure.address=:{HTTPS_PORT}",
        f"--experimental.localplugins.{_LIMITS}.modulename={_MODULE}",
        f"--entrypoints.websecure.http.middlewares={','.join(_MIDDLEWARES)}",
        f"{timeouts}.readtimeout={timeout}",
        # An answer may be a stream, whose end nobody knows.
        f"{timeouts}.writetimeout=0s",
        # What it has when it is to end; without any request it ends before.
        f"--entrypoints.websecure.transport.lifecycle.gracetimeout={timeout}",
        f"--serverstransport.forwardingtimeouts.dialtimeout={_DIAL_TIMEOUT}",
        f"--serverstransport.forwardingtimeouts.responseheadertimeout={timeout}",
        f"--entrypoints.traefik.address=:{HEALTH_PORT}",
        "--ping=true",
        f"--providers.file.filename={FOLDER}/{FILE}",
        "--providers.file.watch=false",
        "--providers.kubernetesgateway=true",
        f"--providers.kubernetesgateway.namespaces={','.join([namespace, *teams])}",
        f"--providers.kubernetesgateway.statusaddress.service.name={SERVICE}",
        f"--providers.kubernetesgateway.statusaddress.service.namespace={namespace}",
        *(_access_log() if settings.access_log else ()),
    ]


def own_kinds(teams: Sequence[str]) -> list[str]:
    """Return what is added to the command line where Traefik mirrors requests.

    Routes can then lead to its own kind `TraefikService`: it refuses the Gateway API's filter.

    Args:
        teams: Namespaces whose objects it takes.
    """
    return [
        "--providers.kubernetescrd=true",
        f"--providers.kubernetescrd.namespaces={','.join(teams)}",
        # Without it a mirror that has no pods takes the model along.
        "--providers.kubernetescrd.allowemptyservices=true",
        # Else it watches the cluster's nodes.
        "--providers.kubernetescrd.disableclusterscoperesources=true",
    ]


def _access_log() -> list[str]:
    return [
        "--accesslog=true",
        "--accesslog.format=json",
        "--accesslog.fields.defaultmode=drop",
        *(f"--accesslog.fields.names.{name}=keep" for name in _LOGGED),
        "--accesslog.fields.headers.defaultmode=drop",
    ]


def plugin() -> Mapping[str, str]:
    """Return the files of our plug-in by name."""
    folder = Path(__file__).parent / _LIMITS
    return {name: (folder / name).read_text() for name in (".traefik.yml", "limits.go")}


def file(settings: GatewaySettings, certificate_name: str) -> str:
    """Return the content of Traefik's file.

    Args:
        settings: Settings of the gateway.
        certificate_name: A name of the gateway's certificate. Clients that connect to an address
            name no host, and get the certificate that has this name; otherwise they would get one
            that Traefik makes up. Traefik looks it up among the certificates of the Gateway, and
            asks the resolver only for one that is not there: there is none of that name.
    """
    return yaml.safe_dump(
        {
            "http": {
                "middlewares": {
                    _LIMITS: {
                        "plugin": {_LIMITS: {"maxRequestBodyBytes": settings.max_body_bytes}}
                    },
                    _REPEAT: {
                        "retry": {
                            "attempts": 2,
                            "initialInterval": _REPEAT_AFTER,
                            # What Traefik answers when a pod ends amid a request. An inference may
                            # be asked for again, though it is a POST.
                            "status": ["502"],
                            "retryNonIdempotentMethod": True,
                            "disableRetryOnNetworkError": True,
                            "maxRequestBodyBytes": _REPEATABLE,
                        }
                    },
                    _OFFER: {"retry": {"attempts": _OFFERS, "initialInterval": _OFFER_AFTER}},
                }
            },
            "tls": {
                "stores": {
                    "default": {
                        "defaultGeneratedCert": {
                            "resolver": "none",
                            "domain": {"main": certificate_name},
                        }
                    }
                }
            },
        }
    )
