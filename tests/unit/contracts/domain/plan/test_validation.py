"""What keeps a job from being executed, told before it is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.tool import Effect, Fill, ToolSpec
from contracts.domain.plan import MAX_PROBLEMS, MAX_STEPS, Job, problems

FILLS = {"urls": Fill.URLS, "content": Fill.TEXT}


def spec(name: str, required: list[str], **properties: dict[str, Any]) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return ToolSpec(
        name=name,
        description=name,
        parameters=schema,
        effect=Effect.READ,
        filled_from_results={key: fill for key, fill in FILLS.items() if key in properties},
    )


TOOLS = {
    tool.name: tool
    for tool in [
        spec(
            "webSearch",
            ["query"],
            query={"type": "string", "minLength": 1},
            limit={"type": "integer", "minimum": 1, "maximum": 20, "default": 10},
        ),
        spec("fetchPage", ["url"], url={"type": "string", "format": "uri"}),
        spec("fetchURLs", ["urls"], urls={"type": "array", "items": {"type": ["string", "object"]}}),
        spec("writeFile", ["path", "content"], path={"type": "string"}, content={"type": "string"}),
        spec(
            "sendWebhook",
            ["url", "payload"],
            url={"type": "string", "format": "uri"},
            payload={"type": "object"},
            headers={"type": "object", "additionalProperties": {"type": "string"}},
        ),
        spec("sendEmail", ["to"], to={"type": "string", "format": "email"}),
    ]
}
SEARCH = {"query": "q"}


def tool(task_id: str, name: str, params: dict[str, Any], *dependencies: str) -> dict[str, Any]:
    return task(task_id, "tool", name, params, *dependencies)


def infer(task_id: str, prompt: str, *dependencies: str, agent: str = "inference") -> dict[str, Any]:
    return task(task_id, "inference", agent, {"prompt": prompt}, *dependencies)


def task(task_id: str, action: str, name: str, params: dict[str, Any], *dependencies: str) -> dict[str, Any]:
    return {
        "id": task_id,
        "description": "",
        "thought": "t",
        "action_type": action,
        "tool_or_prompt": {"name": name, "params": params},
        "expected_output": "e",
        "dependencies": list(dependencies),
    }


def job(*tasks: dict[str, Any]) -> Job:
    return Job.model_validate(
        {
            "original_request": "r",
            "intent": {"primary": "p", "sub_intents": []},
            "entities": [],
            "sub_tasks": tasks,
        }
    )


def found(*tasks: dict[str, Any], agents: list[str] | None = None) -> list[tuple[str, str]]:
    """Each problem as its place, dotted, and its message."""
    return [
        (".".join(map(str, issue.path)).removeprefix("sub_tasks."), issue.message)
        for issue in problems(job(*tasks), TOOLS, agents=agents)
    ]


def test_a_sound_job_has_no_problems() -> None:
    assert (
        found(
            tool("001", "webSearch", {"query": "q", "limit": 20}),
            tool("002", "fetchURLs", {"urls": "<Results of Task 1>"}, "001"),
            infer("003", "<Results of Task 002> and <Results of Task 001>: compare", "002"),
            tool("004", "writeFile", {"path": "r.md", "content": "<Result of Task 3>"}, "003"),
            agents=["inference"],
        )
        == []
    )


def test_there_must_be_something_to_do() -> None:
    assert found()[0][1].startswith("there is nothing to do")


def test_five_thousand_sub_tasks_are_too_many() -> None:
    (problem,) = found(*(tool(f"{n}", "webSearch", SEARCH) for n in range(5000)))
    assert problem[1] == f"5000 sub-tasks are too many: give at most {MAX_STEPS}, or split the job"


@pytest.mark.parametrize("task_id", ["", "a b", "x" * 65, "é", "a>b", "a/b", "\x00"])
def test_an_id_has_only_plain_characters(task_id: str) -> None:
    assert [place for place, _ in found(tool(task_id, "webSearch", SEARCH))] == ["0.id"]


@pytest.mark.parametrize("task_id", ["__SYNTHESIS__", "none"])
def test_an_id_with_a_meaning_of_its_own_is_reserved(task_id: str) -> None:
    assert "is reserved" in found(tool(task_id, "webSearch", SEARCH))[0][1]


@pytest.mark.parametrize("second", ["1", "001"])
def test_an_id_is_used_once(second: str) -> None:
    place, message = found(tool("1", "webSearch", SEARCH), tool(second, "webSearch", SEARCH))[0]
    assert place == "1.id"
    assert "is taken by an earlier sub-task ('1')" in message


def test_a_dependency_must_exist_and_be_another() -> None:
    assert found(tool("a", "webSearch", SEARCH, "ghost", "a")) == [
        ("0.dependencies.0", "no sub-task has the id 'ghost': name one that exists, or 'none'"),
        ("0.dependencies.1", "sub-task 'a' cannot depend on itself"),
    ]


def test_a_circle_is_named() -> None:
    ((place, message),) = found(
        tool("a", "webSearch", SEARCH, "c"),
        tool("b", "webSearch", SEARCH, "a"),
        tool("c", "webSearch", SEARCH, "b"),
        tool("d", "webSearch", SEARCH, "c"),
    )
    assert place == "sub_tasks"
    assert any(circle in message for circle in ("a → c → b → a", "b → a → c → b", "c → b → a → c"))


def test_a_circle_of_thousands_is_named_in_short() -> None:
    tasks = [tool(f"{n}", "webSearch", SEARCH, f"{(n + 1) % MAX_STEPS}") for n in range(MAX_STEPS)]
    ((_, message),) = found(*tasks)
    assert "→ … →" in message
    assert len(message) < 300


def test_an_unknown_tool_comes_with_the_closest_known_one() -> None:
    assert found(tool("a", "web_search", SEARCH), tool("b", "teleport", {})) == [
        ("0.tool_or_prompt.name", "there is no tool 'web_search': did you mean 'webSearch'?"),
        ("1.tool_or_prompt.name", f"there is no tool 'teleport': use one of {', '.join(sorted(TOOLS))}"),
    ]


def test_an_unknown_agent_comes_with_the_closest_known_one() -> None:
    assert found(infer("a", "p", agent="inferrence"), agents=["inference", "Poet"]) == [
        ("0.tool_or_prompt.name", "there is no active agent 'inferrence': did you mean 'inference'?"),
    ]
    assert found(infer("a", "p", agent="anyone")) == []


def test_a_tool_called_as_an_agent_and_the_other_way_round_are_told_apart() -> None:
    tasks = (infer("a", "p", agent="webSearch"), tool("b", "Poet", {}))
    assert [message for _, message in found(*tasks, agents=["inference", "Poet"])] == [
        "there is no active agent 'webSearch': it is a tool, so set action_type to 'tool'",
        "there is no tool 'Poet': it is an agent, so set action_type to 'inference'",
    ]


def test_any_tool_will_do_where_none_is_known_yet() -> None:
    assert problems(job(tool("a", "anything", {})), None) == []


def test_an_inference_needs_something_to_go_by() -> None:
    assert found(infer("a", " "))[0][0] == "0.tool_or_prompt.params.prompt"
    described = task("a", "inference", "inference", {"prompt": None}) | {"description": "Summarise"}
    assert found(described) == []
    assert found(task("a", "inference", "inference", {"prompt": ["Summarise"]}))[0][1].startswith(
        "a prompt is text"
    )


@pytest.mark.parametrize(
    ("name", "params", "place", "message"),
    [
        ("webSearch", {}, "query", "webSearch needs the parameter 'query': give it"),
        (
            "webSearch",
            {"query": 3},
            "query",
            "webSearch: 3 is not of type 'string'; give a text of at least 1 character(s)",
        ),
        (
            "webSearch",
            {"query": "q", "limit": 21},
            "limit",
            (
                "webSearch: 21 is greater than the maximum of 20; "
                "give an integer of at least 1 and of at most 20"
            ),
        ),
        (
            "fetchPage",
            {"url": "a page"},
            "url",
            "fetchPage: 'a page' is not a 'uri'; give an absolute URL such as https://example.com/page",
        ),
        (
            "fetchPage",
            {"url": "http://[bad"},
            "url",
            "fetchPage: 'http://[bad' is not a 'uri'; give an absolute URL such as https://example.com/page",
        ),
        (
            "sendEmail",
            {"to": "nobody"},
            "to",
            "sendEmail: 'nobody' is not a 'email'; give an e-mail address such as name@example.com",
        ),
        (
            "fetchURLs",
            {"urls": [["x"]]},
            "urls.0",
            "fetchURLs: [\"x\"] is not of type 'string', 'object'; give a text or an object",
        ),
        (
            "webSearch",
            {"query": None},
            "query",
            "webSearch: null is not of type 'string'; give a text of at least 1 character(s)",
        ),
        ("fetchURLs", {}, "urls", "fetchURLs needs the parameter 'urls': give it"),
        ("fetchURLs", {"urls": []}, "urls", "fetchURLs needs the parameter 'urls': give it"),
    ],
)
def test_parameters_must_fit_the_schema_of_the_tool(
    name: str, params: dict[str, Any], place: str, message: str
) -> None:
    assert found(tool("a", name, params)) == [(f"0.tool_or_prompt.params.{place}", message)]


def test_a_parameter_no_tool_takes_does_no_harm() -> None:
    assert found(tool("a", "webSearch", {"query": "q", "region": "fr"})) == []


def test_a_value_that_comes_later_is_not_checked_yet() -> None:
    later = {
        "url": "<Result of Task a>",
        "payload": "<Result of Task a>",
        "headers": {"x": "<Result of Task a>"},
    }
    assert found(infer("a", "p"), tool("b", "sendWebhook", later, "a")) == []


def test_parameters_that_dependencies_supply_may_be_left_out() -> None:
    assert (
        found(
            infer("a", "p"),
            tool("b", "fetchURLs", {"urls": None}, "a"),
            tool("c", "writeFile", {"path": "f"}, "a"),
        )
        == []
    )


def test_a_placeholder_names_a_task_that_exists_and_has_run_by_then() -> None:
    places = found(
        infer("a", "<Result of Task ghost> <Result of Task b>"),
        infer("b", "<Result of Task a>", "a"),
        infer("c", "<Result of Task a>", "b"),
        infer("d", "<Result of Task d>"),
    )
    assert places == [
        (
            "0.tool_or_prompt.params",
            "a placeholder uses the result of 'b': add it to the dependencies",
        ),
        (
            "0.tool_or_prompt.params",
            "a placeholder names task 'ghost', which does not exist: name an existing id",
        ),
        (
            "3.tool_or_prompt.params",
            "a placeholder uses the result of 'd': add it to the dependencies",
        ),
    ]


def test_parameters_nested_without_end_are_refused() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert "nested more than 64 levels" in found(tool("a", "webSearch", {"query": deep}))[0][1]


def test_long_values_are_cut_in_messages() -> None:
    ((_, message),) = found(tool("a", "fetchPage", {"url": "x" * 100_000}))
    assert len(message) < 400


def test_only_the_first_problems_are_reported() -> None:
    assert len(found(*(tool(f"{n}", "ghost", {}) for n in range(MAX_STEPS)))) == MAX_PROBLEMS


@given(st.lists(st.lists(st.integers(0, 30), max_size=4), min_size=1, max_size=30))
def test_a_job_whose_steps_only_need_earlier_ones_is_never_a_circle(needs: list[list[int]]) -> None:
    tasks = [
        tool(f"{n}", "webSearch", SEARCH, *(f"{need % n}" for need in needed if n))
        for n, needed in enumerate(needs)
    ]
    assert found(*tasks) == []
