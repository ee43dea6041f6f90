"""A run that waits for a person survives the end of every process, and goes on with the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.asks import AskAnswer
from contracts.client import ClientError
from deploy.local.system import NATS, SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Eventually
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_run_that_waits_for_a_person_survives_everything_and_calls_once_after_the_answer(
    bed: Bed, eventually: Eventually, counted: Callable[..., Any]
) -> None:
    job = bed.hooks.job({"asked-1": (), "asked-2": ("asked-1",)})
    job["sub_tasks"][0]["approval"] = True
    execution_id = (await bed.client.dags.execute_job(job)).execution_id

    async def waits() -> bool:
        return (await bed.shown(execution_id)).status == "waiting"

    await eventually(waits)
    for name in (*SERVICES, NATS):
        bed.system.kill(name)
    await bed.system.ready()
    (ask,) = [one for one in (await bed.client.asks.find()).asks if one.run_id == execution_id]
    assert bed.hooks.calls[f"{execution_id}/asked-1"] == 0

    await bed.client.asks.answer(ask.id, AskAnswer(verdict="approve"))
    assert await bed.end(execution_id) == "completed"
    with pytest.raises(ClientError):
        await bed.client.asks.answer(ask.id, AskAnswer(verdict="reject"))
    assert bed.hooks.calls[f"{execution_id}/asked-1"] == 1
    assert set(counted(await bed.history(execution_id)).completions.values()) == {1}
