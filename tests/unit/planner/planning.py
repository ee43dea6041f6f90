"""A goal, a plan for it, and what the planner decides about an answer."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from contracts.core.event import Event
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag
from contracts.domain.dag import DAG, AttemptMade
from planner.planning import Judgement, Question, Vocabulary, conclude, judge, next_question
from planner.reply import Reply

GOAL = "Find the tallest tower and write about it"
REQUESTED = dag.Requested(goal_text=GOAL, agent_name="Decomposer")
SEARCH = ToolSpec(
    name="webSearch",
    description="searches",
    effect=Effect.READ,
    parameters={
        "type": "object",
        "properties": {"query": {"type": "string"}},
        "required": ["query"],
        "additionalProperties": False,
    },
)
WORDS = Vocabulary({"webSearch": SEARCH}, frozenset({"inference"}))


def task(task_id: str, *needs: str, name: str = "webSearch", **params: Any) -> dict[str, Any]:
    inference = name == "inference"
    return {
        "id": task_id,
        "description": f"do {task_id}",
        "thought": "needed",
        "action_type": "inference" if inference else "tool",
        "tool_or_prompt": {"name": name, "params": params or {"prompt" if inference else "query": "towers"}},
        "expected_output": "text",
        "dependencies": list(needs) or ["none"],
    }


PLAN: dict[str, Any] = {
    "original_request": "the model's words",
    "intent": {"primary": "research", "sub_intents": ["find"]},
    "entities": [{"entity": "tower", "type": "thing", "grounded_value": "a tall building"}],
    "sub_tasks": [
        task("a"),
        task("b", "a", name="inference", prompt="<Result of Task a> Summarise."),
    ],
    "synthesis_plan": "one page",
    "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
    "clarification_needed": False,
}


def plan(**changes: Any) -> str:
    return f"```json\n{json.dumps({**deepcopy(PLAN), **changes})}\n```"


def rated(coverage: str, *gaps: str) -> dict[str, Any]:
    return {"coverage": coverage, "gaps": list(gaps), "iteration_triggers": []}


def judged(text: str, **details: Any) -> Judgement:
    return judge(GOAL, Reply(text, **details), WORDS)


def question(*history: Event) -> Question:
    return next_question(DAG.fold([REQUESTED, *history]), "You plan.", GOAL)


def concluded(text: str, *history: Event, words: Vocabulary = WORDS) -> list[Event]:
    reply = Reply(text)
    state = DAG.fold([REQUESTED, *history])
    return conclude(state, question(*history), reply, judge(GOAL, reply, words))


def unreadable(number: int, answer: str = "prose") -> AttemptMade:
    return AttemptMade(
        attempt=number, reason="initial", error="no JSON", answer=answer, retry="retry_parse_error"
    )
