"""The prompts of a goal run: the system prompt of a turn, and the request for the summary. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.core.text import cut
from contracts.core.tool import ToolSpec
from contracts.core.untrusted import NOTICE, as_data
from contracts.domain import run
from contracts.domain.plan import in_zone
from contracts.domain.prompts.constraints import as_lines
from contracts.domain.prompts.observations import Observed
from contracts.domain.prompts.templates import dates, tool_texts
from executor.goal.conversation import Observations, SystemPrompt
from executor.goal.limits import SHORT_CHARS, Limits

NOTHING = "None"
BELOW = "The results of your tool calls are in the messages below."
"""Replaces `{{workingMemory}}` in a system prompt. The results are data, so they are in a user message."""
CLOSING = (
    "Write a plain final summary: what was done, what was found with its sources, and what remains open. "
    "State only what the steps show."
)
OBSERVED_CHARS = 1000
"""Maximum characters of one result in the request for the summary."""


def system_prompt(
    loop: run.Loop,
    template: str,
    tools: Sequence[ToolSpec],
    observed: Observations,
    now: datetime,
    limits: Limits,
) -> SystemPrompt:
    """The agent's prompt template and its values for the next turn."""
    request = loop.request
    memory = memory_text(list(observed.values()), limits.memory_chars)
    values = {
        **tool_texts(tools),
        **dates(in_zone(now, request.timezone)),
        "objective": request.objective,
        "constraints": as_lines(request.constraints) or NOTHING,
        "stepBudget": str(request.step_budget),
        "stepsRemaining": str(request.step_budget - len(loop.turns) - 1),
        "workingMemory": BELOW if memory else NOTHING,
    }
    return SystemPrompt(template, values, memory)


def memory_text(calls: Sequence[Observed], room: int) -> str:
    """The results so far by key, each cut to SHORT_CHARS, within `room` characters; the newest are kept."""
    lines: list[str] = []
    results = [call for call in calls if call.error is None]
    for call in reversed(results):
        line = f"{call.key}: {cut(call.text, SHORT_CHARS)}"
        if len(line) > room:
            lines.append(f"({len(results) - len(lines)} older results are left out)")
            break
        room -= len(line)
        lines.append(line)
    return "\n".join(reversed(lines))


def summary_prompt(loop: run.Loop, observed: Observations, limits: Limits) -> str:
    """The message that asks for the summary."""
    room = limits.context_chars
    steps: list[str] = []
    for turn in reversed(loop.turns):
        step = _step(turn, observed)
        room -= len(step)
        if room < 0 and steps:
            steps.append(f"(The first {turn.number} steps are left out here because of limited space.)")
            break
        steps.append(step)
    return "\n\n".join(
        [
            "The work on this objective has ended. Sum it up for the person who set it.",
            NOTICE,
            f"# Objective\n{loop.request.objective}",
            "# Steps\n" + "\n\n".join(reversed(steps)),
            CLOSING,
        ]
    )


def _step(turn: run.Turn, observed: Observations) -> str:
    said = [f"Step {turn.number}: {cut(turn.taken.thought, OBSERVED_CHARS * 4) or '(no comment)'}"]
    for position, call in enumerate(turn.taken.calls):
        text = cut(observed[turn.number, position].text, OBSERVED_CHARS)
        said.append(f"[{call.name}] {as_data(text, call.name)}")
    return "\n".join(said)
