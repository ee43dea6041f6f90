"""What a tool is called with once the results before it are known."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.core.tool import Effect, Fill, ToolSpec
from contracts.domain.plan.tool_params import tool_params

RESULTS: dict[str, Any] = {
    "001": [{"title": "A", "url": "https://a.example/1", "snippet": "s"}, {"title": "no address"}],
    "002": "See https://b.example/x_(y). Or (www.c.example), not file.txt or d.example!",
    "003": {"url": "https://e.example", "content": "The page"},
    "004": {"results": [{"url": "https://f.example"}]},
    "005": {"rows": [1, 2]},
    "006": "Ünïcode text",
}


def spec(filled: dict[str, Fill], **properties: dict[str, Any]) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return ToolSpec(
        name="tool", description="", parameters=schema, effect=Effect.READ, filled_from_results=filled
    )


FETCH = spec({"urls": Fill.URLS}, urls={"type": "array"})
WRITE = spec({"content": Fill.TEXT}, path={"type": "string"}, content={"type": "string"})
SEND = spec({}, url={"type": "string"}, payload={"type": "object"})


def urls(value: Any, *dependencies: str) -> Any:
    params = {} if value is None else {"urls": value}
    return tool_params(FETCH, params, dependencies, RESULTS).get("urls")


def content(value: Any, *dependencies: str, results: dict[str, Any] | None = None) -> Any:
    params = {"path": "f.md"} if value is None else {"path": "f.md", "content": value}
    return tool_params(WRITE, params, dependencies, results or RESULTS).get("content")


def test_literal_values_win_over_dependencies() -> None:
    assert urls(["https://literal.example"], "001") == ["https://literal.example"]
    assert content("literal ```", "002") == "literal ```"
    assert content("", "002") == ""


def test_urls_left_out_come_from_every_dependency_in_order() -> None:
    expected = [
        "https://a.example/1",
        "https://b.example/x_(y)",
        "https://www.c.example",
        "https://e.example",
    ]
    assert urls(None, "001", "002", "003") == expected
    assert urls([], "001") == ["https://a.example/1"]


def test_urls_are_picked_out_of_the_result_a_placeholder_names() -> None:
    assert urls("<Results of Task 1>", "001", "002") == ["https://a.example/1"]
    assert urls(["<Results of Task 4>"], "004") == ["https://f.example"]
    assert urls("<Results of Task 5>", "005") == []


def test_literal_urls_and_placeholders_may_stand_side_by_side() -> None:
    mixed = ["https://literal.example", "<Result of Task 3>", {"url": "<Result of Task 6>"}]
    assert urls(mixed, "003") == ["https://literal.example", "https://e.example", {"url": "Ünïcode text"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[name](https://a.example/p),[other](http://b.example)",
            ["https://a.example/p", "http://b.example"],
        ),
        ("https://a.example/1,https://a.example/2", ["https://a.example/1", "https://a.example/2"]),
        ("<https://a.example/?q=1&r=2>", ["https://a.example/?q=1&r=2"]),
        ("HTTPS://A.example/X", ["HTTPS://A.example/X"]),
        ("report.txt, name.tld and ftp://a.example", []),
        ("https://web.example/2020/https://a.example", ["https://web.example/2020/https://a.example"]),
    ],
)
def test_addresses_in_a_text_need_a_scheme_or_www(text: str, expected: list[str]) -> None:
    assert tool_params(FETCH, {}, ["1"], {"1": text})["urls"] == expected


def test_content_left_out_is_the_results_of_the_dependencies_one_after_the_other() -> None:
    assert (
        content(None, "006", "003", "005") == 'Ünïcode text\nThe page\n{\n  "rows": [\n    1,\n    2\n  ]\n}'
    )


def test_content_that_is_a_placeholder_is_made_readable() -> None:
    assert content("<Result of Task 3>", "003") == "The page"
    assert content("# Title\n\n<Result of Task 006>", "006") == "# Title\n\nÜnïcode text"
    assert content(["<Result of Task 006>"], "006") == '[\n  "Ünïcode text"\n]'


def test_an_object_within_a_longer_content_is_compact_json() -> None:
    assert content("<Result of Task 5>", "005") == '{\n  "rows": [\n    1,\n    2\n  ]\n}'
    assert content("Data: <Result of Task 5>.", "005") == 'Data: {"rows":[1,2]}.'
    assert content("# Data\n\n<Result of Task 5>", "005") == '# Data\n\n{"rows":[1,2]}'
    assert content("# Page\n\n<Result of Task 3>", "003") == "# Page\n\nThe page"


def test_without_dependencies_what_is_left_out_stays_out() -> None:
    assert content(None) is None
    assert urls(None) is None


@pytest.mark.parametrize(
    ("result", "written"),
    [
        ("```markdown\n# T\n\ntext\n```", "# T\n\ntext"),
        ("\n```\nplain\n```\n", "plain"),
        ("```md\n# T\n```python\nx = 1\n```\nend\n```", "# T\n```python\nx = 1\n```\nend"),
        ("```a\n1\n```\nbetween\n```b\n2\n```", "```a\n1\n```\nbetween\n```b\n2\n```"),
        ("```never closed\ntext", "```never closed\ntext"),
        ("text\n```\ncode\n```", "text\n```\ncode\n```"),
    ],
)
def test_one_code_fence_around_everything_is_taken_off_a_file(result: str, written: str) -> None:
    assert content("<Result of Task 1>", "1", results={"1": result}) == written


def test_a_parameter_declared_as_text_gets_text() -> None:
    params = {"url": "<Result of Task 5>", "payload": "<Result of Task 5>"}
    assert tool_params(SEND, params, ["005"], RESULTS) == {
        "url": '{"rows":[1,2]}',
        "payload": {"rows": [1, 2]},
    }


def test_a_placeholder_may_name_a_step_further_back() -> None:
    assert tool_params(SEND, {"payload": {"x": "<Result of Task 6>"}}, ["005"], RESULTS) == {
        "payload": {"x": "Ünïcode text"}
    }


def test_a_tool_may_fill_several_parameters_from_results_each_in_its_way() -> None:
    both = spec({"sources": Fill.URLS, "notes": Fill.TEXT}, sources={"type": "array"}, notes={})
    assert tool_params(both, {}, ["003"], RESULTS) == {"sources": ["https://e.example"], "notes": "The page"}


def test_a_parameter_that_no_tool_fills_stays_out() -> None:
    assert tool_params(SEND, {"url": "https://a.example"}, ["003"], RESULTS) == {"url": "https://a.example"}
