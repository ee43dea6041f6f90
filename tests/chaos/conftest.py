"""The table of all seeds, after the tests."""

from __future__ import annotations

import pytest

from tests.chaos.report import Report, table

REPORTS = pytest.StashKey[list[Report]]()


@pytest.fixture
def reports(request: pytest.FixtureRequest) -> list[Report]:
    """The seeds run so far."""
    return request.config.stash.setdefault(REPORTS, [])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    if reports := config.stash.get(REPORTS, []):
        terminalreporter.write_line(table(reports))
