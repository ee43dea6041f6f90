"""Experiments: one goal planned by several models and temperatures."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.api.experiments import ExperimentsCompleted
from contracts.client.http import Http, keyed, parse_answer, path
from contracts.domain.agent import PLANNER_AGENT

ANSWER_S = 3600.0
"""Seconds to wait for the answer, which arrives after the last plan."""


class Experiments:
    """Requests about experiments."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def run(  # noqa: PLR0913  each is a part of the experiment
        self,
        goal: str,
        *,
        provider: str,
        models: Sequence[str],
        temperatures: Sequence[float],
        agent: str = PLANNER_AGENT,
        seed: int | None = None,
        key: str | None = None,
        timeout_s: float = ANSWER_S,
    ) -> ExperimentsCompleted:
        """Plan `goal` with every model at every temperature, and wait for all plans.

        Each plan is a separate DAG. A broken connection does not stop plans that have been requested.
        """
        body = {
            "goal-text": goal,
            "agentName": agent,
            "provider": provider,
            "models": list(models),
            "temperatures": list(temperatures),
            "seed": seed,
        }
        answer = await self._http.call(
            "POST", path("dag-experiments"), body, headers=keyed(key), timeout_s=timeout_s
        )
        return parse_answer(ExperimentsCompleted, answer)
