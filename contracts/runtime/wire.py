"""Encodes a commit as a NATS message and decodes it; large values are offloaded to the object store.

The server does not check reply subjects. So any user can make it send an answer, or a copy of a stored
message, to a subject of the log. Such a message has no `Content-Type` of a commit, or has the `Nats-Subject`
of a copy. It is skipped (`is_published`), also when its aggregate is read, and an append goes on after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from contracts.core.codec import CONTENT_TYPE, Codec, Undecodable, event_data
from contracts.core.commit import Commit, Place
from contracts.core.event import BlobRef, Event, Json
from contracts.core.subjects import STREAM, aggregate_filter, commit_subject
from contracts.runtime.blobs import BlobLost, Blobs
from contracts.runtime.log import MAX_MESSAGE_BYTES, OFFLOAD_BYTES, TooLarge
from contracts.settings.redactor import SECRETS

MARK = b'"$blob"'
"""Text that occurs in every payload with a reference, and rarely in others."""

COMMIT_ID = "Nats-Msg-Id"
"""Header: the id of the commit. JetStream uses it to detect duplicates."""
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
"""Header: the sequence of the previous commit of the aggregate. JetStream checks it and stores it."""
CONTENT = "Content-Type"
"""Header: CONTENT_TYPE. Every message that a writer publishes as a commit has it."""
COPIED = "Nats-Subject"
"""Header of a copy of a stored message, which the server sends to the reply subject of a request (ADR-31)."""
PLACE = "Aggregate-Place"
"""Header: the Place of the commit, as `<first>,<number>`."""

PUBLISHED: Mapping[str, str] = {CONTENT: CONTENT_TYPE}
"""The header that makes a message a commit, see `is_published`."""

HEADERS_BYTES = 1024
"""Upper limit for the size of a commit's headers."""


class Wire(NamedTuple):
    """An encoded commit. It may be sent several times."""

    subject: str
    filter: str
    """The subject filter for which JetStream checks the expected sequence."""
    headers: Mapping[str, str]
    payload: bytes

    @property
    def expected(self) -> int:
        """The sequence of the last message on `filter`, without which JetStream does not store the commit."""
        return int(self.headers[EXPECTED])

    def expecting(self, last: int) -> Wire:
        """The same commit, to be stored after message `last`."""
        return self._replace(headers={**self.headers, EXPECTED: str(last)})


@dataclass(frozen=True, slots=True)
class Format:
    """Encodes and decodes commits: a codec, and the object store for large values."""

    codec: Codec
    blobs: Blobs

    async def encode(self, commit: Commit, after: int) -> Wire:
        """Encode the message that appends `commit` if the last sequence of its aggregate is `after`.

        Secrets are redacted.

        Raises:
            TooLarge: it exceeds MAX_MESSAGE_BYTES although large values were offloaded.
            InvalidId: the aggregate id is not a valid id.
        """
        subject = commit_subject(commit.aggregate, commit.aggregate_id, commit.state)
        subject_filter = aggregate_filter(commit.aggregate, commit.aggregate_id)
        data = [event_data(event) for event in commit.events]
        payload = self.codec.encode(commit, data)
        if len(payload) > OFFLOAD_BYTES or (MARK in payload and any(one.offloaded for one in commit.events)):
            data = await asyncio.gather(*map(self._offload, commit.events, data))
            payload = self.codec.encode(commit, data)
        payload = SECRETS.json(payload)
        if len(payload) > MAX_MESSAGE_BYTES - HEADERS_BYTES:
            raise TooLarge(
                f"a commit of {commit.aggregate} {commit.aggregate_id} is {len(payload)} bytes long; "
                "put large values into the object store or split the commit"
            )
        headers = {
            COMMIT_ID: commit.id,
            "Nats-Expected-Stream": STREAM,
            EXPECTED: str(after),
            f"{EXPECTED}-Subject": subject_filter,
            **PUBLISHED,
        }
        if commit.place:
            headers[PLACE] = f"{commit.place.first},{commit.place.number}"
        return Wire(subject, subject_filter, headers, payload)

    async def decode(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> Commit:
        """Decode the commit in a message and restore offloaded values. An event with a lost value is Unread.

        Raises:
            Undecodable: the payload is not a commit, or the message was not published as one.
            Forged: the commit does not belong on `subject`, or its source may not write it.
            Unavailable: the object store could not be reached.
        """
        if not is_published(headers):
            raise Undecodable("the server sent it here for somebody who may not publish here")
        commit = await self._decoded(payload)
        self.codec.check(commit, subject)
        return commit

    async def _decoded(self, payload: bytes) -> Commit:
        if MARK not in payload:
            return self.codec.decode(payload)
        batch = self.codec.parse(payload)
        lost: dict[int, str] = {}
        restoring = asyncio.gather(*map(self._restore, batch), return_exceptions=True)
        for n, restored in enumerate(await restoring):
            match restored:
                case BlobLost():
                    lost[n] = str(restored)
                case AttributeError() | KeyError() | TypeError() | ValueError():
                    raise Undecodable(f"not an envelope with data: {restored}") from restored
                case BaseException():
                    raise restored
                case _:
                    batch[n] = restored
        return self.codec.assemble(batch, lost)

    async def _offload(self, event: Event, data: Mapping[str, Json]) -> dict[str, Json]:
        data = dict(data)
        for name in event.referring & data.keys():
            data[name] = await self.blobs.store_if_large(data[name])
        for name in event.offloaded & data.keys():
            value = data[name]
            if _looks_like_reference(value):
                # A client's value that looks like a reference must be read back unchanged, not resolved.
                data[name] = (await self.blobs.put_json(value)).as_json()
            else:
                data[name] = await self.blobs.store_if_large(value)
        return data

    async def _restore(self, envelope: Mapping[str, Json]) -> dict[str, Json]:
        data = dict(envelope["data"])
        for name in self.codec.offloaded(envelope) & data.keys():
            if _looks_like_reference(data[name]) and (reference := BlobRef.of(data[name])):
                data[name] = await self.blobs.get_json(reference)
        return {**envelope, "data": data}


def is_published(headers: Mapping[str, str]) -> bool:
    """Whether a writer published a message as a commit.

    The server itself publishes messages as well: answers, and copies of stored messages. It sends them to the
    reply subject of a request, and does not check whether the user that asks may publish there. An answer has
    no header CONTENT. Only copies have the header COPIED, which a later copy by a consumer keeps; consumers
    change no subjects. Mirrored and sourced streams keep CONTENT, but no header that begins with
    `Nats-Expected-`.
    """
    return headers.get(CONTENT) == CONTENT_TYPE and COPIED not in headers


def place_in(headers: Mapping[str, str]) -> Place | None:
    """The Place in the headers of a message; None if it is not a commit, or was stored without."""
    if not is_published(headers):
        return None
    first, _, number = headers.get(PLACE, "").partition(",")
    return Place(int(first), int(number)) if first.isdecimal() and number.isdecimal() else None


def previous_in(headers: Mapping[str, str]) -> int | None:
    """Sequence of the message before a commit on its lock's filter, 0 for the first one.

    None if the message is not a commit, or has no such header.
    """
    if not is_published(headers):
        return None
    previous = headers.get(EXPECTED, "")
    return int(previous) if previous.isdecimal() else None


def _looks_like_reference(value: Json) -> bool:
    return isinstance(value, dict) and "$blob" in value
