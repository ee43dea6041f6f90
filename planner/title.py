"""A short title for a goal, by the agent that makes titles; planning never fails for want of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.domain.agent import TITLE_AGENT, Directory
from contracts.domain.model import ModelProblem, NoModel, resolve_model
from contracts.domain.prompts.templates import dates, fill
from contracts.llm import ChatRequest
from planner.reply import Reply

MAX_GOAL = 2000
"""Characters of the goal that the agent reads."""
MAX_TITLE = 120
"""Characters."""
_AROUND = " \t#*_`\"'\u2018\u2019\u201c\u201d\xab\xbb"
"""What models put around titles."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the agent said."""

    reply: Reply

    @property
    def title(self) -> str | None:
        """The first line that says something, bare."""
        lines = (line.strip(_AROUND) for line in self.reply.text.splitlines())
        return next((line[:MAX_TITLE].rstrip() for line in lines if line), None)


def title_request(
    agents: Directory, goal_text: str, now: datetime, problem: ModelProblem
) -> ChatRequest | None:
    """The call that asks for a title; None when no version of the agent is active."""
    entry = agents.active(TITLE_AGENT)
    if entry is None:
        return None
    asked = resolve_model(entry.state, problem)
    if isinstance(asked, NoModel):
        return None
    return ChatRequest(
        messages=(
            {"role": "system", "content": f"Task: {fill(entry.state.prompt_template, dates(now))}"},
            {"role": "user", "content": goal_text[:MAX_GOAL]},
        ),
        provider=asked.provider,
        model=asked.model,
    )
