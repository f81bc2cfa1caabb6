"""The check trusts the stack's own authority alone, and only under the name of the URL."""

import subprocess
from pathlib import Path

import pytest

from apps.serving import check
from apps.serving.client import Gateway, curl_options, paste_line
from tests.unit.check.test_serving_check import VERSION, correct, holdout, serving
from tests.unit.check.tls import Authority

PATH = "/vision/digits/v2/models/digits"


def test_predictions_over_https_are_checked_with_the_stacks_authority(tmp_path: Path) -> None:
    authority = Authority()
    with serving(correct, context=authority.server_context(tmp_path, "127.0.0.1")) as server:
        gateway = Gateway(server.endpoint, authority.pem)
        result = check.check_model("digits", server.url, VERSION, holdout(), gateway=gateway)
    assert result.rows == 4
    assert len(server.connections) == 1


@pytest.mark.parametrize("wrong", ["authority", "name"])
def test_whoever_cannot_show_that_it_is_the_gateway_is_refused(wrong: str, tmp_path: Path) -> None:
    authority = Authority()
    host = "other.example.com" if wrong == "name" else "127.0.0.1"
    trusted = Authority() if wrong == "authority" else authority
    with serving(correct, context=authority.server_context(tmp_path, host)) as server:
        gateway = Gateway(server.endpoint, trusted.pem)
        with pytest.raises(check.CheckError, match="CERTIFICATE_VERIFY_FAILED"):
            check.check_model("digits", server.url, VERSION, holdout(), gateway=gateway, wait=0)
    assert server.requests == []


def test_a_model_with_a_host_is_asked_for_at_the_gateway_under_its_name(tmp_path: Path) -> None:
    authority = Authority()
    with serving(correct, context=authority.server_context(tmp_path, "digits.test")) as server:
        url = f"https://digits.test:{server.server_port}{PATH}"
        gateway = Gateway(server.endpoint, authority.pem)
        result = check.check_model("digits", url, VERSION, holdout(), gateway=gateway)
    assert result.rows == 4
    assert server.hosts == {f"digits.test:{server.server_port}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "digits.test"])
def test_the_curl_line_of_an_encrypted_model_works_as_it_is(host: str, tmp_path: Path) -> None:
    authority = Authority()
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.pem)
    with serving(correct, context=authority.server_context(tmp_path, host)) as server:
        url = f"https://{host}:{server.server_port}{PATH}"
        gateway = Gateway(server.endpoint, authority.pem)
        line = paste_line(url, holdout(), curl_options(url, gateway, str(ca_file)))
        pasted = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert '"label"' in pasted.stdout


def test_a_public_authority_needs_no_option_of_curl() -> None:
    gateway = Gateway("https://models.example.com", None)
    assert curl_options(f"https://models.example.com{PATH}", gateway, None) == []
