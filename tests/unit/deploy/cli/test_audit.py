"""Which events the audit shows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.client import LogEvent
from deploy.cli.resources.audit import Filter

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def shown(type_: str, source: str, *, everything: bool = False) -> bool:
    event = LogEvent(
        id="1",
        type=type_,
        subject="a",
        time=NOW,
        version=1,
        state="s",
        commit="c",
        source=source,
        dataschema=f"/schemas/{type_}/1",
        data={},
    )
    return Filter(None, None, None, 0, everything).includes(event)


@pytest.mark.parametrize(
    ("type_", "source", "expected"),
    [
        ("goal.created", "/gateway/1", True),
        ("run.started", "/executor/1", False),
        ("budget.reserved", "/gateway/1", False),
        ("key.budget_set", "/gateway/1", True),
    ],
)
def test_the_audit_shows_what_was_asked_for_and_not_what_services_did_because_of_it(
    type_: str, source: str, expected: bool
) -> None:
    assert shown(type_, source) is expected
    assert shown(type_, source, everything=True)
