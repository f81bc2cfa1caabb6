"""What the gateway and its controller promise."""

from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi_kubernetes.core.v1 import outputs

from infra.naming import https_url
from infra.platform.gateway import address
from infra.platform.gateway.traefik_config import HTTP_PORT, HTTPS_PORT, arguments, file
from infra.settings import GatewaySettings
from tests.unit import mocked_program
from tests.unit.mocked_program import Program
from toolchain.local_cluster import Distribution

STACK = """
config:
  slipway:cluster: {{kind: local, httpPort: 18080, httpsPort: 18443}}
  slipway:platform: {{gateway: {gateway}}}
  slipway:teams: {{vision: {{}}, text: {{}}}}
  slipway:models:
    digits: {{team: vision, format: onnx, uri: file:build/digits.onnx}}
    topics: {{team: text, format: onnx, uri: file:build/topics.onnx, host: topics.example.com}}
"""
ROUTE = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute"
GATEWAY = "kubernetes:gateway.networking.k8s.io/v1:Gateway"
ACME = "{host: models.example.com, tls: {issuer: {acme: {email: ops@example.com}}}}"


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch, gateway: str = "{}") -> Program:
    return mocked_program.run_stack(STACK.format(gateway=gateway), folder, monkeypatch)


@pytest.fixture(name="program", scope="module")
def _program(tmp_path_factory: pytest.TempPathFactory) -> Program:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return _run(tmp_path_factory.mktemp("stack"), monkeypatch)


def _inputs(program: Program, type_: str, name: str) -> Any:
    (found,) = [resource for resource in program.of_type(type_) if resource.name == name]
    return found.inputs


def _listeners(program: Program) -> dict[str, Any]:
    (gateway,) = program.of_type(GATEWAY)
    return {listener["name"]: listener for listener in gateway.inputs["spec"]["listeners"]}


def test_a_pod_of_the_gateway_that_is_to_go_has_as_long_as_a_request_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{timeoutSeconds: 90}")
    deployment = _inputs(program, "kubernetes:apps/v1:Deployment", "traefik")
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    drain = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert "--entrypoints.websecure.transport.lifecycle.gracetimeout=90s" in container["args"]
    # It ends before it is killed.
    assert pod["terminationGracePeriodSeconds"] == drain + 90 + 5


def test_every_request_over_http_is_led_to_the_port_that_clients_reach(program: Program) -> None:
    spec = _inputs(program, ROUTE, "gateway-redirect")["spec"]
    assert spec["parentRefs"][0]["sectionName"] == "http"
    assert spec["rules"] == [
        {
            "filters": [
                {
                    "type": "RequestRedirect",
                    "requestRedirect": {"scheme": "https", "port": 18443, "statusCode": 301},
                }
            ]
        }
    ]


def test_the_redirection_holds_at_the_address_of_the_load_balancer_too(program: Program) -> None:
    ports = _inputs(program, "kubernetes:core/v1:Service", "traefik")["spec"]["ports"]
    assert {port["name"]: port["port"] for port in ports} == {"http": 80, "https": 18443}


def test_teams_attach_routes_over_https_alone(program: Program) -> None:
    plain, encrypted = _listeners(program)["http"], _listeners(program)["https"]
    assert plain["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert encrypted["allowedRoutes"]["namespaces"]["from"] == "Selector"
    assert (plain["port"], encrypted["port"]) == (HTTP_PORT, HTTPS_PORT)
    assert encrypted["tls"]["mode"] == "Terminate"


def test_the_listener_has_the_secret_of_the_certificate(program: Program) -> None:
    (reference,) = _listeners(program)["https"]["tls"]["certificateRefs"]
    certificate = _inputs(program, "kubernetes:cert-manager.io/v1:Certificate", "certificate")
    assert reference["name"] == certificate["spec"]["secretName"]
    assert reference.get("namespace") in (None, certificate["metadata"]["namespace"])


def test_a_model_with_a_host_answers_at_its_own_name(program: Program) -> None:
    assert program.outputs["models"]["topics"]["url"] == (
        "https://topics.example.com:18443/v2/models/topics"
    )
    spec = _inputs(program, ROUTE, "topics")["spec"]
    assert spec["hostnames"] == ["topics.example.com"]
    rule, *rest = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/v2/models"}}]
    assert not [one for one in (rule, *rest) if "filters" in one]


def test_a_local_gateway_answers_at_its_port_on_the_loopback_address(program: Program) -> None:
    assert program.outputs["endpoint"] == "https://127.0.0.1:18443"


def test_a_gateway_with_a_public_certificate_answers_at_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, ACME)
    assert program.outputs["endpoint"] == "https://models.example.com:18443"
    assert "ca" not in program.outputs


