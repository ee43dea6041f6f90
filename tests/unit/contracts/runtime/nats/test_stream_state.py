"""What the answer of a server says about a stream."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.runtime.nats.stream_state import state_of

INFO = {"created": "2026-01-01T00:00:00Z", "config": {"num_replicas": 3}, "state": {"last_seq": 7}}


@pytest.mark.parametrize(
    ("cluster", "behind"),
    [
        (None, 0),
        ({"leader": "n1"}, 0),
        ({"leader": "n1", "replicas": [{"name": "n2", "current": True}, {"name": "n3", "current": True}]}, 0),
        (
            {
                "leader": "n1",
                "replicas": [
                    {"name": "n2", "current": False, "lag": 421},
                    {"name": "n3", "current": False, "offline": True},
                ],
            },
            2,
        ),
        ({"leader": "n1", "replicas": [{"name": "n2", "current": True, "offline": True}]}, 1),
    ],
    ids=["one server", "one replica", "three replicas", "lagging and down", "down"],
)
def test_replicas_that_are_down_or_lag_behind_are_counted(cluster: Any, behind: int) -> None:
    assert state_of({**INFO, "cluster": cluster}).replicas_behind == behind
