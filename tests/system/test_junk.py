"""Messages in the log that are not commits, or are forged: every reader passes over them and says so."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from contracts.core.commit import Commit
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.registry import CODEC
from contracts.runtime.consumer.parking import parked_messages
from contracts.runtime.nats.publish import publish
from contracts.runtime.wire import PUBLISHED
from deploy.local.system import SERVICES

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.system.conftest import Bed, StartBed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

SUBJECTS = (
    "evt.run.junk.pending",
    "evt.run.junk.completed",
    "evt.run.junk.cancelled",
    "evt.dag.junk.requested",
    "evt.goal.junk.active",
    "evt.agent.junk.active",
    "evt.schedule.junk.fired",
)
FORGED = "evt.run.forged.pending"


def forged(bed: Bed) -> bytes:
    """A run as only the gateway, the planner and the scheduler may request it, from an executor."""
    job = Job.model_validate(bed.hooks.job({"forged": ()}))
    commit = Commit(
        id="forged",
        aggregate="run",
        aggregate_id="forged",
        state="pending",
        version=1,
        time=datetime.now(UTC),
        source="/executor/evil",
        events=(run.Requested(dag_id="forged", original_request="forged", job=job),),
        correlation_id="forged",
    )
    return CODEC.encode(commit)


async def skipped(bed: Bed, service: str) -> float:
    """How many messages a service has counted as broken."""
    async with aiohttp.ClientSession() as http, http.get(bed.system.metrics[service]) as answer:
        families = text_string_to_metric_families(await answer.text())
    samples = (one for family in families for one in family.samples)
    return sum(one.value for one in samples if one.name == "log_broken_messages_total")


async def completes(bed: Bed, hook: str) -> None:
    """An execution runs, is told on its stream, and is in the views."""
    started = await bed.client.dags.execute_job(bed.hooks.job({hook: ()}))
    assert await bed.end(started.execution_id) == "completed"
    assert (await bed.told(started.execution_id))[-1].type == "execution.completed"
    assert (await bed.shown(started.execution_id)).status == "completed"


async def test_junk_and_forgeries_are_parked_and_counted_and_everything_else_goes_on(
    start_bed: StartBed, tmp_path: Path, eventually: Eventually
) -> None:
    """Also by services that are started again and read the log from its beginning."""
    async with start_bed(tmp_path) as bed:
        for subject in SUBJECTS:
            await publish(bed.log.connection, subject, b"junk", PUBLISHED)
        await publish(bed.log.connection, FORGED, forged(bed), PUBLISHED)
        await completes(bed, "after")

        async def all_are_parked() -> bool:
            parked = {(one.consumer, one.subject) for _, one in await parked_messages(bed.log.connection)}
            return parked >= {
                *(("readers", subject) for subject in (*SUBJECTS, FORGED)),
                ("executor", SUBJECTS[0]),
                ("executor", FORGED),
                ("after-run", SUBJECTS[1]),
                ("planner", SUBJECTS[3]),
            }

        await eventually(all_are_parked)
        for service in SERVICES:
            await eventually(lambda: skipped(bed, service))  # noqa: B023
        for service in SERVICES:
            bed.system.kill(service, signal.SIGKILL)
        await bed.system.ready()
        await completes(bed, "later")
        assert not [call for call in bed.hooks.calls if call.startswith("forged")]
