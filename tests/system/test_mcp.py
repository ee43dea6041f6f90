"""A desktop host starts `async-agent mcp` and lets its model run a job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from contracts.mcp.offered import WAIT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.conftest import Bed, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_job_is_run_over_standard_input_and_output(
    bed: Bed, script: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    started = StdioServerParameters(
        command=str(script), args=["mcp", "--url", bed.system.url], env=environment, cwd=tmp_path
    )
    async with Client(stdio_client(started)) as host:
        job = bed.hooks.job({"mcp-1": ()})
        accepted = (await host.call_tool("execute_dag", {"job": job})).content[0]
        execution_id = json.loads(accepted.text)["executionId"]  # type: ignore[union-attr]
        waited = (await host.call_tool(WAIT, {"id": execution_id})).content[0]

    assert json.loads(waited.text)["status"] == "completed"  # type: ignore[union-attr]
    assert bed.hooks.calls[f"{execution_id}/mcp-1"] == 1


async def test_without_a_system_it_says_how_to_start_one(command: RunCli) -> None:
    ended = await command("mcp", "--url", "http://127.0.0.1:9")

    assert ended.status == 2
    assert "async-agent up" in ended.errors
    assert ended.output == ""
