"""From a kubeconfig to the official client, with its credentials in memory."""

import ssl
import threading
from typing import Final

import urllib3
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import _cleanup_temp_files, new_client_from_config_dict

from toolchain.kubernetes_plugin.kubeconfig import Kubeconfig, KubeconfigError

_CONNECTIONS: Final = 64
"""Connections kept open; the engine runs about this many operations at once on a big machine."""

_USER_AGENT: Final = "slipway-kubernetes-plugin"

# What the pool would read from files for every new connection.
_FILE_SETTINGS: Final = ("cert_reqs", "ca_certs", "ca_cert_data", "cert_file", "key_file")

_lock = threading.Lock()


def client_of(config: Kubeconfig) -> ApiClient:
    """Return a client for the current context of a kubeconfig.

    The official client writes certificates and keys that a kubeconfig holds inline to temporary
    files, which a killed process would leave behind. They are read once, and removed.

    Raises:
        KubeconfigError: The kubeconfig cannot be used.
    """
    settings = type.__call__(Configuration)
    settings.connection_pool_maxsize = _CONNECTIONS
    with _lock:
        try:
            client: ApiClient = new_client_from_config_dict(  # type: ignore[no-untyped-call]
                config, persist_config=False, client_configuration=settings
            )
            _keep_in_memory(client)
        except ConfigException as error:
            raise KubeconfigError(f"kubeconfig cannot be used: {error}") from error
        except (OSError, ValueError) as error:
            raise KubeconfigError(
                f"kubeconfig has certificates that cannot be used: {error}"
            ) from error
        finally:
            _cleanup_temp_files()  # type: ignore[no-untyped-call]
    client.user_agent = _USER_AGENT
    return client


def _keep_in_memory(client: ApiClient) -> None:
    settings = client.configuration
    context = urllib3.util.create_urllib3_context()
    if settings.verify_ssl:
        context.verify_mode = ssl.CERT_REQUIRED
        if settings.ssl_ca_cert or settings.ca_cert_data:
            context.load_verify_locations(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
        else:
            context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    pool = client.rest_client.pool_manager.connection_pool_kw
    for name in _FILE_SETTINGS:
        pool.pop(name, None)
    pool["ssl_context"] = context
