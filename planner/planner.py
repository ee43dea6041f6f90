"""Takes requests for a plan from the queue and makes the plans."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import structlog

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.core.spent import Spent
from contracts.domain import dag, run
from contracts.domain.agent import Directory
from contracts.domain.budget import NOTHING_SPENT, Spending
from contracts.domain.dag import DAG, AttemptStarted, Planned, Rejected, Requested
from contracts.domain.memory import MEMORY, Memory
from contracts.domain.model import Model, NoModel, resolve_model
from contracts.domain.payer import payer_of
from contracts.domain.plan import in_zone
from contracts.domain.shared_budget import LimitReached
from contracts.llm import ChatRequest, Llm
from contracts.runtime.catalogue import Catalogue
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream
from contracts.spending import Pay, Purpose, unlimited
from planner import metrics
from planner.asking import ask
from planner.execution import cancel_run, request_run
from planner.planning import conclude, judge, next_question, tries, with_title
from planner.planning_context import PlanningContext, brief, unusable
from planner.reply import Reason, Reply
from planner.title import Proposal, title_request

T = TypeVar("T")
Decide = Callable[[dag.State], Sequence[Event]]

TITLE = "title"
"""What the call for the title is for, see `contracts.domain.shared_budget.Reserved.by`."""

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Queued:
    """A DAG in the queue."""

    stream: Stream[dag.State]
    payer: str | None
    """The actor who pays for the models, see contracts.domain.payer."""
    reserved: dict[str, Spending] = field(default_factory=dict)
    """The most that the calls may cost whose cost is not in the log yet, for the budget of the run."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the plan is asked for. The title is asked for after that, from what is left of the budget."""
    appending: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by an append, because the plan and its title are asked for at the same time."""

    def in_progress(self, call: str) -> Iterator[Spending]:
        """The most that other calls may cost, and that a planner before this one may have lost."""
        yield from (one for other, one in self.reserved.items() if other != call)
        own = {"title" if other == TITLE else "plan" for other in self.reserved}
        yield from (one for purpose, one in self.stream.state.asking.items() if purpose not in own)

    async def append(self, decide: Decide) -> None:
        """Decide and append. Count and log the end of planning."""
        async with self.appending:
            appended = await self.stream.decide(decide)
        if appended and not dag.is_planning(self.stream.state):
            metrics.PLANS.labels(self.stream.state.status).inc()
            logger.info("planning ended", dag=self.stream.id, status=self.stream.state.status)


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans with a model. Recorded attempts are not repeated."""

    log: Log
    llm: Llm
    agents: Directory
    agents_follower: Follower
    """Keeps `agents` up to date."""
    catalogue: Catalogue
    source: str
    """`/planner/<instance>`."""
    clock: Callable[[], datetime]
    """Returns the current time. The model sees it in the time zone of the DAG."""
    pay: Pay = unlimited
    """Calls models within the shared budget."""
    title_patience_s: float = 10.0
    """Maximum seconds that a finished plan waits for its title."""
    tools_patience_s: float = 5.0
    """Maximum seconds that planning waits for the first tool of the catalogue."""

    async def handle(self, recorded: Recorded, _: Delivery) -> None:
        """Make the requested plan, and request its run if the request includes one."""
        queued = await self._open(recorded)
        if queued is None:
            return
        stream, request = queued.stream, queued.stream.state.request
        if request is not None and dag.is_planning(stream.state):
            with metrics.SECONDS.time():
                await self._plan(queued, request)
        await request_run(stream, self._now(stream.state), queued.payer)

    async def given_up(self, recorded: Recorded, error: BaseException) -> None:
        """Reject the plan and cancel its run: the message is parked, so no planner continues it."""
        queued = await self._open(recorded)
        if queued is None:
            return
        stream = queued.stream
        cause = f"{type(error).__name__}: {error} (for details: `async-agent parked list`)"
        rejected = Rejected(http_status=500, error=f"the planner gave up: {cause}; ask for the plan again")
        await queued.append(lambda state: dag.plan(state, [rejected]))
        if stream.state.status is dag.Status.PLANNED:
            await cancel_run(stream, f"the planner gave up before it requested the run: {cause}")

    async def _open(self, recorded: Recorded) -> Queued | None:
        """The current DAG, or None if a later message of the queue is about the same DAG."""
        commit = recorded.commit
        stream = Stream(self.log, DAG, commit.aggregate_id, Origin(self.source).caused_by(commit))
        history = await self.log.read(DAG.name, commit.aggregate_id)
        for one in history:
            stream.fold(one)
        requests = [one.seq for one in history if one.commit.state == dag.Status.REQUESTED]
        if not requests or requests[-1] != recorded.seq:
            return None
        return Queued(stream, payer_of(one.commit for one in history))

    async def _plan(self, queued: Queued, request: Requested) -> None:
        stream = queued.stream
        briefing = await self._briefing(stream.state, request)
        if isinstance(briefing, Rejected):
            await queued.append(lambda state: dag.plan(state, [briefing]))
            return
        async with _in_background(self._title(queued)) as title:
            while dag.is_planning(stream.state):
                await self._attempt(queued, briefing, title)

    async def _briefing(self, state: dag.State, request: Requested) -> PlanningContext | Rejected:
        await self.agents_follower.catch_up()
        entry = self.agents.active(request.agent_name)
        if entry is None:
            return Rejected(http_status=404, error=f"Agent '{request.agent_name}' not found OR not active")
        await self._tools_known()
        tools = [tool for tool in self.catalogue.all() if request.allows(tool.name)]
        memories = await self._memories(request)
        if request.provider and request.model:
            problem = self.llm.problem(request.provider, request.model)
            asked: Model | NoModel = NoModel(problem) if problem else Model(request.provider, request.model)
        else:
            asked = resolve_model(entry.state, self.llm.problem)
        if isinstance(asked, NoModel):
            return unusable(request, asked.reason)
        if asked.remark:
            logger.warning(asked.remark)
        return brief(request, entry.state, asked, tools, self.agents.names(), self._now(state), memories)

    def _now(self, state: dag.State) -> datetime:
        return in_zone(self.clock(), state.timezone)

    async def _memories(self, request: Requested) -> tuple[Memory, ...]:
        if request.goal_id is None:
            return ()
        kept = await Stream.newest(self.log, MEMORY, request.goal_id, Origin(self.source))
        return kept.state.recalled

    async def _tools_known(self) -> None:
        """Wait for the first executor to publish its tools. After the timeout, plan without tools."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.tools_patience_s):
                await self.catalogue.known()

    async def _title(self, queued: Queued) -> Proposal | None:
        state = queued.stream.state
        request = title_request(self.agents, state.goal_text, self._now(state), self.llm.problem)
        if request is None or state.title is not None:
            return None
        await queued.asked.wait()
        reply = await self._ask(queued, request, TITLE, Reason.TITLE)
        if isinstance(reply, Rejected):
            return None
        queued.reserved[TITLE] = NOTHING_SPENT.plus(reply.spent)
        return Proposal(reply)

    async def _attempt(
        self, queued: Queued, briefing: PlanningContext, title: asyncio.Task[Proposal | None]
    ) -> None:
        state = queued.stream.state
        question = next_question(state, briefing.system, briefing.goal(state.goal_text))
        request = briefing.chat(question)
        call = str(len(tries(state)) + 1)
        reply = await self._ask(queued, request, call, question.reason)
        if isinstance(reply, Rejected):
            await queued.append(lambda now: dag.plan(now, [reply]))
            return
        metrics.ATTEMPTS.labels(question.reason).inc()
        verdict = await asyncio.to_thread(judge, state.goal_text, reply, briefing.vocabulary)
        if isinstance(verdict, Planned):
            verdict = briefing.planned(verdict)
        proposal = await self._proposal(queued, title, wanted=isinstance(verdict, Planned))
        await queued.append(lambda now: with_title(conclude(now, question, reply, verdict), proposal))
        queued.reserved.pop(call, None)

    async def _ask(self, queued: Queued, request: ChatRequest, call: str, reason: Reason) -> Reply | Rejected:
        """The reply of the model, or the rejection if a budget does not allow the call."""
        if rejected := await self._unaffordable(queued, request, call):
            return rejected
        if most := queued.reserved.get(call):
            number = len(tries(queued.stream.state)) + 1
            started = AttemptStarted(attempt=number, reason=reason, unbilled=most.as_unbilled)
            await queued.append(lambda state: dag.plan(state, [started]))
        queued.asked.set()

        async def is_affordable(spent: Spent) -> bool:
            return await self._unaffordable(queued, request, call, NOTHING_SPENT.plus(spent)) is None

        purpose = Purpose(f"{queued.stream.id}/{call}", queued.payer)
        try:
            return await ask(self.llm, request, self.pay, purpose, is_affordable)
        except LimitReached as limit:
            details = limit.reached.details
            return Rejected(http_status=402, error=limit.then("plan again"), details=details)

    async def _unaffordable(
        self, queued: Queued, request: ChatRequest, call: str, already: Spending = NOTHING_SPENT
    ) -> Rejected | None:
        """The rejection if the budget of the plan's run does not allow the call, which else is reserved.

        `already`: what earlier attempts of the call have cost.
        """
        state = queued.stream.state
        budget = state.request.budget if state.request else None
        if budget is None:
            return None
        needed, spent = await self.llm.estimate(request), state.spent.and_(already)
        for one in queued.in_progress(call):
            spent = spent.and_(one)
        reached = run.exceeded(budget, spent, needed)
        if reached is None:
            queued.reserved[call] = Spending.most(needed).and_(already)
            return None
        numbers = reached.model_dump(include={"limit", "allowed", "spent", "needed"}, exclude_none=True)
        error = f"{reached.reason}; plan again with a larger budget"
        return Rejected(http_status=402, error=error, details=numbers)

    async def _proposal(
        self, queued: Queued, title: asyncio.Task[Proposal | None], *, wanted: bool
    ) -> Proposal | None:
        """The title, if available. If `wanted`, wait for it."""
        if wanted:
            await asyncio.wait([title], timeout=self.title_patience_s)
        if title.done():
            return title.result()
        if not wanted:
            return None
        most = queued.reserved.get(TITLE)
        spent = Spent(unbilled=most.as_unbilled) if most else Spent()
        return Proposal(Reply(error=f"no title within {self.title_patience_s:g} s", spent=spent))


@contextlib.asynccontextmanager
async def _in_background(work: Coroutine[Any, Any, T]) -> AsyncGenerator[asyncio.Task[T]]:
    """Run `work` as a task that is cancelled at the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
