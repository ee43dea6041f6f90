"""Every route: errors, headers, tracing, log lines."""

from __future__ import annotations

import inspect
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from contracts.core.aggregate import DomainError
from contracts.core.user_error import UserError
from gateway import app
from gateway.endpoint import Call, Endpoint
from gateway.http.errors import STATUS
from gateway.settings import GatewaySettings

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


# ── log lines ───────────────────────────────────────────────────────────────────────────────────────────


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
