"""Request ids and W3C trace context."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from hashlib import blake2b

from aiohttp import web

from contracts.core.actors import ANONYMOUS
from contracts.core.ids import unique
from contracts.runtime.stream import Origin

REQUEST_ID = "X-Request-Id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True, slots=True)
class Trace:
    """The ids of one request."""

    request_id: str
    """The client's request id if it is valid, or a new one."""
    traceparent: str
    """W3C trace context: the client's, or a new one."""

    @classmethod
    def of(cls, request: web.Request) -> Trace:
        """Return the trace from the headers of `request`. Missing ids are created."""
        given_id = request.headers.get(REQUEST_ID, "")
        given_parent = request.headers.get("traceparent", "")
        return cls(
            given_id if _REQUEST_ID.fullmatch(given_id) else f"req_{unique()}",
            given_parent if _TRACEPARENT.fullmatch(given_parent) else _new_traceparent(),
        )

    def origin(self, instance: str, actor: str) -> Origin:
        """Return the origin of commits of this request, which `actor` sent.

        The correlation id belongs to the actor: two actors that send the same request id never share one.
        """
        own = self.request_id if actor == ANONYMOUS else _owned(actor, self.request_id)
        return Origin(f"/gateway/{instance}", own, actor=actor, traceparent=self.traceparent)


TRACE = web.RequestKey("trace", Trace)


def _owned(actor: str, request_id: str) -> str:
    digest = blake2b(f"{actor}\n{request_id}".encode(), digest_size=16)
    return f"req_{digest.hexdigest()}"


def _new_traceparent() -> str:
    digits = secrets.token_hex(24)
    return f"00-{digits[:32]}-{digits[32:]}-00"
