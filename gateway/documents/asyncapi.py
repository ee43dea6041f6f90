"""The AsyncAPI 3 document of the log, generated from the models of the events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from contracts.core import subjects
from contracts.core.aggregate import Aggregate
from contracts.core.codec import CONTENT_TYPE
from contracts.core.event import Event
from contracts.domain import agent, dag, goal, key, memory, run, shared_budget, task, webhook
from contracts.domain.executors import ExecutorAlive, ToolProgress
from contracts.domain.registry import AGGREGATES
from contracts.domain.schedule import ticks
from gateway.documents.cloudevents import BLOB_REFERENCE, CLOUD_EVENT, HEADERS, TEXT, envelope
from gateway.documents.openapi import PACKAGE
from gateway.documents.schemas import REFERENCE, Schema, described, referenced_name, schemas_of

ABOUT = f"""All events are in one JetStream stream, `{subjects.STREAM}`. One message is one commit: all events
of one decision about one aggregate, as a CloudEvents 1.0 JSON batch. The last token of the subject is the
state of the aggregate after the commit. `nats sub 'evt.run.*.completed'` receives one message for each run
that completes. The stream sequence of a message is the position in the log: the `id` of server-sent events
and `after` in the HTTP API.

Commits of one aggregate arrive in order. `version` counts its events 1, 2, 3 … without gaps. A consumer may
receive a message more than once: drop duplicates by `commit`. Events can be read from any sequence or time.
Fields may be added to the data of a type: ignore unknown fields. Any other change of the data increases the
number at the end of `dataschema`, which is the path of the JSON Schema on the gateway.

A commit has the header `Content-Type: application/cloudevents-batch+json` and no header `Nats-Subject`. Skip
other messages: whoever has a password of NATS can make the server send its answers to these subjects.

