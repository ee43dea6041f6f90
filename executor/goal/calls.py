"""The tool calls that a model asks for: accepts or refuses each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import orjson

from contracts.core.event import Json
from contracts.core.foreign_json import MAX_DEPTH, depth
from contracts.domain import run
from contracts.llm import Completion, ToolCall
from executor.goal.limits import MAX_CALLS

CUT = "The answer was cut short by max_tokens before the arguments were complete: write less in one call"


def read_calls(
    completion: Completion, offered: Collection[str], known: Collection[str]
) -> tuple[run.Call, ...]:
    """The tool calls of an answer, in order, each with a reason if it is refused.

    `offered`: tools that the run may call. `known`: all tools of the process.
    """
    seen: Counter[str] = Counter()
    calls = []
    for position, one in enumerate(completion.tool_calls):
        refusal = _refusal(one, position, offered, known)
        if one.error and completion.is_cut:
            refusal = f"{refusal}. {CUT}"
        id_ = one.id if not seen[one.id] else f"{one.id}_{position}"
        seen[one.id] += 1
        arguments = {} if refusal and not _storable(one.arguments) else dict(one.arguments)
        calls.append(run.Call(id=id_, name=one.name, arguments=arguments, refusal=refusal))
    return tuple(calls)


def _refusal(call: ToolCall, position: int, offered: Collection[str], known: Collection[str]) -> str | None:
    if call.error:
        return f"{call.error}. Call it again with valid arguments"
    if call.name not in offered:
        choice = f"You may call: {', '.join(offered) or 'nothing'}"
        if call.name in known:
            return f"{call.name} is not allowed in this run. {choice}"
        return f"Tool not found: {call.name[:64]}. {choice}"
    if position >= MAX_CALLS:
        return f"only the first {MAX_CALLS} calls of one answer are executed; make this one in the next"
    if not _storable(call.arguments):
        return (
            f"the arguments of {call.name} have a number beyond 64 bits, or more than {MAX_DEPTH} levels; "
            "write the number as a string, or make them flatter"
        )
    return None


def _storable(arguments: Json) -> bool:
    if depth(arguments) > MAX_DEPTH:
        return False
    try:
        orjson.dumps(arguments)
    except TypeError:
        return False
    return True
