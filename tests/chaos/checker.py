"""Holds everything that was seen outside against the whole log. Uses none of the product's code.

The log is read by nats-py, message by message, and decoded as the JSON that it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError, ObjectNotFoundError

ENDS = {"run.completed", "run.goal_completed", "run.failed", "run.cancelled"}
OVER = {"completed", "failed", "cancelled", "deleted"}
"""States of runs in which nothing goes on."""
READ_AT_ONCE = 200
"""Number of blobs that are read before their consumers are removed."""
ATTEMPTS, PAUSE_S = 5, 2.0
"""How often a read that the server breaks off is begun again, and after how long."""


@dataclass(frozen=True)
class Commit:
    """One message of the log."""

    seq: int
    subject: str
    events: list[dict[str, Any]]
    batch: str = ""
    """The batch in which the server has stored it; empty if it was sent alone."""

    @property
    def state(self) -> str:
        return self.subject.rsplit(".", 1)[-1]


@dataclass
class History:
    """The whole log."""

    commits: list[Commit]
    blobs: dict[str, str | None] = field(default_factory=dict)
    """The hash of what is stored under each name that a commit mentions; None when nothing is."""

    def events(self) -> Iterator[tuple[Commit, dict[str, Any]]]:
        for commit in self.commits:
            for event in commit.events:
                yield commit, event

    def of(self, aggregate: str) -> dict[str, list[dict[str, Any]]]:
        """The events of each aggregate of one kind, by its id."""
        found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for _, event in self.events():
            if event["type"].startswith(f"{aggregate}."):
                found[event["subject"]].append(event)
        return found

    def run_states(self) -> dict[str, str]:
        """Where each run stands."""
        runs = [one for one in self.commits if one.subject.startswith("evt.run.")]
        return {one.subject.split(".")[2]: one.state for one in runs}


async def read(nats_url: str, *, blobs: bool = False) -> History:
    """Every message of the log and, if wanted, every blob that it mentions. `nats_url` may be several."""
    connection = await nats.connect(nats_url.split(","))
    try:
        for _ in range(ATTEMPTS):
            with contextlib.suppress(nats.errors.Error):  # a consumer may move to another server of a cluster
                return await _read(connection.jetstream(), blobs=blobs)
            await asyncio.sleep(PAUSE_S)
        return await _read(connection.jetstream(), blobs=blobs)
    finally:
        await connection.close()


async def _read(stream: JetStreamContext, *, blobs: bool) -> History:
    history = History([commit async for commit in _messages(stream)])
    if blobs:
        store = await stream.object_store("blobs")
        for number, name in enumerate(sorted(set(_mentioned(history)))):
            if number % READ_AT_ONCE == 0:
                await _remove_readers(stream)
            try:
                data = (await store.get(name)).data or b""
                history.blobs[name] = hashlib.sha256(data).hexdigest()
            except ObjectNotFoundError:
                history.blobs[name] = None
    return history


async def _remove_readers(stream: JetStreamContext) -> None:
    """Remove the consumers of blobs that were read. The client leaves them, and the server has a limit."""
    for consumer in await stream.consumers_info("OBJ_blobs"):
        with contextlib.suppress(NotFoundError):  # the server removes them, too, after a while
            await stream.delete_consumer("OBJ_blobs", consumer.name)


async def _messages(stream: JetStreamContext) -> Any:
    state = (await stream.stream_info("LOG")).state
    reader = await stream.pull_subscribe("", stream="LOG", config=_from_the_start())
    left = state.messages
    while left:
        for message in await reader.fetch(min(left, 500), timeout=20):
            left -= 1
            batch = (message.headers or {}).get("Nats-Batch-Id", "")
            seq = message.metadata.sequence.stream
            yield Commit(seq, message.subject, json.loads(message.data), batch)


def _from_the_start() -> Any:
    return nats.js.api.ConsumerConfig(
        ack_policy=nats.js.api.AckPolicy.NONE, deliver_policy=nats.js.api.DeliverPolicy.ALL
    )


def _mentioned(value: Any) -> Iterator[str]:
    match value:
        case History():
            for _, event in value.events():
                yield from _mentioned(event["data"])
        case {"$blob": str(name)}:
            yield name
        case dict():
            for part in value.values():
                yield from _mentioned(part)
        case list():
            for part in value:
                yield from _mentioned(part)


def check_versions(history: History) -> Iterator[str]:
    """The versions of each aggregate are 1, 2, 3 …, and no event is there twice."""
    last: Counter[tuple[str, str]] = Counter()
    ids: Counter[str] = Counter()
    for commit, event in history.events():
        key = (event["type"].split(".")[0], event["subject"])
        last[key] += 1
        ids[event["id"]] += 1
        if event["version"] != last[key]:
            yield f"{key}: version {event['version']} at seq {commit.seq} where {last[key]} should be"
            last[key] = event["version"]
    yield from (f"event {one} is in the log {times} times" for one, times in ids.items() if times > 1)


def check_runs(history: History) -> Iterator[str]:
    """A step completes once at most, a run ends once until it is resumed, and every run has ended."""
    for run, events in history.of("run").items():
        completed: Counter[str] = Counter()
        ended = 0
        for event in events:
            data, kind = event["data"], event["type"]
            if kind == "run.step_completed":
                completed[data["step"]] += 1
            elif kind == "run.call_answered":
                completed[f"{data['turn']}.{data['position']}"] += 1
            elif kind == "run.resumed":
                ended = 0
            ended += kind in ENDS
            if ended > 1:
                yield f"{run} ends twice"
        yield from (f"{run}: {step} completes {n} times" for step, n in completed.items() if n > 1)
    for run, state in history.run_states().items():
        if state not in OVER:
            yield f"{run} has not ended: it is {state}"


def check_accepted(history: History, accepted: list[Any]) -> Iterator[str]:
    """What was answered is in the log, and what was asked for once is there once."""
    subjects = {(event["type"].split(".")[0], event["subject"]) for _, event in history.events()}
    for one in accepted:
        for aggregate, name in (("dag", "dagId"), ("run", "executionId"), ("run", "runId")):
            id_ = one.answer.get(name)
            if id_ and (aggregate, id_) not in subjects:
                yield f"{one.kind} {one.key}: {name} {id_} was answered and is not in the log"
        if one.kind in {"goal", "goal schedule"} and ("goal", one.answer["id"]) not in subjects:
            yield f"goal {one.key}: {one.answer['id']} was answered and is not in the log"
    asked: Counter[str] = Counter()
    for _, event in history.events():
        if event["type"] == "run.requested" and event["data"].get("trigger") == "api":
            asked[str(event["data"]["original_request"])] += 1
    yield from (f"{key} was executed {times} times" for key, times in asked.items() if times > 1)


def check_effects(history: History, effects: list[dict[str, str]]) -> Iterator[str]:
    """What may happen once only happens once for each start that the log allows."""
    done = Counter(one["key"] for one in effects if one["effect"] == "once")
    writes = Counter(one["key"] for one in effects if one["effect"] != "read")
    runs = history.of("run")
    for key, times in writes.items():
        run, _, step = key.partition("/")
        starts, allowed = _starts(runs.get(run, []), step)
        if times > starts and done[key]:
            yield f"{key}: done {times} times, started {starts} times"
        if done[key] > allowed:
            yield f"{key}: a `once` step was done {done[key]} times; the log allows {allowed}"


def _starts(events: list[dict[str, Any]], step: str) -> tuple[int, int]:
    """How often a step was started, and how often with the log saying that it is safe or wanted."""
    starts = allowed = 0
    again = True
    for event in events:
        data = event["data"]
        if event["type"] == "run.steps_started" and step in data["steps"]:
            starts += 1
            allowed += again
            again = False
        elif event["type"] == "run.resumed" or (
            event["type"] == "run.step_failed" and data["step"] == step and data.get("retry_at")
        ):
            again = True
    return starts, allowed


def check_blobs(history: History) -> Iterator[str]:
    """Every blob that a commit names is there, with its hash."""
    for name, found in history.blobs.items():
        if found != name:
            yield f"blob {name} is {'missing' if found is None else 'damaged'}"


def check_ticks(history: History) -> Iterator[str]:
    """A tick is recorded once, and starts one run at most."""
    ticks: Counter[tuple[str, str]] = Counter()
    runs: Counter[str] = Counter()
    for _, event in history.events():
        if event["type"] == "schedule.ticked":
            ticks[(event["subject"], event["data"]["tick"])] += 1
            if event["data"].get("run_id") and event["data"]["decision"] == "fired":
                runs[event["data"]["run_id"]] += 1
    yield from (f"tick {one} is recorded {times} times" for one, times in ticks.items() if times > 1)
    yield from (f"{one} was started by {times} ticks" for one, times in runs.items() if times > 1)


def check_stream(history: History, told: list[str]) -> Iterator[str]:
    """A client of `/events` was told every event of the log once, in its order."""
    expected = [event["id"] for _, event in history.events()]
    if told != expected:
        known = set(expected)
        twice = [one for one, times in Counter(told).items() if times > 1]
        yield (
            f"the stream told {len(told)} events, the log has {len(expected)}: "
            f"{len(known - set(told))} missing, {len(twice)} twice, {len(set(told) - known)} unknown"
        )


def check_execution_streams(history: History, told: dict[str, list[Any]]) -> Iterator[str]:
    """A client of one execution was told once of every step that completed, in order, and then of the end."""
    runs = history.of("run")
    for run, seen in told.items():
        events = runs.get(run, [])
        expected = [one["data"]["step"] for one in events if one["type"] == "run.step_completed"]
        expected += ["execution.completed" for one in events if one["type"] == "run.completed"]
        if seen != expected:
            yield f"the stream of {run} told {seen}, the log has {expected}"


def undelivered(history: History) -> Iterator[str]:
    """The goal runs that have ended and whose webhook was not delivered."""
    calls, states = history.of("webhook"), history.run_states()
    for run, events in history.of("run").items():
        due = events[0]["data"].get("webhook_url") and states[run] in {"completed", "failed"}
        if due and not any(call["type"] == "webhook.delivered" for call in calls.get(run, [])):
            yield run


def check_webhooks(history: History, arrived: list[tuple[str, str]]) -> Iterator[str]:
    """Every webhook that is due was delivered, what was delivered arrived, and each run has one key."""
    yield from (f"{run}: its webhook was not delivered" for run in undelivered(history))
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for run, key in arrived:
        keys[run].add(key)
    for run, calls in history.of("webhook").items():
        if any(call["type"] == "webhook.delivered" for call in calls) and not keys[run]:
            yield f"{run}: its webhook is called delivered and did not arrive"
    yield from (f"{run}: its webhook came with {len(its)} keys" for run, its in keys.items() if len(its) > 1)


def check_views(history: History, shown: dict[str, str]) -> Iterator[str]:
    """The API shows each run as the log has it."""
    for run, state in history.run_states().items():
        expected = "failed" if state == "cancelled" else state
        if state != "deleted" and shown.get(run) != expected:
            yield f"{run} is shown as {shown.get(run)!r} and is {expected!r}"