def test_traefik_reads_secrets_in_the_namespaces_of_the_gateway_and_the_teams_alone(
    program: Program,
) -> None:
    rbac = "kubernetes:rbac.authorization.k8s.io/v1"
    readers = {
        role.inputs["metadata"]["name"]
        for role in program.of_type(f"{rbac}:ClusterRole")
        for rule in role.inputs["rules"]
        if "secrets" in rule["resources"] and "traefik" in role.name
    }
    everywhere = {
        binding.inputs["roleRef"]["name"]
        for binding in program.of_type(f"{rbac}:ClusterRoleBinding")
    }
    namespaces = {
        binding.inputs["metadata"]["namespace"]
        for binding in program.of_type(f"{rbac}:RoleBinding")
        if binding.inputs["roleRef"]["name"] in readers
    }
    assert readers
    assert not readers & everywhere
    assert namespaces == {"slipway-system", "vision", "text"}
    (told,) = [
        argument.partition("=")[2].split(",")
        for argument in _inputs(program, "kubernetes:apps/v1:Deployment", "traefik")["spec"][
            "template"
        ]["spec"]["containers"][0]["args"]
        if ".namespaces=" in argument
    ]
    assert set(told) == namespaces


@pytest.mark.parametrize(("replicas", "budgets"), [(1, 0), (2, 1)])
def test_a_drain_takes_one_pod_of_several_at_a_time(
    replicas: int, budgets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, f"{{replicas: {replicas}}}")
    found = [
        budget
        for budget in program.of_type("kubernetes:policy/v1:PodDisruptionBudget")
        if budget.name == "traefik"
    ]
    assert len(found) == budgets
    assert all(budget.inputs["spec"]["maxUnavailable"] == 1 for budget in found)


def test_a_class_of_the_cluster_takes_the_place_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{class: cloud}")
    (gateway,) = program.of_type(GATEWAY)
    assert gateway.inputs["spec"]["gatewayClassName"] == "cloud"
    assert [one["port"] for one in gateway.inputs["spec"]["listeners"]] == [80, 443]
    assert not program.of_type("kubernetes:gateway.networking.k8s.io/v1:GatewayClass")
    assert not [resource for resource in program.resources if "traefik" in resource.name]
    assert program.outputs["endpoint"] == "https://203.0.113.7"
    certificate = _inputs(program, "kubernetes:cert-manager.io/v1:Certificate", "certificate")
    assert certificate["spec"]["ipAddresses"] == ["203.0.113.7"]


def test_a_gateway_of_the_clusters_class_answers_at_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{class: cloud, host: models.example.com}")
    assert program.outputs["endpoint"] == "https://models.example.com"


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("models.example.com", 443, "https://models.example.com"),
        ("127.0.0.1", 8443, "https://127.0.0.1:8443"),
        ("2001:db8::1", 443, "https://[2001:db8::1]"),
    ],
)
def test_a_url_has_the_port_where_it_is_not_the_standard_one(
    host: str, port: int, expected: str
) -> None:
    assert https_url(host, port) == expected


def _status(*ingress: outputs.LoadBalancerIngress) -> outputs.ServiceStatus:
    return outputs.ServiceStatus(load_balancer=outputs.LoadBalancerStatus(ingress=list(ingress)))


def test_a_load_balancer_answers_at_its_host_name_or_its_address() -> None:
    by_address = _status(outputs.LoadBalancerIngress(ip="192.0.2.1"))
    by_name = _status(outputs.LoadBalancerIngress(hostname="lb.example"))
    assert address.host_of(by_address, metallb=False) == "192.0.2.1"
    assert address.host_of(by_name, metallb=False) == "lb.example"


@pytest.mark.parametrize("status", [None, _status()])
def test_a_load_balancer_without_an_address_is_told(status: outputs.ServiceStatus | None) -> None:
    with pytest.raises(pulumi.RunError, match="kubectl describe service"):
        address.host_of(status, metallb=False)


