"""A whole system in real processes, and every way the tests of this folder look at it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import sys
from asyncio.subprocess import PIPE
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from contracts.api.executions import ExecutionDetail
from contracts.client import Client, ExecutionEvent
from contracts.core import subjects
from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Durability, Settings
from deploy.local.system import LocalSystem, Options, local_system, private
from deploy.scripted_llm import Rule, ScriptedAnswer, ScriptedCall, ScriptedLlm, When, default_rules
from deploy.scripted_llm import environment as scripted_environment
from tests.canaries import CANARIES, found_in, found_in_files, found_in_nats
from tests.forked.python import COMMANDS, ForkedPython
from tests.prompts import require_untrusted_apart
from tests.waiting import WAIT_S

LEASE_S = 300
"""Far longer than any test waits: what a killed executor held comes again at once, or the test fails."""
PLANNING_MS = 1500
"""How long the model takes over a plan whose goal says "slowly"."""
ENDS = [subjects.state_filter("run", state) for state in ("completed", "suspended", "cancelled")]


class Gate:
    """A webhook whose answers wait until it is opened."""

    def __init__(self) -> None:
        self.called = asyncio.Event()
        self.opened = asyncio.Event()
        self.left = asyncio.Event()
        """Set when a caller has closed its connection before it was answered."""

    def open(self) -> None:
        self.opened.set()


class Hooks:
    """A receiver of webhooks that counts the calls of every idempotency key."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: Counter[str] = Counter()
        self.says: dict[str, str] = {}
        """Further members of each answer."""
        self._gates: dict[str, Gate] = {}

    def gate(self, name: str) -> Gate:
        return self._gates.setdefault(name, Gate())

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Hooks]:
        app = web.Application()
        app.router.add_post("/{name}", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            for gate in self._gates.values():
                gate.open()
            await runner.cleanup()

    async def _receive(self, request: web.Request) -> web.Response:
        self.calls[request.headers["Idempotency-Key"]] += 1
        if gate := self._gates.get(request.match_info["name"]):
            gate.called.set()
            try:
                await gate.opened.wait()
            except asyncio.CancelledError:
                gate.left.set()
                raise
        return web.json_response({"received": request.match_info["name"], **self.says})

    def job(self, needs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
        """A plan of webhooks: each step, the steps it needs; a step calls the hook of its name."""
        return {
            "original_request": "call some webhooks",
            "intent": {"primary": "test", "sub_intents": []},
            "entities": [],
            "sub_tasks": [self._task(step, list(needed)) for step, needed in needs.items()],
            "synthesis_plan": "",
            "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
            "clarification_needed": False,
        }

    def _task(self, step: str, needed: list[str]) -> dict[str, Any]:
        return {
            "id": step,
            "description": f"call {step}",
            "thought": "to be counted",
            "action_type": "tool",
            "tool_or_prompt": {"name": "sendWebhook", "params": {"url": f"{self.url}/{step}", "payload": {}}},
            "expected_output": "an answer",
            "dependencies": needed,
        }


@dataclass
class Bed:
    """A running system and every way to look at it."""

    data: Path
    system: LocalSystem
    client: Client
    log: NatsLog
    hooks: Hooks
    llm: ScriptedLlm
    lines: list[str]
    """What the processes wrote, and the supervisor of them."""
    _ends: dict[str, asyncio.Future[str]] = field(
        default_factory=lambda: defaultdict(asyncio.get_running_loop().create_future)
    )

    @property
    def reader_url(self) -> str:
        """The address of NATS for programs that follow the log."""
        return (self.data / "nats" / "reader.url").read_text()

    async def end(self, execution_id: str, timeout_s: float = WAIT_S) -> str:
        """The state an execution comes to rest in, as the log has it."""
        async with asyncio.timeout(timeout_s):
            return await asyncio.shield(self._ends[execution_id])

    async def history(self, execution_id: str) -> list[Event]:
        """Every event of a run."""
        recorded = await self.log.read("run", execution_id)
        return [event for one in recorded for event in one.commit.events]

    async def shown(self, execution_id: str) -> ExecutionDetail:
        """An execution as clients see it once the views include its end."""
        async with asyncio.timeout(WAIT_S):
            while (execution := await self.client.executions.get(execution_id)).status in {
                "pending",
                "running",
            }:
                pass
        return execution

    async def told(self, execution_id: str) -> list[ExecutionEvent]:
        """Everything a client hears of an execution from its first event to its last."""
        told = []
        async with contextlib.aclosing(self.client.executions.events(execution_id, after=0)) as events:
            async for event in events:
                told.append(event)
                if event.is_last:
                    break
        return told

    def asked_for_a_plan(self, goal: str) -> int:
        """How often the model has been asked to plan `goal`."""
        return sum(
            goal in str(received.body) and "sub_tasks" in str(received.body) for received in self.llm.requests
        )

    async def listen(self) -> None:
        """Note the end of every execution, for ever."""
        async for batch in self.log.tail(*ENDS, after=0):
            for recorded in batch:
                end = self._ends[recorded.commit.aggregate_id]
                if not end.done():
                    end.set_result(recorded.commit.state)


@asynccontextmanager
async def running_bed(data: Path, *, lease_s: float = LEASE_S, **options: Any) -> AsyncGenerator[Bed]:
    lines: list[str] = []
    async with AsyncExitStack() as stack:
        hooks = await stack.enter_async_context(Hooks().serving())
        llm = await stack.enter_async_context(ScriptedLlm(rules()))
        env = private(data) | scripted_environment(llm.base_url)
        env |= {"ALLOWED_PRIVATE_HOSTS": "127.0.0.1", "LEASE_S": str(lease_s), **CANARIES}
        wanted = Options(data, durability=Durability.FAST, env=env, cwd=data, **options)
        system = await stack.enter_async_context(
            local_system(wanted, lambda name, line: lines.append(f"{name}: {line}"))
        )
        log = await stack.enter_async_context(
            nats_log(Settings(nats_url=system.nats_url), CODEC, name="test")
        )
        client = await stack.enter_async_context(Client(system.url))
        bed = Bed(data, system, client, log, hooks, llm, lines)
        listening = asyncio.create_task(bed.listen())
        try:
            yield bed
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        if system.nats is None or system.nats.pid is not None:
            assert await found_in_nats(log.connection) == {}
    assert found_in_files(data, except_for=[data / "nats"]) == {}
    assert found_in("\n".join(lines)) == set()
    assert not [line for line in lines if "permissions violation" in line]
    require_untrusted_apart(llm.requests)


StartBed = Callable[..., AbstractAsyncContextManager[Bed]]


@pytest.fixture(scope="session")
def start_bed(forked_services: None) -> StartBed:
    """Starts a system of a test's own: `async with start_bed(directory, executors=2) as bed`."""
    return running_bed


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bed(forked_services: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bed]:
    """The system that most tests share: each leaves it ready."""
    async with running_bed(tmp_path_factory.mktemp("system")) as bed:
        yield bed


CALL_A_HOOK = Rule(
    name="goal: call a hook",
    when=When(has=("tools",), system=r"call the hook at (?P<hook>http\S+)", last_role="user"),
    answer=ScriptedAnswer(
        text="Calling it.",
        tool_calls=(
            ScriptedCall(name="sendWebhook", arguments={"url": "$hook", "payload": {}}),
            ScriptedCall(name="writeFile", arguments={"path": "$slug.md", "content": "called"}),
            ScriptedCall(name="remember", arguments={"fact": "There is a hook at $hook"}),
        ),
    ),
)
"""How the first turn of an agent goes whose objective says so; what comes then, the demo's rules say."""


_ENCODED = base64.b64encode(f"Bearer {CANARIES['OPENAI_API_KEY']}".encode()).decode()
ECHOES = (
    Rule(
        name="echo the key in an error",
        when=When(user="echo the key in an error"),
        answer=ScriptedAnswer(status=401, error=f"wrong key: {CANARIES['OPENAI_API_KEY']}, {_ENCODED}"),
    ),
    Rule(
        name="echo the key",
        when=When(user="echo the key"),
        answer=ScriptedAnswer(text=f"It is {CANARIES['OPENAI_API_KEY']}, or {_ENCODED}."),
    ),
)
"""A provider that repeats the key that it is sent."""


def rules() -> list[Rule]:
    """Those of the demo without their delays; before them a slow plan and an agent's hook."""
    prompt = [
        rule.model_copy(update={"answer": rule.answer.model_copy(update={"delay_ms": 0})})
        for rule in default_rules()
    ]
    plan = next(rule for rule in prompt if rule.name == "plan: anything")
    slowly = When(system=plan.when.system, user=r"(?s)\A\s*(?P<goal>.*slowly.+?)\s*(?:\n\s*\n|\Z)")
    slow = plan.answer.model_copy(update={"delay_ms": PLANNING_MS})
    return [Rule(name="plan: slowly", when=slowly, answer=slow), CALL_A_HOOK, *ECHOES, *prompt]


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end."""

    status: int
    output: str
    errors: str


RunCli = Callable[..., Awaitable[Ended]]


@pytest.fixture
def environment() -> dict[str, str]:
    """Ours without anything that configures an LLM or another system."""
    ours = ("LLM_", "OPENAI_", "OPENROUTER_", "OLLAMA_", "NATS_", "DATA", "PORT", "HOST", "ASYNC_AGENT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


@pytest.fixture
def script() -> Path:
    """The console script."""
    return Path(sys.executable).with_name("async-agent")


@pytest.fixture
def command(forked_python: ForkedPython, script: Path, environment: dict[str, str], tmp_path: Path) -> RunCli:
    """Runs `async-agent` to its end in a forked process, which need not import anything."""
    outputs = tmp_path / "command.output", tmp_path / "command.errors"

    async def run_command(*args: object, encoding: str = "utf-8") -> Ended:
        argv = [*map(str, (script, *args))]
        status = await forked_python.run(argv, COMMANDS, environment, tmp_path, outputs)
        output, errors = (path.read_bytes().decode(encoding) for path in outputs)
        return Ended(status, output, errors)

    return run_command


@pytest.fixture
def cli(script: Path, environment: dict[str, str], tmp_path: Path) -> RunCli:
    """Runs `async-agent` to its end, as a script would."""

    async def run_cli(*args: object, encoding: str = "utf-8") -> Ended:
        process = await asyncio.create_subprocess_exec(
            script, *map(str, args), env=environment, cwd=tmp_path, stdout=PIPE, stderr=PIPE
        )
        output, errors = await process.communicate()
        return Ended(process.returncode or 0, output.decode(encoding), errors.decode(encoding))

    return run_cli


@dataclass(frozen=True)
class Steps:
    """How often each step of a history was started and completed."""

    starts: Counter[str]
    completions: Counter[str]


@pytest.fixture
def counted() -> Callable[[Sequence[Event]], Steps]:
    """Counts starts and completions in a history, and refuses one that starts what has completed."""

    def count(history: Sequence[Event]) -> Steps:
        steps = Steps(Counter(), Counter())
        for event in history:
            if isinstance(event, run.StepsStarted):
                assert not set(event.steps) & set(steps.completions), "a completed step was started again"
                steps.starts.update(event.steps)
            elif isinstance(event, run.StepCompleted):
                steps.completions.update([event.step])
        return steps

    return count
