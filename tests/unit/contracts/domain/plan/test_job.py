"""The job as a model returns it: what is tolerated, what is refused, what it looks like as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from contracts.domain.issues import issues
from contracts.domain.plan import Job, SubTask, dated, job_schema


def sub_task(task_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": task_id,
        "description": "d",
        "thought": "t",
        "action_type": "inference",
        "tool_or_prompt": {"name": "inference", "params": {"prompt": "p"}},
        "expected_output": "e",
        "dependencies": list(dependencies),
        **fields,
    }


def job(*tasks: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "original_request": "r",
        "intent": {"primary": "p", "sub_intents": ["s"]},
        "entities": [{"entity": "e", "type": "t", "grounded_value": "v"}],
        "sub_tasks": list(tasks),
        "synthesis_plan": "merge",
        "validation": {"coverage": "high", "gaps": [], "iteration_triggers": ["x"]},
        "clarification_needed": False,
        **fields,
    }


def without(data: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in keys}


def complaints(data: Any) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        Job.model_validate(data)
    return issues(caught.value, Job)


def test_a_job_reads_and_writes_the_same_json() -> None:
    data = job(sub_task("001"), sub_task("002", "001"))
    assert Job.model_validate(data).model_dump(mode="json", exclude_none=True) == data


def test_extra_keys_are_dropped() -> None:
    data = job(sub_task("001", note="n"), remark="r")
    assert Job.model_validate(data) == Job.model_validate(job(sub_task("001")))


def test_keys_that_models_omit_have_defaults() -> None:
    plan = Job.model_validate(without(job(), "synthesis_plan", "validation", "clarification_needed"))
    assert (plan.synthesis_plan, plan.validation.coverage, plan.validation.gaps) == ("", "", ())
    assert (plan.clarification_needed, plan.clarification_query) == (False, None)


@pytest.mark.parametrize("query", [None, ""])
def test_an_empty_question_is_fine_when_none_is_needed(query: str | None) -> None:
    assert not Job.model_validate(job(clarification_query=query)).clarification_query


@pytest.mark.parametrize("asked", [{}, {"clarification_query": None}, {"clarification_query": " "}])
def test_a_needed_clarification_must_be_asked(asked: dict[str, Any]) -> None:
    (issue,) = complaints(job(clarification_needed=True, **asked))
    assert (issue["code"], issue["path"]) == ("custom", ["clarification_query"])


@pytest.mark.parametrize("key", ["original_request", "intent", "entities", "sub_tasks"])
def test_the_rest_is_required(key: str) -> None:
    (issue,) = complaints(without(job(), key))
    assert (issue["path"], issue["message"]) == ([key], "Required")


def test_an_unknown_kind_of_action_is_refused() -> None:
    (issue,) = complaints(job(sub_task("001", action_type="skill")))
    assert issue["code"] == "invalid_enum_value"
    assert issue["path"] == ["sub_tasks", 0, "action_type"]


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_value_that_is_not_an_object_is_refused(data: Any) -> None:
    assert complaints(data)[0]["message"].startswith("Expected object")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ([], ()),
        (["None", "none"], ("none",)),
        (["None", "001"], ("001",)),
        (["none", "002", "001", "002"], ("002", "001")),
        (["1", "02"], ("001", "002")),
        (["1", "001"], ("001",)),
        (["9", "x"], ("9", "x")),
    ],
)
def test_dependencies_are_exact_ids_or_none_as_written(written: list[str], meant: tuple[str, ...]) -> None:
    plan = Job.model_validate(job(sub_task("001"), sub_task("002"), sub_task("003", *written)))
    assert plan.sub_tasks[2].dependencies == meant
    assert plan.sub_tasks[2].needs == tuple(one for one in meant if one != "none")


@pytest.mark.parametrize("call", [{"name": "inference"}, {"name": "inference", "params": None}])
def test_parameters_may_be_left_out(call: dict[str, Any]) -> None:
    task = SubTask.model_validate(sub_task("001", tool_or_prompt=call))
    assert task.tool_or_prompt.params == {}


@pytest.mark.parametrize(
    ("action", "name", "inferred"),
    [("tool", "webSearch", False), ("tool", "inference", True), ("inference", "Poet", True)],
)
def test_an_action_called_inference_is_one(action: str, name: str, inferred: bool) -> None:
    task = SubTask.model_validate(sub_task("001", action_type=action, tool_or_prompt={"name": name}))
    assert task.is_inference is inferred


def test_only_high_coverage_is_complete() -> None:
    assert Job.model_validate(job()).is_complete
    assert not Job.model_validate(job(validation={"coverage": "High"})).is_complete


def test_the_synthesis_waits_for_everything() -> None:
    synthesis = SubTask.synthesis("__SYNTHESIS__", "merge", ("001", "002"))
    assert synthesis == SubTask.model_validate(synthesis.model_dump())
    assert synthesis.dependencies == ("001", "002")
    assert synthesis.tool_or_prompt.params == {"taskCount": 2}


def test_dates_are_put_in_everywhere() -> None:
    params = {"prompt": "On {{ CurrentDate }}", "deep": [{"x": "{{today}}"}], "other": "{{tools}}"}
    plan = job(
        sub_task("001", tool_or_prompt={"name": "inference", "params": params}), synthesis_plan="{{Today}}"
    )
    done = dated(Job.model_validate(plan), datetime(2026, 11, 23, 6, 45, 42))  # noqa: DTZ001
    assert done.synthesis_plan == "11/23/2026, 6:45:42 AM"
    assert done.sub_tasks[0].tool_or_prompt.params == {
        "prompt": "On 11/23/2026, 6:45:42 AM",
        "deep": [{"x": "11/23/2026, 6:45:42 AM"}],
        "other": "{{tools}}",
    }


def test_the_schema_for_models_accepts_a_complete_job_and_demands_every_key() -> None:
    validator = Draft202012Validator(job_schema())
    whole = job(sub_task("001"), clarification_query=None)
    assert validator.is_valid(whole)
    assert [key for key in whole if validator.is_valid(without(whole, key))] == []
    assert not validator.is_valid(job(sub_task("001"), clarification_query=None, remark="r"))
