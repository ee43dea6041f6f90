"""Recorded histories: whatever we once wrote, today's code reads, and folds to what we then meant.

Each file holds commits as they stood in the log, one a line, and last what they meant. It is committed when a
shape is born and never made anew: a changed shape gets a new version, an upcast, and a file of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.commit import all_events
from contracts.core.unread import UnreadHistory
from contracts.core.upcasts import UPCASTS
from contracts.domain.agent import AGENT
from contracts.domain.registry import AGGREGATES, CODEC

GOLDEN = Path(__file__).parents[3] / "golden"
HISTORIES = sorted(GOLDEN.glob("*.jsonl"))


def lines_of(path: Path) -> tuple[list[bytes], dict[str, Any]]:
    *commits, meant = path.read_bytes().splitlines()
    return commits, orjson.loads(meant)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_folds_to_what_it_meant(path: Path) -> None:
    lines, meant = lines_of(path)
    commits = [CODEC.decode(line) for line in lines]
    aggregate: Aggregate[Any] = next(one for one in AGGREGATES if one.name == commits[0].aggregate)
    state = aggregate.fold(all_events(commits))
    assert aggregate.status(state) == commits[-1].state == meant.pop("status")
    for name, value in meant.items():
        assert orjson.loads(orjson.dumps(getattr(state, name), default=_plain)) == value, name


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_versions_count_events_without_gaps(path: Path) -> None:
    following = 1
    for line in lines_of(path)[0]:
        commit = CODEC.decode(line)
        assert commit.version == following
        following = commit.last_version + 1


def test_commits_that_name_no_actor_are_read_like_those_that_do() -> None:
    (older,), (newer,) = (lines_of(GOLDEN / name)[0] for name in ("memory.jsonl", "memory_actor.jsonl"))
    assert (CODEC.decode(older).actor, CODEC.decode(newer).actor) == (None, "key:ci")
    assert CODEC.decode(older).events == CODEC.decode(newer).events


def test_every_event_of_every_version_has_been_recorded() -> None:
    """No shape without a history: an event type is added together with a line that shows it."""
    recorded = {
        (envelope["type"], int(envelope["dataschema"].rpartition("/")[2]))
        for path in HISTORIES
        for line in lines_of(path)[0]
        for envelope in orjson.loads(line)
    }
    known = {
        (event.type, v) for one in AGGREGATES for event in one.events for v in range(1, event.version + 1)
    }
    assert known | UPCASTS.renamed.keys() == recorded


def test_every_older_version_has_a_way_up() -> None:
    for aggregate in AGGREGATES:
        for event in aggregate.events:
            for version in range(1, event.version):
                assert (event.type, version) in UPCASTS.steps


def test_an_event_of_a_newer_version_is_read_as_it_is_and_never_folded() -> None:
    lines, _ = lines_of(GOLDEN / "agent.jsonl")
    newer = orjson.loads(lines[0])
    newer[0]["dataschema"] = "/schemas/agent.created/999"
    commit = CODEC.decode(orjson.dumps(newer))
    with pytest.raises(UnreadHistory, match=r"/schemas/agent.created/999 is unknown.*upgrade this service"):
        AGENT.fold(commit.events)


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | tuple):
        return sorted(value) if isinstance(value, frozenset) else list(value)
    return value.model_dump(mode="json", exclude_none=True) if hasattr(value, "model_dump") else dict(value)
