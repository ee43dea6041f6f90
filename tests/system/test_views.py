"""The views are disposable: taken away from a running system, they come back the same."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.client import ClientError

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.system.conftest import Bed, RunCli, StartBed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_deleted_views_come_back_the_same(bed: Bed, command: RunCli, eventually: Eventually) -> None:
    started = await bed.client.dags.execute_job(bed.hooks.job({"viewed-1": (), "viewed-2": ("viewed-1",)}))
    assert await bed.end(started.execution_id) == "completed"
    before = await bed.shown(started.execution_id)
    (bed.data / "views.db").unlink()
    await eventually((bed.data / "views.db").exists)
    assert await eventually(lambda: bed.shown(started.execution_id)) == before
    verified = await command("views", "verify", "--data", bed.data)
    assert (verified.status, "the views match the log" in verified.output) == (0, True)


async def test_views_of_a_running_system_can_be_built_anew(bed: Bed, command: RunCli) -> None:
    old = (bed.data / "views.db").stat().st_ino
    rebuilt = await command("views", "rebuild", "--data", bed.data)
    assert (rebuilt.status, "is rebuilt" in rebuilt.output) == (0, True)
    assert (bed.data / "views.db").stat().st_ino != old
    await bed.system.ready()


async def test_a_log_that_was_deleted_stops_the_system_until_an_operator_accepts_it(
    start_bed: StartBed, command: RunCli, eventually: Eventually, tmp_path: Path
) -> None:
    """What was accepted is still readable; nothing new is, and nothing is built over it."""
    async with start_bed(tmp_path / "data") as bed:
        job = bed.hooks.job({"kept": ()})
        started = await bed.client.dags.execute_job(job)
        assert await bed.end(started.execution_id) == "completed"
        before = await bed.shown(started.execution_id)
        await bed.log.connection.api("STREAM.DELETE.LOG")
        for service in ("planner", "projector"):
            bed.system.kill(service)

        async def problem() -> str:
            with contextlib.suppress(ClientError):  # while the processes start again
                return (await bed.client.ready()).problems.get("nats", "")
            return ""

        async def told() -> bool:
            return "regressed at seq" in await problem()

        await eventually(told, timeout=60)
        assert "async-agent log accept" in await problem()
        with pytest.raises(ClientError, match="regressed at seq"):
            await bed.client.dags.execute_job(job)
        assert await bed.client.executions.get(started.execution_id) == before

        accepted = await command("log", "accept", "--data", bed.data)
        assert (accepted.status, "regressed at seq" in accepted.output) == (0, True), accepted.errors
        await bed.system.ready()
        again = await bed.client.dags.execute_job(job)
        assert (await bed.shown(again.execution_id)).status == "completed"
        assert [path.name for path in bed.data.glob("views.db.regressed-*[0-9]")]
