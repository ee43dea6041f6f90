"""A state that travels in commits: its version is raised whenever its shape changes."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

from contracts.core.aggregate import LONGEST_SNAPSHOT, Aggregate
from contracts.domain import goal
from contracts.domain.goal import GOAL
from contracts.domain.registry import AGGREGATES
from contracts.domain.schedule.schedule import Schedule

SHAPES = {
    ("budget", 1): "abb9d36cb89bdb9a",
    ("goal", 1): "501fe85f2375418b",
    ("goal", 2): "60c61209ba269064",
    ("goal", 3): "1242f1eea231eb18",
    ("goal", 4): "115502a8cea42ecf",
    ("goal", 5): "bc7de4ebf2c0fd25",
}
"""Snapshot version and the hash of the state's JSON Schema at that version. Add a line; never change one."""

SNAPSHOTTED = [one for one in AGGREGATES if one.snapshots]


def shape(state: type[Any]) -> str:
    """Names and types alone, without what documents them."""
    schema = _bare(TypeAdapter(state).json_schema())
    return hashlib.sha256(orjson.dumps(schema, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _bare(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    prose = {name for name in ("title", "description") if isinstance(schema.get(name), str)}
    return {name: _bare(one) for name, one in schema.items() if name not in prose}


@pytest.mark.parametrize("aggregate", SNAPSHOTTED, ids=lambda one: one.name)
def test_a_changed_shape_has_a_new_version(aggregate: Aggregate[Any]) -> None:
    assert aggregate.snapshots
    assert SHAPES[aggregate.name, aggregate.snapshots.version] == shape(aggregate.snapshots.state)


def test_a_state_comes_back_as_it_was() -> None:
    state = goal.State(
        goal.Status.PAUSED,
        "watch",
        goal.Params(allowed_tools=("readFile",), constraints={"of": ["a", 1]}),
        schedules={"s": Schedule(cron="@daily")},
    )
    assert GOAL.snapshots
    assert GOAL.snapshots.restored(GOAL.snapshots.taken(state)) == state


def test_a_large_state_does_not_travel() -> None:
    assert GOAL.snapshots
    assert GOAL.snapshots.taken(goal.State(objective="x" * LONGEST_SNAPSHOT)) is None


@pytest.mark.parametrize("text", [None, "", "3", "3:", "3:{", '3:{"status": "?"}', "1:{}", "x:{}"])
def test_a_snapshot_of_another_version_is_ignored(text: str | None) -> None:
    assert GOAL.snapshots
    assert GOAL.snapshots.restored(text) is None
