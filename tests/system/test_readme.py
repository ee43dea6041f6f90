"""The shell commands of the README, sent to a running system as they stand: what they promise is true."""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import shlex
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nats
import pytest
import pytest_asyncio
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from tests.forked.python import ForkedPython
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMPLETED = "evt.run.*.completed"


def commands(section: str) -> str:
    """All shell commands of a section."""
    text = README.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```bash\n(.+?)```", text, re.DOTALL))


# ── curl ────────────────────────────────────────────────────────────────────────────────────────────────

CURL = argparse.ArgumentParser(prog="curl", exit_on_error=False)
CURL.add_argument("url")
CURL.add_argument("-s", action="store_true", required=True)
CURL.add_argument("-i", action="store_true")
CURL.add_argument("-N", action="store_true", dest="streams")
CURL.add_argument("-X", dest="method")
CURL.add_argument("-H", action="append", dest="headers", default=[])
CURL.add_argument("-d", dest="body")

IDS = {"DAG": "dagId", "EXECUTION": "executionId", "GOAL": "id", "RUN": "runId"}
"""What the README takes from the answer before, and calls so."""
NEEDS_SUSPENDED = re.compile(r"/resume-dag/|/cancel$")


def paragraphs() -> Iterator[tuple[str, list[list[str]]]]:
    """What is promised, and the commands that it is promised of, split as the shell does."""
    for paragraph in commands("API by example").split("\n\n"):
        promise = " ".join(line for line in paragraph.splitlines() if line.startswith("#"))
        words: list[list[str]] = []
        for word in shlex.split(paragraph.replace("\\\n", ""), comments=True):
            if word == "curl" or "=" in word.split("/")[0]:
                words.append([])
            words[-1].append(word)
        yield promise, words


class Reader:
    """Somebody who types what the README says."""

    def __init__(self, bed: Bed, http: ClientSession, suspended: str) -> None:
        self._bed = bed
        self._http = http
        self._suspended = suspended
        self._values: dict[str, str] = {}
        self._last: Any = None
        self.asked = 0
        self.scheduled: list[str] = []
        """DAGs that would be executed at their times."""

    async def types(self, words: list[str], promise: str) -> None:
        """One assignment or one request, whose answer is as promised."""
        if words[0] == "curl":
            await self._asks(CURL.parse_args(words[1:]), promise)
            return
        name, value = words[0].split("=")
        self._values[name] = self._last[IDS[name]] if name in IDS else self._expanded(value)

    async def _asks(self, given: argparse.Namespace, promise: str) -> None:
        url = self._filled(given.url)
        headers = dict(re.split(r":\s*", header, maxsplit=1) for header in given.headers)
        body = None if given.body is None else self._filled(given.body).encode()
        method = given.method or ("GET" if body is None else "POST")
        async with self._http.request(method, url, headers=headers, data=body) as answer:
            told = await answer.content.readuntil(b"\n\n") if given.streams else await answer.read()
        assert answer.status == int(promise.split()[1].strip(",:")), f"{method} {url}: {told!r}"
        assert (answer.content_type == "text/event-stream") == given.streams
        if not given.streams:
            self._last = json.loads(told)
            self._check(answer, promise)
            if body and b"cronSchedule" in body:
                self.scheduled.append(self._last["dagId"])
        self.asked += 1

    def _check(self, answer: ClientResponse, promise: str) -> None:
        """The fields that are promised are there, and the status in words."""
        for name in re.findall(r"\b(?:dagId|executionId|runId|Location)\b", promise):
            assert name in self._last or name in answer.headers, name
        if in_words := re.search(r"with status (\w+)", promise):
            assert self._last["status"] == in_words[1]

    def _expanded(self, value: str) -> str:
        """As the shell does where ASYNC_AGENT_URL is set."""
        return value.replace("${ASYNC_AGENT_URL:-http://127.0.0.1:3000}", self._bed.system.url)

    def _filled(self, text: str) -> str:
        values = self._values | ({"EXECUTION": self._suspended} if NEEDS_SUSPENDED.search(text) else {})
        return re.sub(r"\$([A-Z]+)", lambda found: self._filled(values[found[1]]), text)


@pytest_asyncio.fixture(loop_scope="session")
async def suspended(bed: Bed) -> str:
    """Id of an execution that waits to be resumed."""
    job = bed.hooks.job({"1": ()})
    job["sub_tasks"][0]["tool_or_prompt"] = {"name": "readFile", "params": {"path": "nowhere.txt"}}
    started = await bed.client.dags.execute_job(job)
    assert await bed.end(started.execution_id) == "suspended"
    return started.execution_id


@pytest_asyncio.fixture(loop_scope="session")
async def reader(bed: Bed, suspended: str) -> AsyncGenerator[Reader]:
    async with ClientSession(timeout=ClientTimeout(total=30)) as http:
        reader = Reader(bed, http, suspended)
        yield reader
        for dag_id in reader.scheduled:
            await bed.client.dags.delete(dag_id)


