"""Encodes a commit as a CloudEvents 1.0 JSON batch, and decodes it.

Format: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md (section 4, batch).
Extension attributes: `commit`, `version` (position in the aggregate, 1, 2, 3 … without gaps), `state` (after
the commit), `correlationid`, `causationid`, `actor` (who asked, see contracts.core.actors), `traceparent` of
the distributed tracing extension, and, for some aggregates, on the first event, `snapshot` (the state after
the commit) and `began` (the time of the aggregate's first commit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit
from contracts.core.envelope import ENVELOPE
from contracts.core.event import Event, Json
from contracts.core.subjects import is_subject_of
from contracts.core.unread import Unread
from contracts.core.upcasts import Upcasts
from contracts.core.writers import Writers, refusal

CONTENT_TYPE = "application/cloudevents-batch+json"


class Undecodable(ValueError):
    """The message is not a commit."""


class Forged(Undecodable):
    """The commit is on a subject of other commits, or its source may not write it."""


@dataclass(frozen=True)
class Codec:
    """Encodes and decodes the commits of a fixed set of aggregates."""

    aggregates: Sequence[Aggregate[Any]]
    upcasts: Upcasts = field(default_factory=Upcasts)
    writers: Writers = field(default_factory=dict)

    def __post_init__(self) -> None:
        table: dict[str, type[Event]] = {}
        for aggregate in self.aggregates:
            for event in aggregate.events:
                if event.type in table or event.type.partition(".")[0] != aggregate.name:
                    raise ValueError(f"{event.type} is defined twice or outside its aggregate")
                table[event.type] = event
        current = {schema_of(event): event for event in table.values()}
        object.__setattr__(self, "_types", table)
        object.__setattr__(self, "_current", current)

    def encode(self, commit: Commit, data: Sequence[Mapping[str, Json]] | None = None) -> bytes:
        """Encode the commit as a CloudEvents batch. `data`, if given, replaces the data of the events."""
        payloads = data if data is not None else [event_data(event) for event in commit.events]
        common: dict[str, Json] = {
            "specversion": "1.0",
            "source": commit.source,
            "subject": commit.aggregate_id,
            "time": commit.time,
            "datacontenttype": "application/json",
            "commit": commit.id,
            "state": commit.state,
            "correlationid": commit.correlation_id,
        }
        if commit.causation_id:
            common["causationid"] = commit.causation_id
        if commit.actor:
            common["actor"] = commit.actor
        if commit.traceparent:
            common["traceparent"] = commit.traceparent
        batch: list[dict[str, Json]] = [
            {
                **common,
                "id": f"{commit.id}.{n}",
                "type": event.type,
                "dataschema": schema_of(event),
                "version": commit.version + n,
                "data": payload,
            }
            for n, (event, payload) in enumerate(zip(commit.events, payloads, strict=True))
        ]
        if commit.snapshot:
            batch[0] |= {"began": commit.began, "snapshot": commit.snapshot}
        return orjson.dumps(batch, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)

    def decode(self, payload: bytes) -> Commit:
        """Decode the commit in `payload`. Events are upcast; an event of a newer version becomes Unread.

        Raises:
            Undecodable: it is not a batch of events, or the data of an event does not match its type.
        """
        return self.assemble(self.parse(payload))

    def check(self, commit: Commit, subject: str) -> None:
        """Check that `commit` belongs on `subject`, and that its source may write it.

        Raises:
            Forged: it does not, or it may not.
        """
        if not is_subject_of(subject, commit.aggregate, commit.aggregate_id, commit.state):
            its = f"{commit.aggregate} {commit.aggregate_id} in the state {commit.state}"
            raise Forged(f"on {subject} there is a commit of {its}")
        if problem := refusal(self.writers, commit.source, commit.aggregate, commit.state, commit.events):
            raise Forged(problem)

    def parse(self, payload: bytes) -> list[dict[str, Json]]:
        """The raw envelopes of a batch.

        Raises:
            Undecodable: it is not a JSON array of objects.
        """
        try:
            batch = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise Undecodable(f"not JSON: {error}") from error
        if not isinstance(batch, list) or not batch or not all(isinstance(one, dict) for one in batch):
            raise Undecodable("not a CloudEvents batch")
        return batch

    def assemble(self, batch: Sequence[Mapping[str, Json]], lost: Mapping[int, str] | None = None) -> Commit:
        """Build the commit from raw envelopes.

        `lost` maps the index of each event with a lost value to the reason. Such an event becomes Unread.

        Raises:
            Undecodable: an envelope is not a valid event.
        """
        try:
            first = ENVELOPE.validate_python(batch[0])
            began = first.get("began")
            return Commit(
                id=first["commit"],
                aggregate=first["type"].partition(".")[0],
                aggregate_id=first["subject"],
                state=first["state"],
                version=first["version"],
                time=_moment(first["time"]),
                source=first["source"],
                events=tuple(
                    [self._event(one, lost.get(n) if lost else None) for n, one in enumerate(batch)]
                ),
                correlation_id=first["correlationid"],
                causation_id=first.get("causationid"),
                actor=first.get("actor"),
                traceparent=first.get("traceparent"),
                snapshot=first.get("snapshot"),
                began=_moment(began) if began else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise Undecodable(f"{batch[0].get('type')} of {batch[0].get('subject')}: {error}") from error

    def offloaded(self, envelope: Mapping[str, Json]) -> frozenset[str]:
        """Fields of an event that may be in the object store. Empty if this version cannot read the event.

        Raises:
            ValueError: it is not the envelope of an event.
        """
        known = self._known(envelope)
        return known.offloaded if known else frozenset()

    def _known(self, envelope: Mapping[str, Json]) -> type[Event] | None:
        """The class of an event. None if only a newer version of the software defines it."""
        types: dict[str, type[Event]] = self.__dict__["_types"]
        name, version = str(envelope["type"]), _version(envelope)
        while renamed := self.upcasts.renamed.get((name, version)):
            name, version = renamed
        known = types.get(name)
        return known if known and version <= known.version else None

    def _event(self, envelope: Mapping[str, Json], lost: str | None) -> Event:
        current: dict[str, type[Event]] = self.__dict__["_current"]
        schema, data = envelope["dataschema"], envelope["data"]
        if not lost and (event := current.get(schema)):
            return event.model_validate(data)
        known = self._known(envelope)
        if lost or known is None:
            reason = lost or f"{schema} is unknown to this version"
            return Unread(type=envelope["type"], dataschema=schema, data=data, reason=reason, newer=not lost)
        name, version, data = self.upcasts.named(envelope["type"], _version(envelope), data)
        return known.model_validate(self.upcasts.to(known.version, name, version, data))


def _version(envelope: Mapping[str, Json]) -> int:
    return int(str(envelope["dataschema"]).rpartition("/")[2])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def schema_of(event: Event | type[Event]) -> str:
    """The CloudEvents dataschema of an event of the current version: `/schemas/<type>/<version>`."""
    if isinstance(event, Unread):
        return event.dataschema
    return _schema(event if isinstance(event, type) else type(event))


@cache
def _schema(event: type[Event]) -> str:
    return f"/schemas/{event.type}/{event.version}"


def event_data(event: Event) -> dict[str, Json]:
    """The event as JSON data, without fields that are None."""
    if isinstance(event, Unread):
        return event.data
    return event.model_dump(mode="json", exclude_none=True)
