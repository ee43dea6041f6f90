"""The context of all attempts at one plan: the model, the system prompt, tools and agents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.core.tool import ToolSpec
from contracts.domain import agent
from contracts.domain.dag import Planned, Rejected, Requested
from contracts.domain.limits import Limits
from contracts.domain.memory import Memory, as_section
from contracts.domain.model import Model
from contracts.domain.plan import job_schema
from contracts.llm import ChatRequest
from planner import prompt
from planner.planning import Question, Vocabulary


@dataclass(frozen=True, slots=True)
class PlanningContext:
    """The context of one request for a plan."""

    request: Requested
    provider: str | None
    """None: the provider of the settings. The same applies to `model`."""
    model: str | None
    system: str
    now: datetime
    """The current time in the time zone of the DAG."""
    vocabulary: Vocabulary
    memories: tuple[Memory, ...] = ()
    """Memories of earlier runs of the goal."""

    @property
    def is_untrusted(self) -> bool:
        """Whether the model reads something from outside: memories, or descriptions of third parties."""
        tools = self.vocabulary.tools.values()
        return any(tool.third_party for tool in tools) or any(one.untrusted for one in self.memories)

    def goal(self, text: str) -> str:
        """The goal for the model: with date placeholders filled, and with the memories."""
        known = as_section(self.memories)
        return "\n\n".join(filter(None, (prompt.goal(text, self.now), known)))

    def planned(self, plan: Planned) -> Planned:
        """`plan` with the limits of the request, and with whether it is untrusted."""
        job = Limits.of(self.request).applied_to(plan.job)
        return plan.model_copy(update={"job": job, "untrusted": self.is_untrusted})

    def chat(self, question: Question) -> ChatRequest:
        """The request for `question`, with the JSON Schema of a plan."""
        return ChatRequest(
            messages=question.messages,
            response_schema=job_schema(),
            temperature=self.request.temperature,
            max_tokens=self.request.max_tokens,
            more_tokens=question.more_tokens,
            seed=self.request.seed,
            provider=self.provider,
            model=self.model,
        )


def brief(
    request: Requested,
    planner: agent.State,
    model: Model,
    tools: Sequence[ToolSpec],
    agents: Collection[str],
    now: datetime,
    memories: tuple[Memory, ...] = (),
) -> PlanningContext:
    """The context for the agent `planner` and the model `model`."""
    return PlanningContext(
        request=request,
        provider=model.provider,
        model=model.model,
        system=prompt.system(planner.prompt_template, tools, now),
        now=now,
        vocabulary=Vocabulary({tool.name: tool for tool in tools}, agents),
        memories=memories,
    )


def unusable(request: Requested, problem: str) -> Rejected:
    """The rejection if the model of the request cannot be called. `problem` says what to set."""
    if request.provider and request.model:
        error = "Invalid LLM provider configuration"
        return Rejected(http_status=400, error=error, details={"details": problem})
    return Rejected(http_status=503, error=problem)
