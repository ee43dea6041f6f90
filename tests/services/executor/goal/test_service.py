"""Goal runs as the executor's process has them: from a real queue, with the built-in tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from contracts.core.commit import all_events
from contracts.core.outcome import Reject
from contracts.core.scopes import Scope
from contracts.domain import agent, dag, key, run, webhook
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.registry import CODEC
from contracts.domain.run import RUN
from contracts.domain.shared_budget import PeriodBudget
from contracts.runtime.consumer.parking import parked_messages
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Settings
from contracts.runtime.stream import Origin, Stream
from deploy.scripted_llm import ScriptedLlm, parse_rules
from executor.goal.workload import AgentWorkload
from executor.service import build
from executor.settings import ExecutorSettings
from tests.agents_read import agents_read
from tests.forked.python import SERVICES, ForkedPython
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


ORIGIN = Origin("/gateway/1")
RULES = """
[[rule]]
when.user = "Sum it up"
answer.text = "All done."

[[rule]]
when.last_role = "tool"
answer.text = "Done."

[[rule]]
answer.text = "I fetch and write."
answer.tool_calls = [
    { name = "writeFile", arguments = { path = "a.md", content = "text" } },
    { name = "sendWebhook", arguments = { url = "$URL", payload = { a = 1 } } },
]
"""


class Receiver:
    """A server that holds its first answer back until it is let go."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.busy = 0
        """How many calls to the goal's webhook it cannot take yet."""
        self.reached = asyncio.Event()
        self.gate = asyncio.Event()
        self.held: str | None = None
        """The URL that gets no answer."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers["Idempotency-Key"])
        self.reached.set()
        if str(request.url) == self.held:
            await asyncio.Event().wait()
        if request.path == "/tool":
            await self.gate.wait()
        elif self.busy:
            self.busy -= 1
            return web.Response(status=503)
        return web.Response()


@pytest.fixture
async def receiver() -> AsyncGenerator[tuple[Receiver, Callable[[str], str]]]:
    app, it = web.Application(), Receiver()
    app.router.add_post("/{path}", it.handle)
    server = TestServer(app, handler_cancellation=True)
    async with server:
        yield it, lambda path: str(server.make_url(path))


@pytest.fixture
async def log(
    receiver: Any, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[NatsLog]:
    """A log on a real NATS with an agent; the environment names the scripted model."""
    _, url = receiver
    monkeypatch.chdir(tmp_path)
    rules = parse_rules(RULES.replace("$URL", url("tool")))
    async with ScriptedLlm(rules) as scripted:
        environment = {
            "NATS_URL": nats_url,
            "DATA_DIR": str(tmp_path / "data"),
            "ARTIFACTS_DIR": str(tmp_path / "artifacts"),
            "ALLOWED_PRIVATE_HOSTS": "127.0.0.1",
            "LLM_PROVIDER": "openai",
            "LLM_MODEL": "scripted",
            "OPENAI_BASE_URL": scripted.base_url,
            "STEP_BACKOFF_S": "0.05",
            "GRACE_S": "0",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        async with nats_log(Settings(), CODEC, name="test") as log:
            created = agent.Created(name="defaultAgent", version_name="1", prompt_template="Do it.")
            stream = await Stream.open(log, AGENT, "agent_1", ORIGIN)
            await stream.append([created, agent.Activated(name="defaultAgent")])
            yield log


@asynccontextmanager
async def executing() -> AsyncGenerator[None]:
    """An executor process, its workers stopped as on SIGTERM."""
    async with build(ExecutorSettings()) as executor:
        workers = [asyncio.ensure_future(worker()) for worker in executor.workers]
        yield
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def test_an_executor_continues_from_its_snapshot(
    log: NatsLog, tmp_path: Path, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads only the agents that came after it."""
    monkeypatch.setattr("contracts.runtime.snapshot.COMMITS", 1)
    read = agents_read(monkeypatch)

    async def known(*seqs: int) -> bool:
        return read == list(seqs)

    async with executing():
        await eventually(lambda: known(1))
    stream = await Stream.open(log, AGENT, "agent_2", ORIGIN)
    later = await stream.append([agent.Created(name="x", version_name="1", prompt_template="x")])
    async with executing():
        await eventually(lambda: known(1, later))
    assert (tmp_path / "data" / "executor.snapshot").is_file()


async def requested(log: NatsLog, webhook_url: str, origin: Origin = ORIGIN) -> None:
    stream = await Stream.open(log, RUN, "run_1", origin)
    wanted = run.GoalRequested(goal_id="goal_1", objective="do it", step_budget=5, webhook_url=webhook_url)
    await stream.append([wanted])


