"""Pages in a browser: which may read answers, which may change something, and what every answer forbids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import run
from contracts.domain.plan import Job
from contracts.settings.secret_files import InvalidSettings
from gateway.settings import GatewaySettings
from tests import jobs
from tests.services.gateway.raw_headers import status_of

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

AGENTS = "/api/v1/agents"
AGENT = {"name": "A", "version": "1", "promptTemplate": "x"}


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


NOT_UTF_8 = [
    b"Origin: http://\xff",
    b"Authorization: Bearer \xff",
    b"Idempotency-Key: \xff",
    b"Last-Event-ID: \xff",
    b"X-Request-Id: \xff",
    b"X-Forwarded-For: \xff",
]


@pytest.mark.parametrize("header", NOT_UTF_8)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_header_that_is_not_utf_8_is_no_error_of_the_server(
    api: Api, method: str, header: bytes
) -> None:
    assert await status_of(api, "/api/v1/goals", header, method) < 500
