"""What people see of answers."""

from __future__ import annotations

import re
import time
from io import StringIO
from typing import Any

import pytest
from pydantic import BaseModel

from contracts.api.costs import CostSummary, PeriodCost, PlanningAttempt, PlanningCost
from contracts.api.goals import GoalDetail, ListedGoal
from contracts.api.paging import Pagination
from contracts.api.schedules import ScheduleRow, TickList, TickRow
from contracts.api.shared_budgets import PeriodUse
from contracts.core.ids import new_id
from deploy.cli.columns import COLUMNS, LISTS
from deploy.cli.tables import headings, show
from deploy.terminal import Terminal

TICK = {
    "schedule_id": "sched_1",
    "tick": 0,
    "decision": "skipped",
    "reason": "the run of an earlier tick goes on\nand on",
    "goal_id": "goal_1",
    "dag_id": None,
    "run_id": None,
    "created_at": 0,
}


def shown(answer: object, width: int = 120, *, terminal: bool = True) -> tuple[str, str]:
    """What goes to the output, and beside it."""
    output = Terminal(file=StringIO(), width=width, force_terminal=terminal, color_system=None)
    notes = Terminal(file=StringIO(), width=120)
    show(answer, output, notes)
    return text_of(output), text_of(notes)


def text_of(console: Terminal) -> str:
    """What has been printed."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def ticks(total: int) -> TickList:
    part = Pagination(limit=1, offset=2, count=1, total=total)
    return TickList(ticks=[TickRow.model_validate(TICK)], pagination=part)


def test_a_list_is_a_table_of_its_first_lines() -> None:
    output, _ = shown(ticks(3))
    header, _, row = output.splitlines()[:3]
    assert header.split() == ["tick", "decision", "run", "id", "reason"]
    assert "skipped" in row
    assert row.rstrip().endswith("the run of an earlier tick goes on …")


@pytest.mark.parametrize(("total", "note"), [(3, ""), (9, "1 of 9; more with --offset 3\n")])
def test_a_part_of_a_list_says_how_to_go_on(total: int, note: str) -> None:
    assert shown(ticks(total))[1] == note


@pytest.mark.parametrize(("answer", "note"), [([], "none\n"), (None, "done\n")])
def test_an_empty_list_prints_nothing(answer: object, note: str) -> None:
    assert shown(answer) == ("", note)


def test_names_are_lines_as_they_are() -> None:
    assert shown(["a/[b].md", "x" * 150], width=80) == ("a/[b].md\n" + "x" * 150 + "\n", "")


def test_a_row_for_a_program_is_one_line_however_long() -> None:
    row = TickRow.model_validate({**TICK, "reason": "x" * 150})
    output, _ = shown([row], width=80, terminal=False)
    assert output.splitlines()[1].endswith("x" * 150)


def test_a_record_tells_what_is_known_in_words() -> None:
    schedule = ScheduleRow.model_validate(
        {
            **dict.fromkeys(ScheduleRow.model_fields),
            **dict.fromkeys(("jitter_seconds", "created_at", "updated_at"), 0),
            "id": "sched_1",
            "goal_id": "goal_1",
            "cron_expr": "@daily",
            "timezone": "UTC",
            "active": False,
            "paused": True,
            "overlap": "skip",
        }
    )
    lines = dict(line.split(maxsplit=1) for line in shown(schedule)[0].replace(" expr", "").splitlines())
    assert (lines["active"].strip(), lines["paused"].strip(), lines["cron"].strip()) == (
        "no",
        "yes",
        "@daily",
    )
    assert "last run at" not in shown(schedule)[0]


def test_a_record_holds_tables_and_records() -> None:
    spent = {"planning_cost_usd": 0, "execution_cost_usd": 1_500_000_000, "total_cost_usd": 1_500_000_000}
    summary = CostSummary.model_validate(
        {
            "date_range": {"from_": 0, "to": 0, "group_by": "day"},
            "summary": [PeriodCost(date="2026-11-23", **spent)],
            "totals": spent,
        }
    )
    output, _ = shown(summary)
    assert output.count("0.0015") == 4
    assert "2026-11-23" in output


@pytest.mark.parametrize("model", COLUMNS, ids=lambda model: model.__name__)
def test_each_column_is_there(model: type[BaseModel]) -> None:
    """The columns are names of the API; one that it does not have would stay empty for ever."""
    schema = model.model_json_schema(mode="serialization")
    for column in COLUMNS[model]:
        found = schema
        for name in column.split("."):
            found = resolved(found, schema)["properties"][name]


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_each_list_has_columns(model: type[BaseModel]) -> None:
    (row,) = model.model_fields[LISTS[model]].annotation.__args__  # type: ignore[union-attr]  # list[row]
    assert row in COLUMNS


def test_two_columns_never_have_the_same_heading() -> None:
    for columns in COLUMNS.values():
        found = headings(columns)
        assert len(set(found)) == len(found), found


def test_the_name_of_an_agent_is_headed_as_such() -> None:
    assert headings(COLUMNS[ListedGoal])[3] == "agent"


def test_a_budget_without_a_limit_says_so() -> None:
    unlimited = PeriodUse(allowed=None, spent=0, reserved=0, left=None, warned=False, ends_at=0)
    assert re.search(r"allowed\s+no limit", shown(unlimited)[0])


def test_text_that_looks_like_markup_is_shown_unchanged() -> None:
    assert "[red]no[/red]" in shown([TickRow.model_validate({**TICK, "reason": "[red]no[/red]"})])[0]


def resolved(schema: dict[str, object], root: dict[str, object]) -> dict[str, dict[str, dict[str, object]]]:
    """The object that a schema is about, or that its items or its first alternative are about."""
    found: object = schema
    while isinstance(found, dict) and "properties" not in found:
        found = (
            root["$defs"][found["$ref"].rpartition("/")[2]]  # type: ignore[index]  # definitions are named
            if "$ref" in found
            else found.get("items") or found["anyOf"][0]
        )
    assert isinstance(found, dict)
    return found


GOAL: dict[str, Any] = {
    "id": new_id("goal_"),
    "objective": "Keep an eye on solar prices and tell us when they fall",
    "params": {},
    "webhook_url": None,
    "webhook_events": ["ended"],
    "agent_id": new_id("agent_"),
    "status": "active",
    "created_at": 0,
    "updated_at": 0,
    "agent": None,
    "schedules": [],
}


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_ids_are_whole_at_every_width(width: int) -> None:
    run, execution, parent = new_id("run_"), new_id("dag-exec_"), new_id("goal_")
    tick = TickRow.model_validate(TICK | {"run_id": run, "reason": f"{execution} goes on"})
    goal = ListedGoal.model_validate(GOAL)
    for answer, ids in (
        ([goal], [goal.id]),
        (goal, [goal.id, str(goal.agent_id)]),
        (TickList(ticks=[tick], pagination=ticks(1).pagination), [run, execution]),
        (GoalDetail.model_validate(GOAL | {"schedules": [schedule(parent)]}), [parent]),
    ):
        output, _ = shown(answer, width)
        assert max(map(len, output.splitlines())) <= width
        for id_ in ids:
            assert id_ in output


def schedule(id_: str) -> dict[str, object]:
    return {
        **dict.fromkeys(ScheduleRow.model_fields),
        **dict.fromkeys(("jitter_seconds", "created_at", "updated_at"), 0),
        "id": id_,
        "goal_id": "goal_1",
        "cron_expr": "0 9 * * *",
        "timezone": "Asia/Kolkata",
        "active": True,
        "paused": False,
        "overlap": "skip",
        "last_run_at": 0,
    }


def test_columns_without_room_are_named() -> None:
    output, _ = shown([ListedGoal.model_validate(GOAL)], 80)
    assert "Keep an eye on solar" in output
    assert "no room for: agent, created at" in output
    assert "no room" not in shown([ListedGoal.model_validate(GOAL)], 160)[0]


@pytest.mark.parametrize("width", [60, 66])
def test_the_second_column_stays_beside_a_long_text(width: int) -> None:
    output, _ = shown([ListedGoal.model_validate(GOAL)], width)
    first = next(line for line in output.splitlines() if GOAL["id"] in line)
    assert first.split()[:4] == [GOAL["id"], "active", "Keep", "an"]


def test_a_narrow_terminal_shows_every_cell_below_its_id() -> None:
    output, _ = shown([ListedGoal.model_validate(GOAL)], 36)
    assert [line.split()[0] for line in output.splitlines()][:4] == [
        GOAL["id"],
        "status",
        "created",
        "UTC",
    ]


def test_a_time_has_its_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The local one, or that of the schedule."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert "1969-12-31 19:00:00 EST" in shown(ListedGoal.model_validate(GOAL))[0]
        assert "1970-01-01 05:30:00 IST" in shown(ScheduleRow.model_validate(schedule("schedule_1")))[0]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_lines_for_a_program_end_with_their_text() -> None:
    """However long one of them is."""
    attempts = [PlanningAttempt(attempt=1, reason="first", error_message="x" * 3000)]
    cost = PlanningCost(total_usage=None, total_cost_usd=0, attempts=attempts)
    output, _ = shown(cost, terminal=False)
    assert [line for line in output.splitlines() if line != line.rstrip()] == []
    assert sum(len(line) > 200 for line in output.splitlines()) <= 1
