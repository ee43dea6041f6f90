"""JSON Schemas of a commit in its CloudEvents form."""

from __future__ import annotations

from contracts.core.event import Event
from gateway.documents.schemas import REFERENCE, Schema

TEXT: Schema = {"type": "string"}

CLOUD_EVENT: Schema = {
    "type": "object",
    "description": "A CloudEvents 1.0 envelope: one event of a commit.",
    "required": [
        "specversion",
        "id",
        "source",
        "type",
        "subject",
        "time",
        "datacontenttype",
        "dataschema",
        "commit",
        "version",
        "state",
        "correlationid",
        "data",
    ],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**TEXT, "description": "Id of the event: the id of its commit and its number in the commit."},
        "source": {
            **TEXT,
            "format": "uri-reference",
            "description": "`/<service>/<instance>` that wrote the commit.",
        },
        "type": {**TEXT, "description": "Type of the event: `<aggregate>.<what happened>`."},
        "subject": {**TEXT, "description": "Id of the aggregate."},
        "time": {**TEXT, "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {
            **TEXT,
            "description": "Address of the JSON Schema of `data`: `/schemas/<type>/<version>`.",
        },
        "commit": {**TEXT, "description": "Id of the commit. All events of a commit share it."},
        "version": {
            "type": "integer",
            "minimum": 1,
            "description": "Position of the event in its aggregate.",
        },
        "state": {**TEXT, "description": "State of the aggregate after the commit."},
        "correlationid": {**TEXT, "description": "Shared by all commits that result from one request."},
        "causationid": {**TEXT, "description": "The commit or the request that caused this one."},
        "actor": {
            **TEXT,
            "description": "Who asked for the commit: `anonymous`, `key:<name>`, `user:<subject>` or "
            "`service:<name>`. Missing in commits of older versions.",
        },
        "traceparent": {**TEXT, "description": "W3C trace context."},
        "snapshot": {
            **TEXT,
            "description": "Full state after the commit, for the services. First event only.",
        },
        "began": {**TEXT, "format": "date-time", "description": "Time of the aggregate's first commit."},
        "data": {"type": "object"},
    },
}

HEADERS: Schema = {
    "type": "object",
    "required": ["Nats-Msg-Id", "Content-Type"],
    "properties": {
        "Nats-Msg-Id": {**TEXT, "description": "Id of the commit. JetStream drops duplicates by it."},
        "Content-Type": TEXT,
        "Nats-Expected-Stream": TEXT,
        "Nats-Expected-Last-Subject-Sequence": TEXT,
        "Nats-Expected-Last-Subject-Sequence-Subject": TEXT,
        "Nats-Batch-Id": {
            **TEXT,
            "description": "With the next two headers: the server has stored the commit by the same sync of "
            "the disk as others, which have nothing else to do with it. Ignore them.",
        },
        "Nats-Batch-Sequence": TEXT,
        "Nats-Batch-Commit": TEXT,
        "Aggregate-Place": {
            **TEXT,
            "description": "`<sequence of the aggregate's first commit>,<number of this commit in it>`.",
        },
    },
}

BLOB_REFERENCE: Schema = {
    "type": "object",
    "description": "A value too large for an event, in the object store `blobs` under this name.",
    "required": ["$blob", "size", "mediaType"],
    "properties": {
        "$blob": {**TEXT, "description": "sha256 of the bytes."},
        "size": {"type": "integer", "description": "Bytes."},
        "mediaType": TEXT,
    },
}


def envelope(event: type[Event]) -> Schema:
    """Return the envelope schema of a type of event. It includes all versions of the data."""
    shapes = [f"/schemas/{event.type}/{number}" for number in range(1, event.version + 1)]
    return {
        "allOf": [
            {"$ref": REFERENCE.format(model="CloudEvent")},
            {
                "properties": {
                    "type": {"const": event.type},
                    "dataschema": {"enum": shapes},
                    "data": {"$ref": REFERENCE.format(model=event.type)},
                },
            },
        ]
    }
