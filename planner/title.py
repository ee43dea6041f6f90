"""Asks the title agent for a short title of a plan. Planning does not fail without a title."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from contracts.domain.agent import TITLE_AGENT, Directory
from contracts.domain.model import ModelProblem, NoModel, resolve_model
from contracts.domain.prompts.templates import dates, fill
from contracts.llm import ChatRequest
from planner.reply import Reply

MAX_GOAL = 2000
"""Maximum characters of the goal in the request."""
MAX_TITLE = 120
"""Maximum characters of a title."""
_AROUND = " \t#*_`\"'\u2018\u2019\u201c\u201d\xab\xbb"
"""Characters that models put around titles."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed title."""

    reply: Reply

    @property
    def title(self) -> str | None:
        """The first line with text, without the characters around it."""
        lines = (line.strip(_AROUND) for line in self.reply.text.splitlines())
        return next((line[:MAX_TITLE].rstrip() for line in lines if line), None)


def title_request(
    agents: Directory, goal_text: str, now: datetime, problem: ModelProblem
) -> ChatRequest | None:
    """The request for a title; None if the agent is not active or no model can be called."""
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
