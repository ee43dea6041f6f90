"""The class Client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from types import TracebackType
from typing import Self

from contracts.api.compare import Comparison
from contracts.api.costs import CostSummary, GroupBy
from contracts.api.health import Alive, Readiness
from contracts.api.search import HitList
from contracts.client.agents import Agents
from contracts.client.artifacts import Artifacts
from contracts.client.asks import Asks
from contracts.client.budget import SharedBudget
from contracts.client.dags import Dags
from contracts.client.documents import Documents
from contracts.client.errors import Refused
from contracts.client.events import HEARTBEAT, LogEvent, message_data
from contracts.client.executions import Executions
from contracts.client.experiments import Experiments
from contracts.client.goals import Goals
from contracts.client.http import ANSWER_S, Http, OnAnswer, parse_answer, path
from contracts.client.keys import Keys
from contracts.client.runs import Runs
from contracts.client.schedules import Schedules
from contracts.client.tasks import Tasks
from contracts.client.tools import Tools
from contracts.core.event import Json


def nothing(_: bytes) -> None:
    """The default for `on_answer`: do nothing."""


class Client:
    """A client of one system. Use it with `async with`.

    Every method raises Unreachable if no server answers, Refused if the server returns an error, and
    InvalidAnswer if the answer has another form than this version expects. `key` is an `Idempotency-Key` that
    the caller chooses: repeating a call with the same key creates nothing twice.
    """

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        patience_s: float = 60.0,
        on_answer: OnAnswer = nothing,
    ) -> None:
        """Create a client.

        `api_key`: a key of the system, or a token of its OIDC issuer. A system that listens only on its own
        machine may need none.
        `patience_s`: how many seconds to retry streams and the results of accepted requests.
        `on_answer`: receives the bytes of each successful answer and the data of each event.
        """
        self._http = Http(base_url, api_key, patience_s, on_answer)
        self.goals = Goals(self._http)
        self.runs = Runs(self._http)
        self.dags = Dags(self._http)
        self.executions = Executions(self._http)
        self.agents = Agents(self._http)
        self.keys = Keys(self._http)
        self.budget = SharedBudget(self._http)
        self.asks = Asks(self._http)
        self.tools = Tools(self._http)
        self.schedules = Schedules(self._http)
        self.artifacts = Artifacts(self._http)
        self.tasks = Tasks(self._http)
        self.experiments = Experiments(self._http)
        self.documents = Documents(self._http)

    async def __aenter__(self) -> Self:
        self._http.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def alive(self) -> Alive:
        """Check that the server answers."""
        return await self._http.get(Alive, "/health")

    async def ready(self) -> Readiness:
        """Get the readiness of the system. A system that is not ready is not an error."""
        try:
            return await self._http.get(Readiness, "/health/ready")
        except Refused as refused:
            if refused.status != HTTPStatus.SERVICE_UNAVAILABLE or "status" not in refused.body:
                raise
            return parse_answer(Readiness, refused.body)

    async def costs(
        self, *, since: str | None = None, until: str | None = None, by: GroupBy = "day"
    ) -> CostSummary:
        """Get costs by period. Times are ISO 8601, or `<n>d`, `<n>w`, `<n>m` before now.

        Default: the last 30 days.
        """
        query = {"from": since, "to": until, "groupBy": by}
        return await self._http.get(CostSummary, path("costs", "summary"), **query)

    async def compare(self, a: str, b: str) -> Comparison:
        """Compare two executions or runs, step by step."""
        return await self._http.get(Comparison, path("compare"), a=a, b=b)

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Json:
        """Send any request and return the JSON answer, or None if it is empty. `path` is percent-encoded."""
        return await self._http.call(method, path, body, query=query, headers=headers, timeout_s=timeout_s)

    async def search(
        self,
        text: str,
        *,
        kinds: tuple[str, ...] = (),
        limit: int | None = None,
        cursor: str | None = None,
    ) -> HitList:
        """Find runs, executions, goals and DAGs that contain all words of `text`, newest first.

        The last word may be the beginning of one. `cursor` is the `next_cursor` of the previous page.
        """
        query = {"q": text, "kind": kinds or None, "limit": limit, "cursor": cursor}
        return await self._http.get(HitList, path("search"), **query)

    async def events(
        self,
        *,
        aggregates: tuple[str, ...] | None = None,
        aggregate_id: str | None = None,
        types: tuple[str, ...] | None = None,
        actor: str | None = None,
        after: int | None = None,
        follow: bool = True,
    ) -> AsyncGenerator[LogEvent]:
        """Stream all events, by default from now on; `after=0` starts with the first event.

        Broken connections are reopened. The stream ends when the caller stops reading; without `follow`, it
        ends after the events up to now.
        """
        wanted = {"aggregate": aggregates, "id": aggregate_id, "type": types, "actor": actor}
        only_past = {} if follow else {"follow": False}
        messages = self._http.follow(path("events"), after, ends=not follow, **wanted, **only_past)
        async with aclosing(messages):
            async for message in messages:
                if message.event != HEARTBEAT:
                    yield parse_answer(LogEvent, message_data(message))
