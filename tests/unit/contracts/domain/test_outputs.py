"""What a call leaves outside, as its tool declares it."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.core.tool import OutputSpec
from contracts.domain.run import Output
from contracts.domain.run.outputs import output_of

FILE = OutputSpec(kind="file", fields=("path",))
EMAIL = OutputSpec(kind="email", fields=("to", "subject"))


def test_an_output_of_one_field_is_the_text_of_it() -> None:
    assert output_of(FILE, {"path": "a.md", "size": 1}) == Output(kind="file", content="a.md")


def test_several_fields_are_kept_as_a_json_object_of_those_present() -> None:
    kept = output_of(EMAIL, {"subject": "s", "body": "x"})
    assert kept == Output(kind="email", content='{"subject":"s"}')


@pytest.mark.parametrize("result", [None, "text", [], {}, {"other": 1}])
def test_a_result_without_the_declared_fields_leaves_nothing(result: Any) -> None:
    assert output_of(FILE, result) is None


def test_a_tool_that_declares_no_output_leaves_nothing() -> None:
    assert output_of(None, {"path": "a.md"}) is None
