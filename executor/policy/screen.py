"""Screens the steps of a run before they start: are their results untrusted, may their calls be made?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.core.event import BlobRef, Json
from contracts.core.outcome import Reject
from contracts.core.text import cut
from contracts.core.tool import Outward
from contracts.domain import run
from contracts.domain.outward import OutwardCalls, Ruling, strictest
from contracts.domain.plan.placeholders import SYNTAX, compact
from contracts.domain.plan.tool_params import tool_params
from contracts.domain.run import Screening
from contracts.domain.run.steps import Step
from executor.policy.destination import parts, who_named
from executor.policy.rules import Rules
from executor.policy.taint import Tools, has_untrusted_input, is_untrusted, steps_in
from executor.tools.tool import Tool

SHOWN_CHARS = 200
"""Maximum characters of a destination in a reason."""

_TRUSTED, _UNTRUSTED = Screening(), Screening(untrusted=True)


@dataclass(frozen=True, slots=True)
class Screen:
    """Screens steps by the tools and the rules of this process."""

    tools: Tools
    rules: Rules

    def of(self, state: run.State, step: Step) -> Screening:
        """The screening of a step that can start."""
        untrusted = is_untrusted(state, step, self.tools)
        tool = None if step.task.is_inference else self.tools.get(step.task.tool_or_prompt.name)
        if tool is None or tool.outward is None:
            return _UNTRUSTED if untrusted else _TRUSTED
        return Screening(untrusted, self._ruling(state, step, tool, tool.outward))

    def _ruling(self, state: run.State, step: Step, tool: Tool[Any], outward: Outward) -> Ruling:
        policy = strictest(self.rules.outward_calls, _own_policy(state))
        match policy:
            case "allow":
                reason = "every call that sends something to others may be made"
                return Ruling(decision="allow", policy=policy, reason=reason)
            case "ask":
                reason = f"{tool.name} sends something to others: a person must approve every such call"
                return Ruling(decision="ask", policy=policy, reason=reason)
            case "forbid":
                reason = f"{tool.name} sends something to others, which OUTWARD_CALLS or the goal forbids"
                return Ruling(decision="forbid", policy=policy, reason=reason)
        choices = list(_Destination(state, step, tool, outward, self.rules).choices())
        open_ = [one for one in choices if not one.is_fixed]
        reason = (open_ or choices or [_NOWHERE])[0].reason
        return Ruling(decision="ask" if open_ else "allow", policy=policy, reason=reason)


@dataclass(frozen=True, slots=True)
class _Choice:
    """Who chose one parameter of a destination."""

    reason: str
    is_fixed: bool = True


_NOWHERE = _Choice("no destination is given")


@dataclass(frozen=True, slots=True)
class _Destination:
    """The destination of a call."""

    state: run.State
    step: Step
    tool: Tool[Any]
    outward: Outward
    rules: Rules

    def choices(self) -> Iterator[_Choice]:
        """Who chose each parameter of the destination."""
        given = self.tool.accepts.as_declared(self.step.task.tool_or_prompt.params)
        names = given if self.outward.parameters is None else self.outward.parameters
        for name in names:
            if given.get(name) is not None:
                yield self._choice(name, given[name])
            elif name in self.tool.filled_from_results and has_untrusted_input(self.state, self.step):
                yield _Choice(f"{name} is filled from results from outside", is_fixed=False)

    def _choice(self, name: str, value: Json) -> _Choice:
        """Who chose a parameter, in the order: the plan or the goal, a trusted step, something untrusted."""
        steps = [] if self.state.loop else steps_in(self.state.graph, value)
        by = self._untrusted_author(value, steps)
        if by is None:
            return _Choice(f"{name} was fixed before anything from outside came in")
        texts = list(trusted_texts(self.state))
        named = "the goal"
        for part in filter(None, parts(self._resolved(name, value, steps), self.outward)):
            who = who_named(part, self.outward, texts, self.rules)
            if who is None:
                return _Choice(f"{name}: {cut(part, SHOWN_CHARS)} {by}", is_fixed=False)
            named = who
        return _Choice(f"{name} is named by {named}")

    def _untrusted_author(self, value: Json, steps: Sequence[str]) -> str | None:
        """How something untrusted may have chosen `value`, which has results of `steps`; None: it cannot."""
        if self.state.loop:
            is_open = has_untrusted_input(self.state, self.step)
            return "was chosen after something from outside had come in" if is_open else None
        if untrusted := [step for step in steps if step in self.state.untrusted]:
            return f"comes from step {', '.join(untrusted)}, whose result is from outside"
        if self.state.request and self.state.request.untrusted_plan and not _is_one_result(value):
            return "is in a plan that was made after something from outside had come in"
        return None

    def _resolved(self, name: str, value: Json, steps: Sequence[str]) -> Json:
        """The parameter as the call gets it. Large results are left out: they are no destination."""
        if not steps:
            return value
        done = self.state.done
        results = {one: done[one] for one in steps if one in done and BlobRef.of(done[one]) is None}
        try:
            return tool_params(self.tool.spec, {name: value}, (), results)[name]
        except Reject:
            return value


def trusted_texts(state: run.State) -> Iterator[str]:
    """The texts of a run that its owner wrote: the goal, its parameters, and the prompt of its agent."""
    if state.request:
        yield state.request.original_request
    if state.loop:
        yield state.loop.request.objective
        if state.loop.request.constraints:
            yield compact(state.loop.request.constraints)
        if state.loop.started:
            yield state.loop.started.agent.prompt_template


def _is_one_result(value: Json) -> bool:
    """Whether `value` is nothing but the result of a step."""
    return isinstance(value, str) and SYNTAX.fullmatch(value.strip()) is not None


def _own_policy(state: run.State) -> OutwardCalls | None:
    if state.loop:
        return state.loop.request.outward_calls
    return state.request.job.outward_calls if state.request else None
