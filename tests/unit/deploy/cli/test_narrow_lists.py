"""Lists on narrow terminals."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from deploy.cli.layout import Rows

ID = "run_01kb3vd6nw8zt1qj5m9c7x2yhe"


def printed(width: int, headers: list[str], row: list[str]) -> str:
    output = io.StringIO()
    console = Console(file=output, width=width)
    console.print(Rows(headers, [[Text(cell) for cell in row]]))
    return output.getvalue()


@pytest.mark.parametrize("width", [50, 60, 80, 200])
def test_a_list_shows_the_status_at_every_width(width: int) -> None:
    headers = ["id", "status", "outcome reason", "cost", "objective"]
    row = [ID, "completed", "budget_exhausted", "0.01", "Find out which plants grow in the shade of a tree"]

    shown = printed(width, headers, row)

    assert ID in shown
    assert "completed" in shown
    assert all(len(line) <= width for line in shown.splitlines())