Subjects that begin with `live` are core NATS messages. They are not stored."""

SECURITY = "user"
SECURITY_SCHEME = {
    "type": "userPassword",
    "description": "Name and password of a NATS user. `reader` may read and consume the log. It may not "
    "publish on it. `async-agent up` writes the URL with both to `nats/reader.url` in its data directory, "
    "and `async-agent nats-config` writes it for a NATS of your own. A NATS without users asks for neither.",
}
"""How a program proves to NATS who it is."""

ABSENT = "absent"
"""The state before the first commit."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """Description of a kind of aggregate."""

    module: ModuleType
    """Module of the aggregate. Its docstring is the description."""
    states: Sequence[str]


KINDS: Mapping[str, _Kind] = {
    "agent": _Kind(agent, tuple(agent.Status)),
    "budget": _Kind(shared_budget, tuple(shared_budget.Status)),
    "dag": _Kind(dag, tuple(dag.Status)),
    "goal": _Kind(goal, tuple(goal.Status)),
    "key": _Kind(key, tuple(key.Status)),
    "memory": _Kind(memory, ("kept",)),
    "run": _Kind(run, tuple(run.Status)),
    "schedule": _Kind(ticks, tuple(ticks.Decision)),
    "task": _Kind(task, tuple(task.Status)),
    "webhook": _Kind(webhook, tuple(webhook.Status)),
}


def asyncapi(nats_url: str) -> Schema:
    """Return the document of the log at `nats_url`."""
    channels = {one.name: _channel(one) for one in AGGREGATES} | LIVE_CHANNELS
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Async Agent: the log",
            "version": version(PACKAGE),
            "description": ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(nats_url),
        "channels": channels,
        "operations": {name: _operation(name, channel) for name, channel in channels.items()},
        "components": {
            "messages": {one.name: _commit(one) for one in AGGREGATES} | LIVE_MESSAGES,
            "schemas": dict(sorted(schemas().items())),
            "securitySchemes": {SECURITY: SECURITY_SCHEME},
        },
    }


def _servers(nats_url: str) -> dict[str, Schema]:
    """Return the addresses of NATS, without user names and passwords."""
    urls = [urlsplit(one if "//" in one else f"nats://{one}") for one in nats_url.split(",")]
    return {
        "nats" if len(urls) == 1 else f"nats{n}": {
            "host": f"{url.hostname}:{url.port or 4222}",
            "protocol": "nats",
            "description": "A nats-server with JetStream, 2.11 or newer.",
            "security": [{"$ref": f"#/components/securitySchemes/{SECURITY}"}],
        }
        for n, url in enumerate(urls, 1)
    }


def _channel(aggregate: Aggregate[Any]) -> Schema:
    kind = KINDS[aggregate.name]
    return {
        "address": subjects.commit_address(aggregate.name),
        "title": f"Commits of one {aggregate.name}",
        "description": described(kind.module.__doc__),
        "messages": {"commit": {"$ref": f"#/components/messages/{aggregate.name}"}},
        "parameters": {
            "id": {"description": f"Id of the {aggregate.name}: 1 to 64 characters from `A-Za-z0-9_-`."},
            "state": {
                "enum": [state for state in kind.states if state != ABSENT],
                "description": f"State of the {aggregate.name} after the commit.",
            },
        },
    }


def _operation(name: str, channel: Schema) -> Schema:
    messages = [{"$ref": f"#/channels/{name}/messages/{message}"} for message in channel["messages"]]
    return {"action": "send", "channel": {"$ref": f"#/channels/{name}"}, "messages": messages}


def _commit(aggregate: Aggregate[Any]) -> Schema:
    options = [{"$ref": REFERENCE.format(model=f"{event.type}.event")} for event in aggregate.events]
    return {
        "name": f"{aggregate.name}.commit",
        "title": f"A decision about one {aggregate.name}",
        "contentType": CONTENT_TYPE,
        "headers": {"$ref": REFERENCE.format(model="Headers")},
        "correlationId": {"location": "$message.payload#/0/correlationid"},
        "payload": {"type": "array", "minItems": 1, "items": {"oneOf": options}},
    }


@cache
def schemas() -> dict[str, Schema]:
    """Return the schemas of the data and the envelopes of all events, by name."""
    events = [event for aggregate in AGGREGATES for event in aggregate.events]
    found: dict[str, Schema] = {
        "CloudEvent": CLOUD_EVENT,
        "Headers": HEADERS,
        "BlobReference": BLOB_REFERENCE,
    }
    tops, definitions = schemas_of(
        [(event.type, "serialization", event) for event in events]
        + [(model.__name__, "serialization", model) for model in (ExecutorAlive, ToolProgress)],
        by_alias=False,
    )
    data = {name: definitions.pop(referenced_name(schema)) for name, schema in tops.items()}
    for event in events:
        found[event.type] = _with_references(event, data.pop(event.type))
        found[f"{event.type}.event"] = envelope(event)
    return found | definitions | data


def _with_references(event: type[Event], data: Schema) -> Schema:
    """Return the schema of an event's data, in which a blob reference may replace a large value."""
    reference = {"$ref": REFERENCE.format(model="BlobReference")}
    properties = data.get("properties", {})
    kept = {name: {"anyOf": [properties[name], reference]} for name in sorted(event.offloaded)}
    return {**data, "properties": {**properties, **kept}}


def _live(subject: str, title: str, about: str, message: str, **parameters: Schema) -> Schema:
    channel = {
        "address": subject,
        "title": title,
        "description": about,
        "messages": {"message": {"$ref": f"#/components/messages/{message}"}},
    }
    return {**channel, "parameters": parameters} if parameters else channel


LIVE_CHANNELS: dict[str, Schema] = {
    "projected": _live(
        subjects.PROJECTED,
        "Position of the views",
        "Sent after each batch of a projector.",
        "projected",
    ),
    "toolProgress": _live(
        subjects.LIVE_RUNS.replace("*", "{id}"),
        "Progress of tools",
        "Sent while the steps of a run are executed.",
        "toolProgress",
        id={"description": "Id of the run."},
    ),
    "executorAlive": _live(
        subjects.EXECUTOR_ALIVE, "Heartbeats", "Each executor sends one every 2 seconds.", "executorAlive"
    ),
}
LIVE_MESSAGES: dict[str, Schema] = {
    "projected": {
        "name": "projected",
        "title": "A stream sequence as decimal text",
        "contentType": "text/plain",
        "payload": {**TEXT, "pattern": r"^\d+$"},
    },
    "toolProgress": {
        "name": "tool.progress",
        "title": described(ToolProgress.__doc__),
        "payload": {"$ref": REFERENCE.format(model="ToolProgress")},
    },
    "executorAlive": {
        "name": "executor.alive",
        "title": described(ExecutorAlive.__doc__),
        "payload": {"$ref": REFERENCE.format(model="ExecutorAlive")},
    },
}
