"""What the README says to integrators, done as it says."""

from __future__ import annotations

import ast
import asyncio
import json
import re
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import nats
import pytest
from nats.js.api import ConsumerConfig, DeliverPolicy

from tests.forked.python import ForkedPython
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

README = (Path(__file__).parents[2] / "README.md").read_text()
SUBSCRIBER, CONFIGS = re.findall(r"```python\n(.+?)```", README.split("## Subscribe")[1], re.DOTALL)[:2]
COMPLETED = "evt.run.*.completed"


@asynccontextmanager
async def subscriber(
    bed: Bed, forked_python: ForkedPython, environment: dict[str, str]
) -> AsyncGenerator[Process]:
    """The program of the README."""
    process = await asyncio.create_subprocess_exec(
        *(forked_python.with_imports("nats"), "-c", SUBSCRIBER),
        env={**environment, "NATS_URL": bed.reader_url, "PYTHONUNBUFFERED": "1"},
        stdout=PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.wait()


async def completed(bed: Bed, hook: str) -> str:
    """Id of an execution that has completed."""
    started = await bed.client.dags.execute_job(bed.hooks.job({hook: ()}))
    assert await bed.end(started.execution_id) == "completed"
    return started.execution_id


async def read_until(process: Process, execution_id: str) -> list[str]:
    """The types of the events that the program tells of an execution, up to its completion."""
    assert process.stdout is not None
    told: list[str] = []
    while "run.completed" not in told:
        subject, kind, _ = (await process.stdout.readline()).decode().split(maxsplit=2)
        if subject == execution_id:
            told.append(kind)
    return told


async def test_the_subscriber_hears_what_was_before_and_what_is_new(
    bed: Bed, forked_python: ForkedPython, environment: dict[str, str]
) -> None:
    """Killed and started again it goes on where it was: whoever was away misses nothing."""
    before = await completed(bed, "subscribed-1")
    async with subscriber(bed, forked_python, environment) as first:
        assert "run.completed" in await read_until(first, before)
        live = await completed(bed, "subscribed-2")
        assert "run.completed" in await read_until(first, live)
    meanwhile = await completed(bed, "subscribed-3")
    async with subscriber(bed, forked_python, environment) as second:
        assert "run.completed" in await read_until(second, meanwhile)


async def test_a_consumer_begins_where_its_config_says(bed: Bed) -> None:
    old = await completed(bed, "begun-1")
    (*_, last) = await bed.log.read("run", old)
    new = await completed(bed, "begun-2")
    names = {"ConsumerConfig": ConsumerConfig, "DeliverPolicy": DeliverPolicy, "datetime": datetime}
    by_sequence, by_time, only_new = (
        eval(ast.unparse(line), {**names, "UTC": UTC, "timedelta": timedelta})
        for line in ast.parse(CONFIGS).body
    )
    by_sequence.opt_start_seq = last.seq + 1
    assert await heard(bed, by_sequence) == [new]
    assert (await heard(bed, by_time))[-2:] == [old, new]
    assert await heard(bed, only_new) == []


async def heard(bed: Bed, config: ConsumerConfig) -> list[str]:
    """The executions that a consumer of this config is told of at once."""
    nc = await nats.connect(bed.reader_url)
    try:
        subscription = await nc.jetstream().pull_subscribe(COMPLETED, stream="LOG", config=config)
        info = await subscription.consumer_info()
        messages = await subscription.fetch(info.num_pending, timeout=WAIT_S) if info.num_pending else []
        return [json.loads(message.data)[-1]["subject"] for message in messages]
    finally:
        await nc.close()
