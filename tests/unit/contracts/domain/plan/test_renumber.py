"""Plain numbers instead of whatever ids a model chose."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.domain.plan import Job, SubTask, renumber
from contracts.domain.plan.placeholders import id_key, placeholder


def job(*tasks: tuple[str, list[str], str]) -> Job:
    return Job.model_validate(
        {
            "original_request": "r",
            "intent": {"primary": "p", "sub_intents": []},
            "entities": [],
            "sub_tasks": [task(*parts) for parts in tasks],
            "synthesis_plan": "".join(placeholder(task_id) for task_id, _, _ in tasks),
        }
    )


def task(task_id: str, dependencies: list[str], prompt: str) -> dict[str, Any]:
    return {
        "id": task_id,
        "description": prompt,
        "thought": prompt,
        "action_type": "inference",
        "tool_or_prompt": {"name": "inference", "params": {"deep": [{"prompt": prompt}]}},
        "expected_output": prompt,
        "dependencies": dependencies,
    }


def prompt_of(sub_task: SubTask) -> str:
    text: str = sub_task.tool_or_prompt.params["deep"][0]["prompt"]
    return text


def test_ids_become_numbers_in_the_order_of_the_plan() -> None:
    plan = renumber(job(("b", ["none"], ""), ("a", ["b"], ""), ("7", ["a", "b"], "")))
    assert [(t.id, t.dependencies) for t in plan.sub_tasks] == [
        ("001", ("none",)),
        ("002", ("001",)),
        ("003", ("002", "001")),
    ]


def test_placeholders_follow_everywhere() -> None:
    plan = renumber(job(("10", [], ""), ("20", ["10"], "use <Results of Task 10>")))
    second = plan.sub_tasks[1]
    texts = (prompt_of(second), second.description, second.thought, second.expected_output)
    assert set(texts) == {"use <Result of Task 001>"}
    assert plan.synthesis_plan == "<Result of Task 001><Result of Task 002>"


def test_a_number_is_the_same_id_however_it_is_padded() -> None:
    plan = renumber(job(("01", [], ""), ("2", ["1"], "<Result of Task 001>")))
    assert plan.sub_tasks[1].dependencies == ("001",)
    assert prompt_of(plan.sub_tasks[1]) == "<Result of Task 001>"


def test_swapped_numbers_are_not_mixed_up() -> None:
    plan = renumber(job(("2", [], ""), ("1", ["2"], "<Result of Task 2>, not <Result of Task 1>")))
    assert prompt_of(plan.sub_tasks[1]) == "<Result of Task 001>, not <Result of Task 002>"


def test_ids_that_no_sub_task_has_stay() -> None:
    plan = renumber(job(("a", ["ghost"], "<Result of Task ghost>")))
    assert plan.sub_tasks[0].dependencies == ("ghost",)
    assert prompt_of(plan.sub_tasks[0]) == "<Result of Task ghost>"


def test_the_thousandth_id_has_four_digits() -> None:
    plan = renumber(job(*((f"t{n}", [], "") for n in range(1000))))
    assert (plan.sub_tasks[998].id, plan.sub_tasks[999].id) == ("999", "1000")


@st.composite
def plans(draw: st.DrawFn) -> Job:
    """Jobs without cycles, each prompt naming the dependencies."""
    ids = draw(
        st.lists(st.from_regex(r"[A-Za-z0-9_-]{1,4}", fullmatch=True), max_size=8, unique_by=id_key).map(
            lambda ids: [task_id for task_id in ids if task_id.lower() != "none"]
        )
    )
    tasks = []
    for n, task_id in enumerate(ids):
        needed = draw(st.lists(st.sampled_from(ids[:n]), unique=True)) if n else []
        tasks.append((task_id, needed, " ".join(map(placeholder, needed))))
    return job(*tasks)


@given(plans())
def test_the_shape_of_the_graph_and_what_prompts_refer_to_stay(plan: Job) -> None:
    place = {t.id: n for n, t in enumerate(plan.sub_tasks)}
    after = renumber(plan)
    new_place = {t.id: n for n, t in enumerate(after.sub_tasks)}
    for old, new in zip(plan.sub_tasks, after.sub_tasks, strict=True):
        assert [place[d] for d in old.dependencies] == [new_place[d] for d in new.dependencies]
        assert prompt_of(new) == " ".join(map(placeholder, new.dependencies))


@given(plans())
def test_numbering_twice_is_numbering_once(plan: Job) -> None:
    assert renumber(renumber(plan)) == renumber(plan)
