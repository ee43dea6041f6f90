"""A process with a snapshot has the same agents and keys as one that read the whole log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.agents_and_keys import FORM, State
from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.domain import agent, key
from contracts.domain.agent import AGENT, AgentVersion, Directory, DirectoryState
from contracts.domain.keys import Entry, KeysState
from contracts.domain.shared_budget import PeriodBudget

START = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLE = State(
    agents=DirectoryState(
        entries=(
            AgentVersion(
                "agent_1",
                agent.State(agent.Status.ACTIVE, "x", "1", "Do it.", "openai", "gpt", {"a": [1, None]}),
                START,
            ),
        ),
        active={"x": "agent_1"},
        activated=frozenset({"x"}),
        seq=7,
    ),
    keys=KeysState(
        entries=(
            Entry(
                "key_a",
                key.State(key.Status.ACTIVE, "a", (), "0", key.Previous("1", START), START, PeriodBudget()),
                START,
                START,
            ),
        )
    ),
)
TEXT = (
    '1:{"agents":{"entries":[{"id":"agent_1","state":{"status":"active","name":"x","version_name":"1",'
    '"prompt_template":"Do it.","provider":"openai","model":"gpt","metadata":{"a":[1,null]}},'
    '"created_at":"2026-01-01T00:00:00Z"}],"active":{"x":"agent_1"},"activated":["x"],"seq":7},'
    '"keys":{"entries":[{"id":"key_a","state":{"status":"active","name":"a","scopes":[],'
    '"secret_sha256":"0","previous":{"secret_sha256":"1","until":"2026-01-01T00:00:00Z"},'
    '"expires_at":"2026-01-01T00:00:00Z","budget":{}},"created_at":"2026-01-01T00:00:00Z",'
    '"changed_at":"2026-01-01T00:00:00Z"}],"unread":[]}}'
)
"""EXAMPLE in a file."""

names = st.sampled_from(["x", "y"])
agent_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(agent.Created, name=names, version_name=st.just("1"), prompt_template=st.just("Do it.")),
    st.builds(agent.Updated, name=names | st.none(), metadata=st.none() | st.just({"a": 1})),
    st.builds(agent.Activated, name=names),
    st.just(agent.Deleted()),
)


def recorded(decided: Sequence[tuple[str, Event]]) -> list[Recorded]:
    """One commit for each event."""
    return [
        Recorded(
            n + 1,
            Commit(
                id=str(n),
                aggregate=AGENT.name,
                aggregate_id=id_,
                state="active",
                version=n + 1,
                time=START + timedelta(minutes=n),
                source="/test/1",
                events=(event,),
                correlation_id="c",
            ),
        )
        for n, (id_, event) in enumerate(decided)
    ]


def seen(directory: Directory) -> Any:
    return directory.state, directory.names(), [directory.active(one) for one in ("x", "y")]


@given(st.lists(st.tuples(st.sampled_from(["agent_1", "agent_2"]), agent_events), max_size=20), st.data())
def test_a_snapshot_and_the_rest_of_the_log_are_the_whole_log(
    decided: list[tuple[str, Event]], data: st.DataObject
) -> None:
    """Wherever it was taken. Keys are tested with the snapshot of the scheduler."""
    commits = recorded(decided)
    place = data.draw(st.integers(0, len(commits)))
    earlier, successor, reader = Directory(), Directory(), Directory()
    earlier.fold(commits[:place])

    restored = FORM.restored(FORM.taken(State(earlier.state, KeysState())))
    assert restored
    successor.restore(restored.agents)

    successor.fold(commits[place:])
    reader.fold(commits)
    assert seen(successor) == seen(reader)


def test_a_state_of_another_shape_has_another_version() -> None:
    """If this fails, raise the version in FORM and replace TEXT, so that old files are not used."""
    assert FORM.taken(EXAMPLE) == TEXT
    assert FORM.restored(TEXT) == EXAMPLE
