"""Health tells the truth."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from contracts.api.health import Readiness
from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.agent import PLANNER_AGENT
from contracts.domain.dag import DAG
from contracts.domain.executors import ExecutorAlive
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from contracts.llm import LlmSettings
from contracts.runtime.log import Unavailable
from gateway.api.health import checks
from projector.database import Database, remove
from tests import jobs
from tests.services.gateway.shared import LLM, add_default_agents

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

ALIVE = ExecutorAlive(instance="host-1", capacity=100).model_dump_json().encode()
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
JOB = jobs.job()


@pytest.fixture
async def ready(start_gateway: StartGateway) -> Api:
    api = await start_gateway(llm=LLM, max_concurrent_runs=7)
    await add_default_agents(api)
    api.gateway.executors.record_heartbeat(ALIVE)
    return api


async def test_a_process_that_answers_is_alive(start_gateway: StartGateway) -> None:
    """Even when nothing else is there."""
    api = await start_gateway(projector=False)
    answer = await api.get("/health")
    assert answer.status == 200
    assert answer.json["status"] == "ok"
    assert ISO.fullmatch(answer.json["timestamp"])


async def test_all_is_well_with_log_views_and_an_executor(ready: Api) -> None:
    answer = await ready.get("/health/ready")
    assert answer.status == 200
    assert ISO.fullmatch(answer.json["timestamp"])
    assert answer.json | {"timestamp": ""} == {
        "status": "ready",
        "provider": "ollama",
        "model": "m",
        "scheduler": {
            "activeSchedules": 0,
            "maxConcurrency": 7,
            "queue": {"size": 0, "pending": 0, "concurrency": 7, "isPaused": False},
        },
        "dagScheduler": {"activeSchedules": 0, "schedules": []},
        "database": "ok",
        "llmProvider": "ollama",
        "nats": "ok",
        "projectorLag": 0,
        "executors": ["host-1"],
        "llm": "ok",
        "problems": {},
        "warnings": {},
        "timestamp": "",
    }


async def test_without_an_llm_it_is_not_ready_and_says_what_to_set(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    await add_default_agents(api)
    api.gateway.executors.record_heartbeat(ALIVE)

    answer = await api.get("/health/ready")

    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert "set LLM_PROVIDER" in answer.json["problems"]["llm"]
    assert answer.json["problems"]["llm"] == answer.json["llm"] == answer.json["error"]
    assert (answer.json["provider"], answer.json["model"]) == ("none", "none")
    told = Readiness.model_validate(answer.json)
    assert (told.is_ready, told.is_serving) == (False, True)
    assert await checks(api.gateway)["nats"]() is None


async def test_a_system_that_is_open_to_others_says_so_at_its_start_and_in_its_readiness(
    start_gateway: StartGateway,
) -> None:
    with capture_logs() as logs:
        api = await start_gateway(llm=LLM, host="0.0.0.0", auth="off")
    (warning,) = (await api.get("/health/ready")).json["warnings"].values()
    assert "AUTH=keys" in warning
    assert [one["log_level"] for one in logs if one["event"] == warning] == ["warning"]


async def test_the_model_of_the_provider_comes_before_that_of_all(start_gateway: StartGateway) -> None:
    settings = LlmSettings(
        _env_file=None, llm_provider="openai", llm_model="a", openai_model="gpt-4o", openai_api_key="k"
    )
    told = (await (await start_gateway(llm=settings)).get("/health/ready")).json
    assert (told["provider"], told["model"], told["llmProvider"]) == ("openai", "gpt-4o", "openai")
    assert told["llm"] == "ok"


async def test_without_an_executor_it_is_not_ready_and_says_how_to_start_one(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(llm=LLM)
    await add_default_agents(api)
    answer = await api.get("/health/ready")
    assert (answer.status, answer.json["status"]) == (503, "not ready")
    assert list(answer.json["problems"]) == ["executor"]
    assert "async-agent run executor" in answer.json["problems"]["executor"]
    assert answer.json["error"] == answer.json["problems"]["executor"]


async def test_before_a_planner_has_created_the_default_agents_it_is_not_ready(
    start_gateway: StartGateway,
) -> None:
    """And a request that names one of them may be sent again."""
    api = await start_gateway(llm=LLM)
    api.gateway.executors.record_heartbeat(ALIVE)

    answer = await api.get("/health/ready")
    created = await api.post("/api/v1/create-dag", {"goal-text": "Plant a tree", "agentName": PLANNER_AGENT})

    assert (answer.status, list(answer.json["problems"])) == (503, ["planner"])
    assert "async-agent run planner" in answer.json["problems"]["planner"]
    assert not Readiness.model_validate(answer.json).is_serving
    assert (created.status, created.headers["retry-after"]) == (503, "1")
    assert "a planner creates them when it starts" in created.json["error"]


async def test_without_views_it_is_not_ready(ready: Api) -> None:
    remove(ready.gateway.settings.views_file)
    answer = await ready.get("/health/ready")
    assert answer.status == 503
    assert answer.json["problems"]["database"] == answer.json["database"] == "the views are being rebuilt"
    assert await checks(ready.gateway)["database"]() == "the views are being rebuilt"


async def test_views_that_do_not_follow_are_a_problem(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, llm=LLM, views_wait_s=0)
    api.gateway.executors.record_heartbeat(ALIVE)
    async with Database.open(api.gateway.settings.views_file):
        for version in ("1", "2"):
            await api.post("/api/v1/agents", {"name": "A", "version": version, "promptTemplate": "x"})
        answer = await api.get("/health/ready")
    assert answer.status == 503
    assert answer.json["projectorLag"] == 2
    assert "async-agent run projector" in answer.json["problems"]["projector"]


async def test_without_nats_it_is_not_ready(ready: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: str) -> int:
        raise Unavailable("gone")

    assert await checks(ready.gateway)["nats"]() is None
    monkeypatch.setattr(ready.log, "last_seq", away)
    answer = await ready.get("/health/ready")
    assert answer.status == 503
    assert answer.json["nats"] == answer.json["problems"]["nats"]
    assert "NATS_URL" in answer.json["nats"]
    assert answer.json["projectorLag"] is None
    assert await checks(ready.gateway)["nats"]() == answer.json["nats"]


async def test_with_a_halted_log_it_is_not_ready_and_says_the_way_out(ready: Api) -> None:
    await ready.log.halt("the log regressed at seq 7")
    answer = await ready.get("/health/ready")
    assert answer.status == 503
    assert "the log regressed at seq 7" in answer.json["problems"]["nats"]
    assert "async-agent log accept" in answer.json["problems"]["nats"]
    refused = await ready.post("/api/v1/agents", {"name": "A", "version": "1", "promptTemplate": "x"})
    assert refused.status == 503
    assert "the log regressed at seq 7" in refused.json["error"]


async def test_runs_that_wait_and_run_are_counted(ready: Api) -> None:
    requested = run.Requested(dag_id="d", original_request="do it", job=JOB)
    started = run.Started(executor="e", at=ready.gateway.clock(), synthesis="merge")
    suspended = run.Suspended(reason="x")
    histories: list[list[Event]] = [[], [started], [started], [started, suspended]]
    for number, events in enumerate(histories):
        await ready.write(RUN, f"dag-exec_{number}", requested, *events)
    queue = (await ready.get("/health/ready")).json["scheduler"]["queue"]
    assert (queue["size"], queue["pending"]) == (1, 2)

    clock = ready.gateway.clock
    ready.gateway.clock = lambda: clock() + timedelta(hours=1)
    assert await checks(ready.gateway)["database"]() is None
    measured = [REGISTRY.get_sample_value("gateway_runs", {"status": one}) for one in ("pending", "running")]
    assert measured == [1, 2]
    assert 3600 <= (REGISTRY.get_sample_value("gateway_oldest_run_seconds") or 0) < 3700
    assert (REGISTRY.get_sample_value("gateway_disk_free_bytes") or 0) > 0


async def test_schedules_that_fire_are_listed(ready: Api) -> None:
    def schedule(**given: Any) -> dag.ScheduleSet:
        return dag.ScheduleSet(schedule=Schedule(cron="* * * * *", **given))

    imported = dag.Imported(job=JOB)
    await ready.write(DAG, "fires", imported, schedule())
    await ready.write(DAG, "inactive", imported, schedule(active=False))
    await ready.write(DAG, "paused", imported, schedule(), dag.Updated(label="paused"))
    await ready.write(DAG, "none", imported)
    told = (await ready.get("/health/ready")).json
    assert told["dagScheduler"] == {"activeSchedules": 1, "schedules": ["fires"]}
    assert told["scheduler"]["activeSchedules"] == 1


async def test_an_executor_is_listed_once_also_after_it_changed(ready: Api) -> None:
    changed = ExecutorAlive(instance="host-1", capacity=100, tools=("readFile",))
    ready.gateway.executors.record_heartbeat(changed.model_dump_json().encode())
    assert (await ready.get("/health/ready")).json["executors"] == ["host-1"]