@pytest.mark.parametrize(
    ("distribution", "words"),
    [
        ("k3s", ["address_pool", "load_balancer.service_type", "slipway:platform.gateway.class"]),
        ("upstream", ["MetalLB", "address_pool", "-n metallb-system"]),
    ],
)
def test_the_error_of_a_missing_address_names_the_service_the_trait_and_the_way_out(
    distribution: Distribution, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = mocked_program.LOCAL_STACK_FILE
    program = mocked_program.run(path, tmp_path, monkeypatch, distribution=distribution)
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    (hook,) = program.error_hooks
    assert not hook(_failed("Waiting for an address of the load balancer")), "nothing is retried"
    (line,) = said
    assert all(word in line for word in ["slipway-system/traefik", *words]), line
    assert "\n" not in line


def test_the_error_of_a_class_that_gives_no_address_names_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = _run(tmp_path, monkeypatch, "{class: cloud}")
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    (hook,) = program.error_hooks
    assert not hook(_failed("Waiting for jsonpath={.status.addresses[0].value}"))
    (line,) = said
    words = ["slipway-system/slipway", "`cloud`", "slipway:platform.gateway.class", "kubectl get"]
    assert all(word in line for word in words), line


def test_another_error_of_the_gateways_service_speaks_for_itself(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", said.append)
    (hook,) = program.error_hooks
    assert not hook(_failed("provided port is already allocated"))
    assert said == []


def _failed(error: str) -> pulumi.ErrorHookArgs:
    return pulumi.ErrorHookArgs("urn", "id", "traefik", "Service", errors=[error])


def _arguments(**settings: Any) -> list[str]:
    return arguments(GatewaySettings.model_validate(settings), "slipway-system", ["vision"])


def test_requests_are_logged_without_headers_and_query_strings() -> None:
    log = [argument for argument in _arguments() if argument.startswith("--accesslog")]
    assert "--accesslog.format=json" in log
    assert "--accesslog.fields.defaultmode=drop" in log
    assert "--accesslog.fields.headers.defaultmode=drop" in log
    kept = {argument.split(".")[-1] for argument in log if argument.endswith("=keep")}
    # The path has the query string, the user name is a credential.
    assert not {"RequestPath=keep", "RequestLine=keep", "ClientUsername=keep"} & kept
    assert {"RouterName=keep", "DownstreamStatus=keep", "Duration=keep"} <= kept


def test_no_request_is_logged_where_the_settings_say_so() -> None:
    assert not [text for text in _arguments(accessLog=False) if text.startswith("--accesslog")]


def test_the_gateway_limits_the_size_and_the_time_of_requests() -> None:
    settings = GatewaySettings.model_validate({"maxBody": "2Mi", "timeoutSeconds": 7})
    found = arguments(settings, "slipway-system", [])
    assert "--serverstransport.forwardingtimeouts.responseheadertimeout=7s" in found
    limits, *_ = _middlewares(found, settings)
    assert limits == {"plugin": {"limits": {"maxRequestBodyBytes": 2 * 2**20}}}


def test_nothing_holds_back_or_cuts_the_answers_of_models() -> None:
    settings = GatewaySettings()
    found = arguments(settings, "slipway-system", [])
    assert "--entrypoints.websecure.transport.respondingtimeouts.writetimeout=0s" in found
    assert not [one for one in _middlewares(found, settings) if "buffering" in one]


def test_a_request_that_a_pod_took_to_its_end_is_repeated_once() -> None:
    settings = GatewaySettings()
    _, middleware, _ = _middlewares(arguments(settings, "slipway-system", []), settings)
    repeat = middleware["retry"]
    assert repeat["retryNonIdempotentMethod"] is True
    # Not 503, with which a busy model sends requests away, nor 504, the answer to a slow model.
    assert repeat["status"] == ["502"]
    # More would let one request end all pods.
    assert repeat["attempts"] == 2


def test_a_request_that_no_pod_took_is_offered_on_until_the_dead_are_off_the_list() -> None:
    settings = GatewaySettings()
    *_, middleware = _middlewares(arguments(settings, "slipway-system", []), settings)
    offer = middleware["retry"]
    assert "status" not in offer
    assert offer["attempts"] * int(offer["initialInterval"].removesuffix("ms")) >= 2000


def _middlewares(found: list[str], settings: GatewaySettings) -> list[Any]:
    (names,) = [
        text.partition("=")[2]
        for text in found
        if text.startswith("--entrypoints.websecure.http.middlewares=")
    ]
    content = yaml.safe_load(file(settings, "localhost"))
    return [content["http"]["middlewares"][name.removesuffix("@file")] for name in names.split(",")]


def test_the_plug_in_is_where_traefik_looks_for_it(program: Program) -> None:
    pod = _inputs(program, "kubernetes:apps/v1:Deployment", "traefik")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    module = "slipway.dev/limits"
    assert f"--experimental.localplugins.limits.modulename={module}" in container["args"]
    mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
    assert mounts[f"/plugins-local/src/{module}"] == "configuration"
    (files,) = [
        resource.inputs["data"]
        for resource in program.of_type("kubernetes:core/v1:ConfigMap")
        if resource.name == "traefik-file"
    ]
    assert yaml.safe_load(files[".traefik.yml"])["import"] == module
    assert "package limits" in files["limits.go"]


def test_clients_that_name_no_host_get_the_gateways_certificate(program: Program) -> None:
    (configuration,) = [
        resource.inputs["data"]
        for resource in program.of_type("kubernetes:core/v1:ConfigMap")
        if resource.name == "traefik-file"
    ]
    content = yaml.safe_load(configuration["gateway.yaml"])
    name = content["tls"]["stores"]["default"]["defaultGeneratedCert"]["domain"]["main"]
    certificate = _inputs(program, "kubernetes:cert-manager.io/v1:Certificate", "certificate")
    assert name in certificate["spec"]["dnsNames"]
