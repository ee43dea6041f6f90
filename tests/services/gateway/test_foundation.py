"""What holds for every route: errors, headers, limits, tracing."""

from __future__ import annotations

import inspect
import re
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from contracts.core.aggregate import DomainError
from contracts.core.user_error import UserError
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.settings.secret_files import InvalidSettings
from gateway import app
from gateway.endpoint import Call, Endpoint
from gateway.http import rate_limit
from gateway.http.errors import STATUS, FrameworkRefusal
from gateway.http.rate_limit import RateLimit
from gateway.settings import GatewaySettings
from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

AGENTS = "/api/v1/agents"
AGENT = {"name": "A", "version": "1", "promptTemplate": "x"}
ABSENT = f"{AGENTS}/agent_1"
JSON = "application/json; charset=utf-8"
TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nope"),
        ("GET", "/nope?a=1"),
        ("GET", f"{AGENTS}/"),
        ("PUT", AGENTS),
        ("DELETE", "/health"),
        ("OPTIONS", AGENTS),
        ("POST", "/api/v1/agents/a/b/c"),
    ],
)
async def test_an_unknown_path_or_method_is_404(api: Api, method: str, path: str) -> None:
    answer = await api.call(method, path)
    assert (answer.status, answer.headers["content-type"]) == (404, JSON)
    assert answer.json == {
        "statusCode": 404,
        "error": "Not Found",
        "message": f"Route {method}:{path} not found",
    }


async def test_a_bug_is_500_and_tells_no_secrets(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_: Any) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr(api.gateway.views, "first", broken)
    answer = await api.get(ABSENT, headers={"X-Request-Id": "req-9"})
    assert answer.status == 500
    assert answer.json["statusCode"] == 500
    assert answer.json["error"] == "Internal Server Error"
    assert "req-9" in answer.json["message"]
    assert b"secret" not in answer.body


async def test_a_log_that_does_not_answer_is_503_and_asks_to_try_again(api: Api) -> None:
    api.log.lose_acks()
    answer = await api.post(AGENTS, AGENT)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json == {"error": "the ack was lost; try again in a moment"}


def test_every_refusal_of_the_rules_has_its_status() -> None:
    ours = {one for one in DomainError.__subclasses__() if not one.__module__.startswith("tests.")}
    assert ours <= set(STATUS)


# ── headers ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_answers_are_json_in_utf_8(api: Api) -> None:
    answer = await api.post(AGENTS, AGENT | {"name": "Zoë"})
    assert answer.headers["content-type"] == JSON
    assert "Zoë".encode() in answer.body


async def test_head_is_get_without_the_body(api: Api) -> None:
    for path in ("/health", AGENTS, "/api/v1/tools", "/api/v1/artifacts"):
        got, head = await api.get(path), await api.call("HEAD", path)
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == got.headers["content-length"]
    assert (await api.call("HEAD", ABSENT)).status == 404


async def test_a_request_has_an_id_its_own_when_that_is_usable(api: Api) -> None:
    for given in ("abc-1", "a.b:c_d"):
        assert (await api.get("/health", headers={"X-Request-Id": given})).headers["x-request-id"] == given
    for unusable in ("", "a b", "x" * 129, "ü"):
        made = (await api.get("/nope", headers={"X-Request-Id": unusable})).headers["x-request-id"]
        assert made.startswith("req_")
    assert (await api.get("/health")).headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    "given", ["", "nonsense", f"00-{'0' * 32}-{'1' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01"]
)
async def test_a_trace_begins_here_where_none_is_named(api: Api, given: str) -> None:
    row = (await api.post(AGENTS, AGENT, headers={"traceparent": given})).json
    (recorded,) = await api.log.read("agent", row["id"])
    assert TRACEPARENT.fullmatch(recorded.commit.traceparent or "")
    assert recorded.commit.traceparent != given


async def test_requests_are_counted_by_their_route(api: Api) -> None:
    labels = {"route": "/api/v1/agents/{id}", "method": "GET", "status": "404"}
    before = REGISTRY.get_sample_value("gateway_requests_total", labels) or 0
    for agent_id in ("agent_1", "agent_2"):
        await api.get(f"{AGENTS}/{agent_id}")
    assert REGISTRY.get_sample_value("gateway_requests_total", labels) == before + 2
    await api.get("/nope")
    unknown = {"route": "none", "method": "GET", "status": "404"}
    assert (REGISTRY.get_sample_value("gateway_requests_total", unknown) or 0) >= 1


# ── other origins ───────────────────────────────────────────────────────────────────────────────────────


async def test_pages_of_the_local_web_app_may_read_answers_with_credentials(api: Api) -> None:
    for origin in ("http://localhost:5173", "http://localhost:5174"):
        for path in (AGENTS, "/nope"):
            headers = (await api.get(path, headers={"Origin": origin})).headers
            assert headers["access-control-allow-origin"] == origin
            assert headers["access-control-allow-credentials"] == "true"
            assert {"Content-Type", "Cache-Control"} <= set(
                headers["access-control-expose-headers"].split(", ")
            )


async def test_pages_of_other_origins_may_not(start_gateway: StartGateway) -> None:
    api = await start_gateway(cors_origins="https://app.example, null")
    allowed = {"https://app.example", "null", "http://localhost:5173"}
    for origin in (*allowed, "https://evil.example", "http://app.example", "http://localhost:9"):
        headers = (await api.get(AGENTS, headers={"Origin": origin})).headers
        assert ("access-control-allow-origin" in headers) == (origin in allowed)
        assert headers["vary"] == "Origin"


