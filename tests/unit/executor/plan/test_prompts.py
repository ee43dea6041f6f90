"""What a model is told of the results it builds on: once, and never more than there is room for."""

from __future__ import annotations

import pytest

from contracts.core.event import Json
from contracts.domain.plan import Job
from executor.plan.prompts import REPORT_CHARS, STEP_CHARS, Excerpt, inference_prompt, synthesis_prompt
from tests import jobs

AROUND = 3_000
"""Characters of everything that is no result, at most."""
MARK = 50
"""Characters that mark a result as data, at most."""


def job(prompt: Json, *needs: str) -> Job:
    said = {"prompt": prompt}
    others = [jobs.task(need, "inference", said) for need in needs]
    return jobs.job(*others, jobs.task("9", "inference", said, needs=needs))


def told(prompt: Json, **results: Json) -> str:
    given = {name.strip("_"): result for name, result in results.items()}
    plan = job(prompt, *given)
    return inference_prompt(plan, plan.sub_tasks[-1], tuple(given), given)


def test_a_result_that_the_instruction_holds_is_not_shown_again() -> None:
    text = told("Use <Result of Task 1>", _1="apples", _2="pears")
    assert (text.count("apples"), text.count("pears")) == (1, 1)
    assert '# Instruction\nUse <data origin="Task 1">\napples\n</data>' in text
    assert '[Task 2]: <data origin="Task 2">\npears\n</data>' in text
    assert "[Task 1]: (its result stands in the instruction below)" in text


def test_results_inside_a_structured_instruction_are_found_too() -> None:
    text = told({"ask": ["<Results from Task 01>"]}, _1={"n": 1})
    assert '<data origin=\\"Task 1\\">\\n{\\"n\\":1}\\n</data>"]}' in text
    assert text.count("its result stands") == 1


@pytest.mark.parametrize("times", [1, 3, 200])
def test_an_instruction_has_no_more_of_a_large_result_than_there_is_room_for(times: int) -> None:
    text = told("<Result of Task 1> " * times, _1="x" * 3_000_000)
    assert STEP_CHARS - 1_000 <= text.count("x") <= STEP_CHARS + 100
    assert len(text) < STEP_CHARS + AROUND + times * MARK
    assert f"results longer than {STEP_CHARS // times} characters are cut to that" in text


def test_instruction_and_dependencies_share_the_room() -> None:
    text = told("<Result of Task 1>", _1="x" * STEP_CHARS, _2="y" * STEP_CHARS, _3="z" * 100)
    assert len(text) < STEP_CHARS + AROUND
    assert "z" * 100 in text
    assert abs(text.count("x" * 100) - text.count("y" * 100)) <= 1


def test_a_result_that_fits_is_whole_and_no_cut_is_mentioned() -> None:
    text = told("Compare", _1="x" * (STEP_CHARS // 2), _2="y" * (STEP_CHARS // 2))
    assert text.count("y") >= STEP_CHARS // 2
    assert "are cut to that length" not in text


def test_the_report_of_a_thousand_large_results_has_a_part_of_each_and_says_how_much() -> None:
    text = synthesis_prompt(job("think"), {f"{n:04}": "x" * 50_000 for n in range(2_000)})
    assert len(text) < REPORT_CHARS + 2_000 * (30 + MARK)
    assert text.count("x" * 100 + "…") == 2_000
    assert "results longer than 100 characters are cut to that" in text


def test_short_results_are_whole_beside_long_ones() -> None:
    text = synthesis_prompt(job("think"), {"1": "x" * 10 * REPORT_CHARS, "2": {"n": "short"}})
    assert '{\n  "n": "short"\n}' in text
    assert len(text) < REPORT_CHARS + AROUND


@pytest.mark.parametrize(
    ("lengths", "room", "limit"),
    [([], 10, None), ([10], 10, None), ([11], 10, 10), ([2, 8, 8], 12, 5), ([1, 1, 1, 9], 12, None)],
)
def test_the_room_is_shared(lengths: list[int], room: int, limit: int | None) -> None:
    assert Excerpt.fitting(lengths, room).limit == limit
