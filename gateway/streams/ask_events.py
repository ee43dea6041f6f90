"""Stream events of questions to a person, in dialect-independent names. This module does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.api.fields import epoch_ms
from contracts.core.event import Event
from contracts.domain import run
from gateway.streams.dialect import StreamEvent


def stream_events(run_id: str, event: Event) -> Iterator[tuple[str, StreamEvent]]:
    """Yield the stream event of `event`, if a question was asked or closed."""
    match event:
        case run.Asked():
            yield (
                "ask.opened",
                {
                    **_named(run_id, event),
                    "kind": event.kind,
                    "title": event.title,
                    "toolName": event.tool,
                    "params": event.params,
                    "why": event.why,
                    "policy": event.policy,
                    "expiresAt": event.expires_at and epoch_ms(event.expires_at),
                },
            )
        case run.Answered():
            answer = {"verdict": event.verdict, "by": event.by, "comment": event.comment}
            yield "ask.answered", {**_named(run_id, event), **answer}
        case run.AskExpired():
            yield "ask.expired", _named(run_id, event)


def _named(run_id: str, event: run.Asked | run.Answered | run.AskExpired) -> StreamEvent:
    return {"step": event.step, "askId": run.ask_id(run_id, event.step, event.attempt)}