async def test_a_run_whose_message_is_parked_fails_and_its_webhook_is_told(
    log: NatsLog, receiver: Any, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first telling fails, so that the message has to come once more before it is done with."""

    async def broken(*_: Any) -> Any:
        raise Reject("a bug")

    monkeypatch.setattr(AgentWorkload, "claim", broken)
    it, url = receiver
    it.busy = 1
    async with executing():
        await requested(log, url("end"))
        await eventually(lambda: ended(log))
    assert len(await parked_messages(log.connection)) == 1
    (last,) = (await log.read("run", "run_1"))[-1].commit.events
    assert isinstance(last, run.Failed)
    assert "a bug" in last.error


async def test_a_goal_for_which_there_is_not_a_plan_tells_its_webhook(
    log: NatsLog, receiver: Any, eventually: Eventually
) -> None:
    it, url = receiver
    async with executing():
        stream = await Stream.open(log, DAG, "dag_1", ORIGIN)
        wanted = dag.Requested(
            goal_text="g", agent_name="a", run_id="run_1", goal_id="goal_1", webhook_url=url("end")
        )
        await stream.append([wanted, dag.Rejected(http_status=503, error="no model")])
        await eventually(lambda: ended(log))
    assert it.keys == ["run_1/webhook"]


@asynccontextmanager
async def a_process(python: str) -> AsyncGenerator[asyncio.subprocess.Process]:
    """An executor in a process of its own, killed on the way out."""
    process = await asyncio.create_subprocess_exec(python, "-m", "executor")
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def test_a_webhook_that_a_kill_after_the_end_cut_short_is_called_once_more_with_the_same_key(
    log: NatsLog, receiver: Any, eventually: Eventually, forked_python: ForkedPython
) -> None:
    python = forked_python.with_imports(*SERVICES)
    it, url = receiver
    it.gate.set()
    it.held = url("end")
    async with a_process(python):
        await requested(log, url("end"))
        await eventually(lambda: told(it))
    assert (await log.read("run", "run_1"))[-1].commit.state == run.Status.COMPLETED
    it.held = None
    async with a_process(python):
        await eventually(lambda: ended(log))
    assert [key for key in it.keys if key.endswith("webhook")] == ["run_1/webhook"] * 2
    assert len(await log.read("memory", "goal_1")) == 1


async def told(receiver: Receiver) -> bool:
    """Whether the webhook has been called."""
    return "run_1/webhook" in receiver.keys


async def ended(log: NatsLog) -> bool:
    """Whether the webhook has been told."""
    delivered = all_events(one.commit for one in await log.read("webhook", "run_1"))
    return any(isinstance(event, webhook.Delivered) for event in delivered)


async def test_a_run_that_one_process_left_is_finished_by_the_next_and_its_webhook_told_in_the_end(
    log: NatsLog, receiver: Any, tmp_path: Path, eventually: Eventually
) -> None:
    it, url = receiver
    it.busy = 1
    async with executing():
        await requested(log, url("end"))
        await asyncio.wait_for(it.reached.wait(), WAIT_S)
    it.gate.set()
    async with executing():
        await eventually(lambda: ended(log))
    assert (tmp_path / "artifacts" / "a.md").read_text() == "text"
    assert it.keys == ["run_1/1.1", "run_1/1.1", "run_1/webhook", "run_1/webhook"]
    events = all_events(one.commit for one in await log.read("run", "run_1"))
    assert sum(isinstance(event, run.TurnTaken) for event in events) == 2
    assert sum(isinstance(event, run.TakenOver) for event in events) == 1
    assert isinstance(events[-1], run.Completed)


@pytest.mark.parametrize("holder", ["system", "key ci"])
async def test_a_process_keeps_to_the_budget_of_the_system_and_of_the_key_that_asked(
    log: NatsLog, receiver: Any, eventually: Eventually, monkeypatch: pytest.MonkeyPatch, holder: str
) -> None:
    _, url = receiver
    monkeypatch.setenv("LLM_MODEL", "gpt-4o")
    if holder == "system":
        monkeypatch.setenv("BUDGET_USD_PER_DAY", "0.0001")
    created = key.Created(name="ci", scopes=(Scope.RUN,), secret_sha256="0" * 64)
    stream = await Stream.open(log, key.KEY, key.key_id("ci"), ORIGIN)
    small = key.BudgetSet(budget=PeriodBudget(usd_per_month="0.0001"))
    await stream.append([created, *([] if holder == "system" else [small])])
    async with executing():
        await requested(log, url("end"), replace(ORIGIN, actor="key:ci"))
        await eventually(lambda: ended(log))
    history = all_events(one.commit for one in await log.read("run", "run_1"))
    (last,) = [event for event in history if isinstance(event, run.Failed)]
    assert last.error.startswith(f"budget of the {holder}: 0 of 0.0001 US dollars per")