async def test_a_browser_that_asks_first_is_told_what_it_may_send(api: Api) -> None:
    asking = {"Origin": "http://localhost:5173", "Access-Control-Request-Method": "PATCH"}
    answer = await api.call("OPTIONS", f"{AGENTS}/agent_1", headers=asking)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD, POST, PUT, DELETE, PATCH"
    assert {"Content-Type", "Authorization"} <= set(
        answer.headers["access-control-allow-headers"].split(", ")
    )


@pytest.mark.parametrize("path", ["events", "dag-executions/e1/events", "runs/r1/events"])
async def test_a_stream_is_read_by_the_same_pages_as_everything_else(
    start_gateway: StartGateway, path: str
) -> None:
    api = await start_gateway(cors_origins="https://app.example")
    job = Job.model_validate(jobs.job_json())
    await api.write(run.RUN, "e1", run.Requested(dag_id="d1", original_request="do it", job=job))
    await api.write(run.RUN, "r1", run.GoalRequested(goal_id="g1", objective="reach it", step_budget=1))
    for origin, allowed in (("https://app.example", True), ("https://evil.example", False), ("null", False)):
        headers = (await api.call("HEAD", f"/api/v1/{path}", headers={"Origin": origin})).headers
        assert headers["content-type"] == "text/event-stream"
        assert headers.get("access-control-allow-origin") == (origin if allowed else None)
        assert "access-control-allow-credentials" not in headers


async def test_credentials_are_allowed_when_asked_for(start_gateway: StartGateway) -> None:
    api = await start_gateway(cors_origins="https://app.example", cors_credentials=True)
    headers = (await api.get(AGENTS, headers={"Origin": "https://app.example"})).headers
    assert headers["access-control-allow-credentials"] == "true"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        (AGENTS, {"json": AGENT}),
        (AGENTS, {"data": b'{"name":"A","version":"1","promptTemplate":"x"}'}),
        ("/api/v1/goals/g1/run", {}),
        ("/api/v1/task", {"data": {"taskName": "A", "prompt": "p"}}),
        ("/mcp", {"json": {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}}),
        ("/nope", {}),
    ],
)
async def test_a_page_of_another_site_can_start_nothing(api: Api, path: str, options: Any) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = await api.call("POST", path, headers=headers, **options)
        assert (answer.status, answer.json["error"]) == (403, "Forbidden")
        assert "CORS_ORIGINS" in answer.json["message"]
    assert await api.log.last_seq() == 0


async def test_a_request_for_another_host_name_is_refused(start_gateway: StartGateway) -> None:
    api = await start_gateway(allowed_hosts="API.example")
    for host, status in (("evil.example", 403), ("api.example:3000", 200), ("localhost:1", 200)):
        assert (await api.get("/health", headers={"Host": host})).status == status


@pytest.mark.parametrize("path", ["/health", "/nope", "/docs", "/openapi.json", AGENTS])
async def test_every_answer_forbids_frames_and_guessing_of_types(api: Api, path: str) -> None:
    headers = (await api.get(path)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("origins", ["*", "app.example", "https://app.example/", "https://*.example"])
def test_an_origin_that_could_never_match_is_refused_at_start(origins: str) -> None:
    with pytest.raises(InvalidSettings, match="is not an origin"):
        GatewaySettings(_env_file=None, cors_origins=origins)


# ── rate limit ──────────────────────────────────────────────────────────────────────────────────────────


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


async def test_each_request_is_one_line_with_its_status_and_duration(api: Api) -> None:
    with capture_logs() as logs:
        await api.get(AGENTS)
        await api.get("/nope")
    lines = [one for one in logs if one["event"] == "request"]
    assert [(one["log_level"], one["method"], one["path"], one["status"]) for one in lines] == [
        ("info", "GET", AGENTS, 200),
        ("info", "GET", "/nope", 404),
    ]
    assert all(one["ms"] >= 0 for one in lines)


async def test_probes_are_logged_for_debugging_only(api: Api) -> None:
    with capture_logs() as logs:
        await api.get("/health")
        await api.get("/health/ready")
    assert {one["log_level"] for one in logs if one["event"] == "request"} == {"debug"}


def test_an_exempt_network_covers_its_ipv4_addresses_in_ipv6_dress() -> None:
    limit = RateLimit(1, [ip_network("10.0.0.0/8")])
    for address in ("10.1.2.3", "::ffff:10.1.2.3", "10.1.2.3"):
        assert limit.take(address) == {}
    assert limit.take("192.0.2.1") != {}


# ── routes and settings ─────────────────────────────────────────────────────────────────────────────────


def test_no_two_endpoints_are_the_same() -> None:
    assert len({(one.method, one.path) for one in app.ENDPOINTS}) == len(app.ENDPOINTS)
    assert len({one.name for one in app.ENDPOINTS}) == len(app.ENDPOINTS)


@pytest.mark.parametrize("endpoint", app.ENDPOINTS, ids=lambda one: f"{one.method} {one.path}")
def test_a_handler_takes_what_its_endpoint_checks(endpoint: Endpoint) -> None:
    signature = inspect.signature(endpoint.handler, eval_str=True)
    (call,) = signature.parameters.values()
    assert call.annotation == Call[endpoint.body, endpoint.query]  # type: ignore[name-defined]


async def test_a_port_in_use_is_reported_in_one_sentence(api: Api, start_gateway: StartGateway) -> None:
    with pytest.raises(UserError, match="set HOST and PORT"):
        await start_gateway(port=api.url.port)


def test_lists_in_the_environment_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORS_ORIGINS", "https://a.example, https://b.example:8443,")
    monkeypatch.setenv("RATE_LIMIT_EXEMPT", "10.0.0.0/8,::1")
    settings = GatewaySettings(_env_file=None)
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")
    assert settings.rate_limit_exempt == (ip_network("10.0.0.0/8"), ip_network("::1"))