async def test_every_request_is_answered_as_promised(reader: Reader) -> None:
    for promise, several in paragraphs():
        for words in several:
            await reader.types(words, promise)
    assert reader.asked == commands("API by example").count("curl -s")


# ── python ──────────────────────────────────────────────────────────────────────────────────────────────

CLIENT = re.findall(r"```python\n(.+?)```", README.split("### Use Python")[1], re.DOTALL)[0]


async def test_the_client_example_runs_as_it_stands(
    bed: Bed, forked_python: ForkedPython, environment: dict[str, str]
) -> None:
    process = await asyncio.create_subprocess_exec(
        *(forked_python.with_imports("contracts.client"), "-c", CLIENT),
        env={**environment, "ASYNC_AGENT_URL": bed.system.url},
        stdout=PIPE,
        stderr=PIPE,
    )
    output, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, "")
    assert "run.completed" in output.decode().split()


# ── nats ────────────────────────────────────────────────────────────────────────────────────────────────

SUB = argparse.ArgumentParser(prog="nats sub", exit_on_error=False)
SUB.add_argument("subject")
SUB.add_argument("--since", type=lambda text: timedelta(hours=int(text.removesuffix("h"))))
SUB.add_argument("--start-sequence", type=int)

ADD = argparse.ArgumentParser(prog="nats consumer add", exit_on_error=False)
ADD.add_argument("stream")
ADD.add_argument("name")
ADD.add_argument("--filter")
ADD.add_argument("--pull", action="store_true", required=True)
ADD.add_argument("--deliver", type=DeliverPolicy)
ADD.add_argument("--ack", type=AckPolicy)
ADD.add_argument("--defaults", action="store_true", required=True)

NEXT = argparse.ArgumentParser(prog="nats consumer next", exit_on_error=False)
NEXT.add_argument("stream")
NEXT.add_argument("name")
NEXT.add_argument("--count", type=int)


def typed(*command: str) -> list[list[str]]:
    """What follows `command`, wherever the section on subscribing has it."""
    lines = [shlex.split(line, comments=True) for line in commands("Subscribe").splitlines()]
    return [words[len(command) :] for words in lines if tuple(words[: len(command)]) == command]


@dataclass
class Seen:
    """A completed execution, and the way to the log."""

    execution_id: str
    js: JetStreamContext

    async def heard(self, config: ConsumerConfig, stream: str, count: int = 100) -> list[str]:
        """Whose messages a consumer of this config is given at once."""
        (subject,) = [config.filter_subject]
        subscription = await self.js.pull_subscribe(subject or "", config.durable_name, stream, config)
        info = await subscription.consumer_info()
        waiting = min(count, info.num_pending or 0)
        messages = await subscription.fetch(waiting, timeout=WAIT_S) if waiting else []
        await self.js.delete_consumer(stream, info.name)
        return [json.loads(message.data)[-1]["subject"] for message in messages]


@pytest_asyncio.fixture(loop_scope="session")
async def seen(bed: Bed) -> AsyncGenerator[Seen]:
    started = await bed.client.dags.execute_job(bed.hooks.job({"heard": ()}))
    assert await bed.end(started.execution_id) == "completed"
    nc = await nats.connect(bed.reader_url)
    yield Seen(started.execution_id, nc.jetstream())
    await nc.close()


async def test_the_subscriber_example_receives_the_log_from_its_position(seen: Seen) -> None:
    """The CLI makes such consumers of these options."""
    subscriptions = [SUB.parse_args(words) for words in typed("nats", "sub")]
    assert len(subscriptions) == 3
    for given in subscriptions:
        assert await seen.js.find_stream_name_by_subject(given.subject) == "LOG"
        if given.since:
            begin = datetime.now(UTC) - given.since
            by_time = DeliverPolicy.BY_START_TIME
            config = ConsumerConfig(
                filter_subject=given.subject, deliver_policy=by_time, opt_start_time=begin
            )
            assert seen.execution_id in await seen.heard(config, "LOG")
        elif given.start_sequence:
            by_sequence = DeliverPolicy.BY_START_SEQUENCE
            config = ConsumerConfig(
                filter_subject=given.subject,
                deliver_policy=by_sequence,
                opt_start_seq=given.start_sequence,
            )
            await seen.heard(config, "LOG")


async def test_the_durable_consumer_is_one_that_the_server_takes(seen: Seen) -> None:
    (words,) = typed("nats", "consumer", "add")
    given = ADD.parse_args(words)
    (words,) = typed("nats", "consumer", "next")
    taken = NEXT.parse_args(words)
    assert (taken.stream, taken.name) == (given.stream, given.name)
    config = ConsumerConfig(
        durable_name=f"{given.name}-of-the-readme",
        filter_subject=given.filter,
        deliver_policy=given.deliver,
        ack_policy=given.ack,
    )
    heard = await seen.heard(config, given.stream, taken.count)
    assert 0 < len(heard) <= taken.count
