"""Which steps have untrusted results. Pure: it follows from the events of the run and from the tools."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import Any

from contracts.core.event import Json
from contracts.core.tool import Source
from contracts.domain import run
from contracts.domain.plan.placeholders import find
from contracts.domain.run import SUMMARY, Loop, call_step
from contracts.domain.run.steps import Graph, Step
from executor.tools.tool import Tool

Tools = Mapping[str, Tool[Any]]


def is_untrusted(state: run.State, step: Step, tools: Tools) -> bool:
    """Whether the result of a step that can start will be untrusted."""
    task = step.task
    if task.is_inference:
        return has_untrusted_input(state, step) or _reads_third_parties(state, task.id, tools)
    tool = tools.get(task.tool_or_prompt.name)
    if tool is None:
        return True
    if tool.source is Source.PERSON:
        return False
    if tool.source is Source.OUTSIDE and not _reads_trusted_file(state, step, tool):
        return True
    return has_untrusted_input(state, step)


def has_untrusted_input(state: run.State, step: Step) -> bool:
    """Whether the parameters or the prompt of a step may be made of something untrusted."""
    if state.loop:
        return _follows_untrusted(state.loop, step.task.id, state.untrusted)
    if state.request and state.request.untrusted_plan:
        return True
    return bool(state.untrusted) and any(one in state.untrusted for one in _inputs(state.graph, step))


def steps_in(graph: Graph, value: Json) -> list[str]:
    """The steps whose results the placeholders in `value` insert."""
    return sorted(graph.id_of(written) for written in find(value))


def _inputs(graph: Graph, step: Step) -> Iterator[str]:
    yield from step.needs
    yield from steps_in(graph, step.task.tool_or_prompt.params)


def _follows_untrusted(loop: Loop, step: str, untrusted: frozenset[str]) -> bool:
    """Whether the conversation was untrusted when a turn or call of an agent was decided."""
    turn, _, position = step.partition(".")
    if position:
        return turn in untrusted
    before = len(loop.turns) if step == SUMMARY else int(turn) - 1
    if not before:
        return any(one.untrusted for one in (loop.started.memories if loop.started else ()))
    calls = len(loop.turns[before - 1].taken.calls)
    return str(before) in untrusted or any(call_step(before, n) in untrusted for n in range(calls))


def _reads_third_parties(state: run.State, step: str, tools: Tools) -> bool:
    """Whether the model is shown tools that a third party has described. Only turns are shown tools."""
    if not state.loop or not state.loop.started or step == SUMMARY:
        return False
    return any(tools[name].third_party for name in state.loop.started.tools if name in tools)


def _reads_trusted_file(state: run.State, step: Step, tool: Tool[Any]) -> bool:
    if tool.reads_file is None:
        return False
    path = tool.accepts.as_declared(step.task.tool_or_prompt.params).get(tool.reads_file)
    return isinstance(path, str) and normpath(path) in state.trusted_files
