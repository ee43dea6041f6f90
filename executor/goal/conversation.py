"""The conversation of a goal run. It is rebuilt from the turns before each turn. Pure.

A conversation that is too long is cut, and notes say how much is missing:

- The newest turns are shown in full, as many as fit. In older turns every text is cut to SHORT_CHARS. The
  oldest turns are left out.
- One text, of the model or of a tool, has at most a quarter of `context_chars`. If a turn has more than half
  of it, all its texts are cut to the same length, but not below LEAST_CHARS.
- The arguments of a call count as one text and stay valid JSON: the strings in them are cut, or the arguments
  are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import orjson

from contracts.core.event import Json
from contracts.core.text import cut
from contracts.core.untrusted import NOTICE, as_data
from contracts.domain import memory, run
from contracts.domain.plan.placeholders import map_texts
from contracts.domain.prompts.constraints import as_lines
from contracts.domain.prompts.observations import Observed
from contracts.domain.prompts.templates import fill
from executor.goal.limits import LEAST_CHARS, SHORT_CHARS, Limits

LEAST_KEPT = 16
"""A string in the arguments of a call is never cut below this many characters."""
Message = dict[str, Json]
Observations = Mapping[tuple[int, int], Observed]
"""The results of tool calls, by turn and position."""

START = "This is the start. Think briefly about the way to the objective, then take the first step."
WHEN_DONE = "When the objective is reached, call no tool and answer with a summary."
GO_ON = f"That answer was cut short ({{reason}}). Go on from there. {WHEN_DONE}"
REOPENED = f"Some tool calls had failed when you finished. Try them again if they are needed. {WHEN_DONE}"
_CUT = {"length": "it was longer than max_tokens", "content_filter": "by a content filter"}


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """The system prompt of an agent."""

    template: str
    values: Mapping[str, Json]
    """Values of the names in the template."""
    memory: str = ""
    """The results so far, for `{{workingMemory}}`."""

    def system(self) -> str:
        """The template with its values filled in."""
        return fill(self.template, self.values)

    def mentions(self, name: str) -> bool:
        """Whether the template uses the name."""
        return fill(self.template, {name: ""}) != self.template


def conversation(
    loop: run.Loop, system_prompt: SystemPrompt, observed: Observations, limits: Limits
) -> list[Message]:
    """The messages for the next turn."""
    first = _first_message(loop, system_prompt)
    turns = fitting(loop.turns, observed, limits.context_chars - len(first), limits)
    return [
        {"role": "system", "content": system_prompt.system()},
        {"role": "user", "content": first},
        *turns,
    ]


def fitting(turns: Sequence[run.Turn], observed: Observations, room: int, limits: Limits) -> list[Message]:
    """The messages of the turns within `room` characters; the oldest are cut or left out."""
    blocks: list[list[Message]] = []
    whole = True
    left_out = list(turns)
    while left_out:
        turn = left_out[-1]
        block = _full(turn, observed, limits) if whole else _short(turn, observed)
        if whole and blocks and _size(block) > room:
            whole = False
            continue
        if blocks and _size(block) > room:
            break
        room -= _size(block)
        blocks.append(block)
        left_out.pop()
    messages = [message for block in reversed(blocks) for message in block]
    return [*_gap(left_out, observed), *messages]


def _first_message(loop: run.Loop, system_prompt: SystemPrompt) -> str:
    request = loop.request
    sections = [
        START,
        "" if system_prompt.mentions("objective") else f"# Objective\n{request.objective}",
        ""
        if system_prompt.mentions("constraints") or not request.constraints
        else f"# Constraints\n{as_lines(request.constraints)}",
        memory.as_section(loop.memories or ()),
        _working_memory(system_prompt),
    ]
    return "\n\n".join(filter(None, sections))


def _working_memory(system_prompt: SystemPrompt) -> str:
    if not system_prompt.memory or not system_prompt.mentions("workingMemory"):
        return ""
    return f"# Working memory\n{NOTICE}\n{as_data(system_prompt.memory, 'tool calls of this run')}"


def _full(turn: run.Turn, observed: Observations, limits: Limits) -> list[Message]:
    length = limits.text_chars
    block = list(_messages(turn, observed, length))
    while _size(block) > limits.turn_chars and length > LEAST_CHARS:
        length = max(length // 2, LEAST_CHARS)
        block = list(_messages(turn, observed, length))
    return block


def _short(turn: run.Turn, observed: Observations) -> list[Message]:
    return list(_messages(turn, observed, SHORT_CHARS))


def _messages(turn: run.Turn, observed: Observations, length: int) -> Iterator[Message]:
    """The messages of a turn. `length`: maximum characters of one text."""
    taken = turn.taken
    calls = [_call(call, length) for call in taken.calls]
    thought = cut(taken.thought, length)
    yield {"role": "assistant", "content": thought, **({"tool_calls": calls} if calls else {})}
    for position, call in enumerate(taken.calls):
        text = observed[turn.number, position].text
        yield {"role": "tool", "tool_call_id": call.id, "content": cut(text, length)}
    if not calls:
        yield {"role": "user", "content": _follow_up(taken)}


def _follow_up(taken: run.TurnTaken) -> str:
    """The user message after a turn without tool calls that is not the last turn."""
    if taken.problem is not None:
        return f"{taken.problem[:1].upper()}{taken.problem[1:]}. {WHEN_DONE}"
    if taken.finish_reason == "stop":
        return REOPENED
    return GO_ON.format(reason=_CUT.get(taken.finish_reason, taken.finish_reason))


def _call(call: run.Call, length: int) -> Json:
    written = _arguments(call.arguments, length)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": written}}


def _arguments(given: Json, length: int) -> str:
    whole = written = orjson.dumps(given).decode()
    kept = length
    while len(written) > length:
        kept //= 2
        if kept < LEAST_KEPT:
            return orjson.dumps({"left_out": f"{len(whole)} characters"}).decode()
        written = orjson.dumps(map_texts(given, partial(cut, limit=kept))).decode()
    return written


def _gap(left_out: Sequence[run.Turn], observed: Observations) -> list[Message]:
    if not left_out:
        return []
    texts = (one.text for (turn, _), one in observed.items() if turn <= len(left_out))
    size = sum(map(len, texts)) + sum(len(turn.taken.thought) for turn in left_out)
    what = f"The first {len(left_out)} turns ({size} characters) are left out here because of limited space."
    return [{"role": "user", "content": what}]


def _size(messages: Iterable[Message]) -> int:
    return sum(len(orjson.dumps(message)) for message in messages)
