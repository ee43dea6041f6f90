"""What an answer of the model means for a plan, and what the model is asked next."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from contracts.core.event import Event, Usage
from contracts.core.spent import Spent
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag
from contracts.domain.dag import DAG, AttemptMade, ClarificationAsked, Planned, Rejected
from planner.planning import (
    MAX_ANSWER,
    MAX_TOLD,
    Fault,
    Question,
    Verdict,
    Vocabulary,
    conclude,
    judge,
    next_question,
    with_title,
)
from planner.prompt import MAX_SHOWN
from planner.reply import Reason, Reply
from planner.title import Proposal

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


def judged(text: str, **details: Any) -> Verdict:
    return judge(GOAL, Reply(text, **details), WORDS)


def fault(text: str, **details: Any) -> Fault:
    verdict = judged(text, **details)
    assert isinstance(verdict, Fault)
    return verdict


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


# ── what an answer is worth ─────────────────────────────────────────────────────────────────────────────


def test_a_covering_plan_is_done_renumbered_and_says_the_goal_as_it_was_given() -> None:
    verdict = judged(plan())

    assert isinstance(verdict, Planned)
    assert verdict.job.original_request == GOAL
    assert [one.id for one in verdict.job.sub_tasks] == ["001", "002"]
    assert verdict.job.sub_tasks[1].dependencies == ("001",)
    assert verdict.job.sub_tasks[1].tool_or_prompt.params == {"prompt": "<Result of Task 001> Summarise."}
    assert verdict.job.entities[0].grounded_value == "a tall building"
    assert verdict.job.synthesis_plan == "one page"


@pytest.mark.parametrize(
    ("validation", "done"),
    [
        (rated("high"), True),
        (rated("high", "a detail"), True),
        (rated("low"), True),
        (rated("medium", " "), True),
        (rated("medium", "the height"), False),
        (rated("low", "the height"), False),
        (rated("HIGH", "the height"), False),
        ({}, True),
    ],
)
def test_only_gaps_without_high_coverage_call_for_another_plan(
    validation: dict[str, Any], done: bool
) -> None:
    verdict = judged(plan(validation=validation))

    assert isinstance(verdict, Planned) is done
    if isinstance(verdict, Fault):
        assert verdict == Fault(
            Rejected(
                http_status=500,
                error="Failed to create DAG after maximum attempts",
                details={"max_attempts": 3},
            ),
            gaps=("the height",),
            retry=Reason.GAPS,
        )


@pytest.mark.parametrize("coverage", ["high", "low"])
def test_a_question_to_the_user_goes_before_everything_else(coverage: str) -> None:
    text = plan(
        clarification_needed=True,
        clarification_query="Which one?",
        sub_tasks=[task("1", name="teleport")],
        validation=rated(coverage, "which"),
    )

    verdict = judged(text)

    assert isinstance(verdict, ClarificationAsked)
    assert verdict.query == "Which one?"
    assert verdict.job.original_request == "the model's words"


@pytest.mark.parametrize("text", ["I would search the web.", "", plan()[:200], "```json\n{'a\n```"])
def test_an_answer_without_json_is_unreadable(text: str) -> None:
    found = fault(text)

    assert found.retry is Reason.UNREADABLE
    assert found.error
    assert found.rejected == Rejected(
        http_status=500,
        error="LLM response is not valid JSON after multiple attempts",
        details={"attempts": 3, "responsePreview": text},
    )


def test_the_client_sees_the_beginning_of_an_unreadable_answer() -> None:
    assert fault("x" * 2000).rejected.details["responsePreview"] == "x" * 500


def test_a_model_that_ran_out_of_tokens_is_told_to_be_brief() -> None:
    assert "shorter" in (fault(plan()[:300], cut_off=True).error or "")


def test_json_that_is_no_plan_is_invalid_and_the_issues_say_where() -> None:
    without = {key: value for key, value in PLAN.items() if key != "intent"}

    found = fault(json.dumps(without))

    assert found.retry is Reason.INVALID
    assert found.rejected.http_status == 400
    assert found.rejected.error == "Invalid DAG structure after multiple attempts"
    assert found.rejected.details == {
        "validation_errors": [
            {
                "code": "invalid_type",
                "expected": "object",
                "received": "undefined",
                "path": ["intent"],
                "message": "Required",
            }
        ],
        "attempts": 3,
        "result": without,
    }
    assert json.loads(found.error or "") == found.rejected.details["validation_errors"]


@pytest.mark.parametrize(
    ("tasks", "where", "what"),
    [
        ([task("1", name="teleport")], ["sub_tasks", 0, "tool_or_prompt", "name"], "teleport"),
        ([task("1"), task("1")], ["sub_tasks", 1, "id"], "taken"),
        ([task("1", "7")], ["sub_tasks", 0, "dependencies", 0], "no sub-task"),
        ([task("1", "2"), task("2", "1")], ["sub_tasks"], "circle"),
        ([task("1", q="x")], ["sub_tasks", 0, "tool_or_prompt", "params", "query"], "query"),
        ([], ["sub_tasks"], "nothing to do"),
    ],
)
def test_a_plan_that_cannot_be_executed_is_invalid(tasks: list[Any], where: list[Any], what: str) -> None:
    found = fault(plan(sub_tasks=tasks))

    assert found.retry is Reason.INVALID
    issues = found.rejected.details["validation_errors"]
    assert where in [issue["path"] for issue in issues]
    assert what in str(issues)


def test_an_agent_that_does_not_exist_makes_a_plan_invalid() -> None:
    unknown = task("1", name="poet", prompt="Rhyme.") | {"action_type": "inference"}

    assert "poet" in (fault(plan(sub_tasks=[unknown])).error or "")


def test_problems_and_gaps_are_told_together() -> None:
    found = fault(plan(sub_tasks=[task("1", name="teleport")], validation=rated("low", "the height")))

    assert (found.retry, found.gaps) == (Reason.INVALID, ("the height",))


def test_of_many_and_huge_problems_only_so_much_is_kept() -> None:
    huge = [{**task(str(n)), "action_type": "x" * 20_000, "thought": n} for n in range(4)]
    many = [task(str(n), name="teleport") for n in range(90)]

    assert len(fault(plan(sub_tasks=huge)).error or "") < 6000
    assert len(json.loads(fault(plan(sub_tasks=many)).error or "")) == MAX_TOLD


def test_of_several_fences_the_plan_is_the_one_that_validates_latest_first() -> None:
    draft = plan(synthesis_plan="a draft")
    final = plan(synthesis_plan="corrected")
    broken = plan(sub_tasks=[])
    example = '```json\n{"name": "example", "x": 1}\n```'
    for answer in (f"{draft}\nBetter:\n{final}", f"{final}\n{example}", f"{final}\n{broken}"):
        verdict = judged(answer)
        assert isinstance(verdict, Planned)
        assert verdict.job.synthesis_plan == "corrected"


def test_a_draft_is_not_used_when_the_plan_after_it_was_cut_off() -> None:
    assert fault(f"{plan()}\nBetter:\n{plan()[:-40]}").retry is Reason.UNREADABLE


def test_of_several_plans_that_do_not_validate_the_latest_is_complained_about() -> None:
    first, second = plan(sub_tasks=[task("a", name="nonesuch")]), plan(sub_tasks=[task("a", "z")])
    told = fault(f'{first}\n{second}\n```json\n{{"note": 1}}\n```').error
    assert "no sub-task has the id 'z'" in str(told)


def test_ids_and_dependencies_may_be_numbers_text_or_null() -> None:
    first, second = task("1"), task("2", name="inference", prompt="<result_of_task_1> Summarise.")
    odd = plan(sub_tasks=[{**first, "id": 1, "dependencies": None}, {**second, "id": 2, "dependencies": "1"}])
    verdict = judged(odd)
    assert isinstance(verdict, Planned)
    _, last = verdict.job.sub_tasks
    assert last.dependencies == ("001",)
    assert last.tool_or_prompt.params["prompt"] == "<Result of Task 001> Summarise."


def test_a_placeholder_that_is_unclear_is_told_to_the_model() -> None:
    two = task("c", "a", "b", name="inference", prompt="<Result of Task a and b>")
    told = fault(plan(sub_tasks=[task("a"), task("b"), two])).error
    assert "<Result of Task a and b> is not a valid placeholder" in str(told)


def test_a_plan_with_as_many_steps_as_there_may_be_is_not_too_long() -> None:
    steps = [task(f"{n:04}") for n in range(2000)]
    document = {**deepcopy(PLAN), "sub_tasks": steps}
    assert isinstance(judged(json.dumps(document, indent=4)), Planned)


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_an_answer_that_is_too_long_is_not_asked_for_again(extra: int, fits: bool) -> None:
    text = plan().ljust(MAX_ANSWER + extra)

    verdict = judged(text)

    assert isinstance(verdict, Planned) is fits
    if not fits:
        error = f"Response too large: {MAX_ANSWER + extra} bytes"
        rejected = Rejected(http_status=500, error=error, details={"maxSize": 2_000_000})
        assert verdict == Fault(rejected, error)


def test_a_model_that_cannot_be_reached_ends_planning_with_its_error() -> None:
    verdict = judge(GOAL, Reply(error="openai answered 500"), WORDS)

    assert verdict == Fault(Rejected(http_status=500, error="openai answered 500"), "openai answered 500")


# ── what follows from it ────────────────────────────────────────────────────────────────────────────────


def test_the_last_attempt_and_the_end_of_planning_are_one_decision() -> None:
    reply = Reply(plan(), spent=Spent(usage=Usage(prompt_tokens=3), cost_usd="0.01"), stats={"id": "x"})
    verdict = judge(GOAL, reply, WORDS)

    made, end = conclude(DAG.fold([REQUESTED]), question(), reply, verdict)

    assert end == verdict
    assert made == AttemptMade(
        attempt=1,
        reason="initial",
        usage=Usage(prompt_tokens=3),
        cost_usd="0.01",
        generation_stats={"id": "x"},
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("prose", Reason.UNREADABLE),
        (plan(intent=None), Reason.INVALID),
        (plan(validation=rated("low", "the height")), Reason.GAPS),
    ],
)
@pytest.mark.parametrize("before", [0, 1, 2])
def test_three_attempts_are_all_whatever_was_wrong(text: str, reason: Reason, before: int) -> None:
    history = [unreadable(n + 1) for n in range(before)]

    made, *end = concluded(text, *history)

    assert isinstance(made, AttemptMade)
    assert made.attempt == before + 1
    assert made.reason == ("retry_parse_error" if before else "initial")
    assert made.answer == text
    assert made.retry == (None if before == 2 else reason)
    assert [type(event) for event in end] == ([Rejected] if before == 2 else [])


def test_attempts_begin_anew_after_a_clarification() -> None:
    asked = judged(plan(clarification_needed=True, clarification_query="Which?"))
    assert isinstance(asked, ClarificationAsked)
    history = (unreadable(1), unreadable(2), AttemptMade(attempt=3, reason="retry_parse_error"), asked)
    state = DAG.fold([REQUESTED, *history, dag.Clarified(answer="The one in Dubai")])

    asking = next_question(state, "You plan.", state.goal_text)
    events = conclude(state, asking, Reply("prose"), judged("prose"))

    assert asking.messages[1]["content"] == f"{GOAL}\n\nUser clarification: The one in Dubai"
    assert [event.attempt for event in events if isinstance(event, AttemptMade)] == [1]
    assert len(events) == 1


def test_a_title_is_no_attempt_at_a_plan() -> None:
    title = AttemptMade(attempt=1, reason="title_master")

    assert len(concluded("prose", unreadable(1), title)) == 1


def test_what_is_kept_of_an_answer_is_bounded() -> None:
    (made,) = concluded("x" * (MAX_SHOWN + 1))

    assert isinstance(made, AttemptMade)
    assert made.answer == "x" * MAX_SHOWN


@pytest.mark.parametrize(
    "meanwhile",
    [
        (Rejected(http_status=500, error="by another planner"),),
        (dag.Deleted(),),
        (ClarificationAsked(query="Which?", job=judged(plan()).job), dag.Clarified(answer="this")),  # type: ignore[union-attr]
    ],
)
def test_an_answer_nobody_waits_for_any_more_is_nothing(meanwhile: tuple[Event, ...]) -> None:
    """Another planner came first, the DAG was deleted, or the goal is another one now."""
    state = DAG.fold([REQUESTED, *meanwhile])

    assert conclude(state, question(), Reply(plan()), judged(plan())) == []


def test_an_answer_counts_after_what_another_planner_added_meanwhile() -> None:
    state = DAG.fold([REQUESTED, unreadable(1), unreadable(2)])

    made, end = conclude(state, question(), Reply("prose"), judged("prose"))

    assert isinstance(made, AttemptMade)
    assert (made.attempt, made.reason) == (3, "initial")
    assert isinstance(end, Rejected)


# ── what is asked ───────────────────────────────────────────────────────────────────────────────────────


def test_the_first_question_is_the_goal() -> None:
    asking = question()

    assert asking.reason is Reason.INITIAL
    assert asking.messages == (
        {"role": "system", "content": "You plan."},
        {"role": "user", "content": GOAL},
    )


def test_after_an_unreadable_answer_the_model_sees_error_and_answer() -> None:
    asking = question(unreadable(1, answer="Let me think"))

    text = asking.messages[-1]["content"]
    assert asking.reason is Reason.UNREADABLE
    assert text.startswith(f"{GOAL}\n\n")
    assert "could not be read as JSON: no JSON" in text
    assert "<<<\nLet me think\n>>>" in text


def test_after_an_invalid_plan_the_model_sees_each_problem_in_its_place() -> None:
    bad = plan(sub_tasks=[task("1", name="teleport")], validation=rated("low", "the height"))

    asking = question(*concluded(bad))

    text = asking.messages[-1]["content"]
    assert asking.reason is Reason.INVALID
    assert "- sub_tasks[0].tool_or_prompt.name: there is no tool 'teleport'" in text
    assert "1. the height" in text
    assert bad in text


def test_after_gaps_the_model_sees_the_goal_and_only_the_newest_gaps() -> None:
    first = concluded(plan(validation=rated("low", "the height", "the year")))
    second = concluded(plan(validation=rated("low", "the owner")), *first)

    text = question(*first, *second).messages[-1]["content"]

    assert question(*first).reason is Reason.GAPS
    assert "1. the height\n2. the year" in question(*first).messages[-1]["content"]
    assert text.startswith(GOAL)
    assert "1. the owner" in text
    assert "the height" not in text


def test_a_long_answer_is_shown_cut() -> None:
    text = question(unreadable(1, answer="x" * MAX_SHOWN)).messages[-1]["content"]

    assert "… (cut)" in text


# ── the title ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Towers of Dubai", "Towers of Dubai"),
        ('"Towers of Dubai"\n\nI chose this because …', "Towers of Dubai"),
        ("\n\n# **Towers**", "Towers"),
        ("\u201cTowers\u201d ", "Towers"),
        ("x" * 500, "x" * 120),
        ("", None),
        ("''\n", None),
    ],
)
def test_a_title_is_one_bare_line(answer: str, title: str | None) -> None:
    assert Proposal(Reply(answer)).title == title


def test_the_title_is_told_with_its_own_attempt_of_the_same_number() -> None:
    usage = Usage(prompt_tokens=5, completion_tokens=2)

    *_, titled, end = with_title(
        concluded(plan(), unreadable(1)), Proposal(Reply("Towers", spent=Spent(usage=usage, cost_usd="0.02")))
    )

    assert titled == AttemptMade(attempt=2, reason="title_master", usage=usage, cost_usd="0.02")
    assert isinstance(end, Planned)
    assert end.title == "Towers"


def test_a_title_that_could_not_be_made_is_told_and_harms_nothing() -> None:
    *_, titled, end = with_title(concluded(plan()), Proposal(Reply(error="429")))

    assert titled == AttemptMade(attempt=1, reason="title_master", error="429")
    assert isinstance(end, Planned)
    assert end.title is None


@pytest.mark.parametrize("events", [[], concluded("prose")])
def test_a_title_waits_for_the_end_of_planning(events: list[Event]) -> None:
    assert with_title(events, Proposal(Reply("Towers"))) == events
