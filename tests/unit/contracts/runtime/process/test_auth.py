"""An API that others can reach is not open by accident."""

from __future__ import annotations

import pytest

from contracts.runtime.process.settings import Auth, access_warning, auth_of
from contracts.settings.secret_files import InvalidSettings
from deploy.local.settings import LocalSettings
from gateway.settings import GatewaySettings

HERE = ("127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST", "agent.localhost")
REACHABLE = ("0.0.0.0", "::", "", "192.168.1.5", "fe80::1", "agents.example.org", "localhost.example.org")


@pytest.mark.parametrize("host", HERE)
def test_on_this_machine_no_key_is_needed_unless_it_is_asked_for(host: str) -> None:
    assert auth_of(None, host) is Auth.OFF
    assert auth_of(Auth.KEYS, host) is Auth.KEYS


@pytest.mark.parametrize("host", REACHABLE)
def test_an_address_that_others_reach_needs_a_decision(host: str) -> None:
    with pytest.raises(ValueError, match=r"AUTH=keys.*async-agent keys create"):
        auth_of(None, host)
    assert auth_of(Auth.KEYS, host) is Auth.KEYS
    assert auth_of(Auth.OFF, host) is Auth.OFF


@pytest.mark.parametrize("host", REACHABLE)
def test_an_open_address_that_others_reach_is_warned_of(host: str) -> None:
    assert f"HOST={host}: everybody" in str(access_warning(Auth.OFF, host))
    assert access_warning(Auth.KEYS, host) is None
    assert access_warning(Auth.OIDC, host) is None


@pytest.mark.parametrize("host", HERE)
def test_an_open_address_of_this_machine_is_not_warned_of(host: str) -> None:
    assert access_warning(Auth.OFF, host) is None


@pytest.mark.parametrize("kind", [GatewaySettings, LocalSettings])
def test_a_service_that_others_reach_does_not_start_without_a_decision(
    kind: type[GatewaySettings | LocalSettings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "0.0.0.0")
    monkeypatch.delenv("AUTH", raising=False)
    with pytest.raises(InvalidSettings, match="AUTH=keys"):
        kind(_env_file=None)
    monkeypatch.setenv("AUTH", "keys")
    assert kind(_env_file=None).host == "0.0.0.0"


def test_the_default_address_is_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOST", raising=False)
    assert GatewaySettings(_env_file=None).host == "127.0.0.1"
