"""Processes that parse: what takes too long or too much is stopped, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.core.outcome import Reject
from executor.tools.artifacts import Artifacts
from executor.tools.parsers import PROCESSES, Parsers
from executor.tools.tool import CallContext
from executor.tools.write_file import write_file
from tests.services.executor.tools.parses import (
    die,
    double,
    grow,
    is_imported,
    never_end,
    process_id,
    refuse,
)

if TYPE_CHECKING:
    from tests.conftest import Eventually


@pytest.fixture
async def impatient() -> AsyncIterator[Parsers]:
    async with Parsers(time_s=0.5, memory=512 * 1024 * 1024) as parsers:
        yield parsers


async def test_a_document_is_parsed_in_another_process(parsers: Parsers) -> None:
    assert await parsers.run(double, 21) == 42
    assert await parsers.run(process_id) != os.getpid()


async def test_a_parser_process_starts_with_the_modules_that_parse(impatient: Parsers) -> None:
    assert await impatient.run(is_imported, "trafilatura", "pypdf")


async def test_an_exception_of_the_parser_process_is_raised(parsers: Parsers) -> None:
    with pytest.raises(Reject, match="no text"):
        await parsers.run(refuse)


async def test_a_document_that_takes_too_long_is_rejected_and_the_next_is_parsed(
    impatient: Parsers, tmp_path: Path
) -> None:
    with pytest.raises(Reject, match=r"more than 0\.5 s"):
        await impatient.run(never_end, str(tmp_path / "began"))
    assert await impatient.run(double, 2) == 4


async def test_a_document_that_takes_too_much_memory_is_rejected(impatient: Parsers) -> None:
    with pytest.raises(Reject, match="too much memory"):
        await impatient.run(grow)


async def test_a_document_that_crashes_its_process_is_rejected_and_the_next_is_parsed(
    impatient: Parsers,
) -> None:
    with pytest.raises(Reject, match="crashed the parser process"):
        await impatient.run(die)
    assert await impatient.run(double, 2) == 4


async def test_the_process_of_a_cancelled_parse_is_killed(
    parsers: Parsers, tmp_path: Path, eventually: Eventually
) -> None:
    began = tmp_path / "began"
    work = asyncio.create_task(parsers.run(never_end, str(began)))
    await eventually(lambda: began.exists() and began.read_text() != "")
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    process = int(began.read_text())
    await eventually(lambda: not is_running(process))


async def test_documents_that_never_end_do_not_delay_writing_files(
    parsers: Parsers, tmp_path: Path, eventually: Eventually
) -> None:
    endless = [
        asyncio.create_task(parsers.run(never_end, str(tmp_path / f"began-{n}")))
        for n in range(4 * PROCESSES)
    ]
    await eventually(lambda: len(list(tmp_path.glob("began-*"))) >= PROCESSES)
    write = write_file(Artifacts(tmp_path / "artifacts"))
    written = await write.invoke({"path": "a.txt", "content": "x"}, CallContext("run_1/001"))
    assert written["bytesWritten"] == 1
    assert not any(work.done() for work in endless)
    for work in endless:
        work.cancel()
    await asyncio.gather(*endless, return_exceptions=True)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
