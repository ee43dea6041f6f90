"""The limit of requests per minute, per key or address."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.http import rate_limit
from gateway.http.errors import FrameworkRefusal
from gateway.http.rate_limit import RateLimit
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from tests.services.conftest import StartGateway

AGENTS = "/api/v1/agents"


async def test_an_address_over_its_limit_is_refused_but_for_health(start_gateway: StartGateway) -> None:
    api = await start_gateway(rate_limit_max=2, rate_limit_exempt="")
    for left in ("1", "0"):
        headers = (await api.get(AGENTS)).headers
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("2", left)
        assert 0 < int(headers["x-ratelimit-reset"]) <= 60
    answer = await api.get("/nope")
    assert (answer.status, answer.json) == (
        429,
        {
            "statusCode": 429,
            "error": "Too Many Requests",
            "message": "Rate limit exceeded, retry in 1 minute",
        },
    )
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert 0 < int(answer.headers["retry-after"]) <= 60
    for path in ("/health", "/health/ready"):
        assert (await api.get(path)).status != 429


async def test_pages_count_also_at_an_address_without_a_page(start_gateway: StartGateway) -> None:
    api = await start_gateway(rate_limit_max=2, rate_limit_exempt="")
    browser = {"Accept": "text/html"}
    for path, status, left in (("/runs", 200, "1"), ("/nothing", 404, "0")):
        answer = await api.get(path, headers=browser)
        assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (status, left)
        assert answer.headers["content-type"].startswith("text/html")
    assert (await api.get("/nothing", headers=browser)).status == 429


async def test_there_is_no_rate_limit_by_default_and_none_for_loopback(start_gateway: StartGateway) -> None:
    assert GatewaySettings(_env_file=None).rate_limit_max == 0
    api = await start_gateway(rate_limit_max=1)
    for _ in range(3):
        answer = await api.get(AGENTS)
        assert (answer.status, "x-ratelimit-limit" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    ("environment", "file", "exempt"),
    [
        (None, None, ("127.0.0.0/8", "::1/128")),
        ("", None, ()),
        (None, "", ()),
        ("", "10.0.0.0/8", ()),
        ("10.0.0.0/8", "", ("10.0.0.0/8",)),
        (None, "10.0.0.0/8", ("10.0.0.0/8",)),
    ],
)
def test_no_address_is_exempt_when_the_list_is_given_empty(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    environment: str | None,
    file: str | None,
    exempt: tuple[str, ...],
) -> None:
    """Any other setting that is given empty counts as not given."""
    monkeypatch.setenv("PORT", "")
    monkeypatch.delenv("RATE_LIMIT_EXEMPT", raising=False)
    if environment is not None:
        monkeypatch.setenv("RATE_LIMIT_EXEMPT", environment)
    given = tmp_path / ".env"
    given.write_text("HOST=\n" if file is None else f"HOST=\nRATE_LIMIT_EXEMPT={file}\n")

    settings = GatewaySettings(_env_file=given)

    assert tuple(str(network) for network in settings.rate_limit_exempt) == exempt
    assert (settings.port, settings.host) == (3000, "127.0.0.1")


def test_a_new_minute_begins_with_the_first_request_after_the_old_one() -> None:
    time = [100.0]
    limit = RateLimit(1, clock=lambda: time[0])
    assert limit.take("10.0.0.1")["X-RateLimit-Reset"] == "60"
    time[0] = 159.0
    assert limit.take("10.0.0.2")["X-RateLimit-Remaining"] == "0"
    with pytest.raises(FrameworkRefusal, match="Too Many Requests") as refused:
        limit.take("10.0.0.1")
    assert refused.value.headers["Retry-After"] == "1"
    time[0] = 160.0
    assert limit.take("10.0.0.1")["X-RateLimit-Reset"] == "60"


def test_addresses_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "REMEMBERED", 2)
    time = [0.0]
    limit = RateLimit(5, clock=lambda: time[0])
    for address in ("10.0.0.1", "10.0.0.2"):
        limit.take(address)
    time[0] = 61.0
    limit.take("10.0.0.3")
    assert set(limit._windows) == {"10.0.0.3"}


def test_windows_are_not_looked_through_at_each_request_of_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "REMEMBERED", 2)
    limit = RateLimit(5, clock=lambda: 0.0)
    for number in range(3):
        limit.take(f"10.0.0.{number}")
    swept = limit._windows
    limit.take("10.0.1.1")
    assert limit._windows is swept


@pytest.mark.parametrize(
    ("first", "second", "is_one"),
    [
        ("2001:db8::1", "2001:db8:0:0:ffff::2", True),
        ("2001:db8::1%eth0", "2001:db8::2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_addresses_that_one_client_can_take_count_as_one(first: str, second: str, is_one: bool) -> None:
    limit = RateLimit(2)
    limit.take(first)
    assert limit.take(second)["X-RateLimit-Remaining"] == str(int(not is_one))


async def test_behind_a_proxy_of_ours_each_client_has_a_limit_of_its_own(start_gateway: StartGateway) -> None:
    api = await start_gateway(rate_limit_max=1)
    for chain, status in (
        ("192.0.2.1", 200),
        ("198.51.100.9, 192.0.2.1", 429),
        ("192.0.2.2", 200),
        ("192.0.2.2, 127.0.0.1", 429),
    ):
        assert (await api.get(AGENTS, headers={"X-Forwarded-For": chain})).status == status


def test_a_client_that_is_not_a_trusted_proxy_cannot_choose_its_address() -> None:
    limit = RateLimit(1, proxies=[ip_network("127.0.0.0/8")])
    limit.take("10.0.0.1", ["192.0.2.1"])
    with pytest.raises(FrameworkRefusal):
        limit.take("10.0.0.1", ["192.0.2.2"])


def test_an_exempt_network_covers_its_ipv4_addresses_written_as_ipv6() -> None:
    limit = RateLimit(1, [ip_network("10.0.0.0/8")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "10.1.2.3"):
        assert limit.take(address) == {}
    assert limit.take("192.0.2.1") != {}
