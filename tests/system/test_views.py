"""The views are disposable: taken away from a running system, they come back the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.system.conftest import Bed, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_deleted_views_come_back_the_same(bed: Bed, cli: RunCli, eventually: Eventually) -> None:
    started = await bed.client.dags.execute_job(bed.hooks.job({"viewed-1": (), "viewed-2": ("viewed-1",)}))
    assert await bed.end(started.execution_id) == "completed"
    before = await bed.shown(started.execution_id)
    (bed.data / "views.db").unlink()
    await eventually((bed.data / "views.db").exists)
    assert await eventually(lambda: bed.shown(started.execution_id)) == before
    verified = await cli("views", "verify", "--data", bed.data)
    assert (verified.status, "the views are what the log says" in verified.output) == (0, True)


async def test_views_of_a_running_system_can_be_built_anew(bed: Bed, cli: RunCli) -> None:
    old = (bed.data / "views.db").stat().st_ino
    rebuilt = await cli("views", "rebuild", "--data", bed.data)
    assert (rebuilt.status, "is built anew" in rebuilt.output) == (0, True)
    assert (bed.data / "views.db").stat().st_ino != old
    await bed.system.ready()
