"""The steps of a run as a graph."""

from __future__ import annotations

import pytest

from contracts.domain.run.steps import graph_of
from tests import jobs


@pytest.mark.parametrize(
    ("written", "meant"), [("01", "01"), ("1", "01"), ("001", "01"), ("a", "a"), ("9", "9")]
)
def test_a_placeholder_names_a_step_by_any_spelling_of_its_number(written: str, meant: str) -> None:
    graph = graph_of(jobs.job(jobs.task("01"), jobs.task("a")))
    assert graph.id_of(written) == meant


def test_an_exact_id_comes_before_another_spelling() -> None:
    graph = graph_of(jobs.job(jobs.task("01"), jobs.task("1")))
    assert [graph.id_of(written) for written in ("1", "01")] == ["1", "01"]
