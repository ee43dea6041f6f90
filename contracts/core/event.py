"""The base class of events, and the values that many events hold. `contracts.domain` defines the events."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

Json = Any
"""A value that JSON can hold."""


class Event(BaseModel):
    """An immutable fact about one aggregate. Events are stored for ever.

    To change the fields of an event, raise `version` and add an upcast.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    type: ClassVar[str]
    """The CloudEvents type: `<aggregate>.<verb in the past tense>`."""
    version: ClassVar[int] = 1
    """Version of the fields. Stored events of older versions are upcast when they are read."""
    offloaded: ClassVar[frozenset[str]] = frozenset()
    """Fields that the log moves to the object store when they are large, and restores when it reads them."""
    referring: ClassVar[frozenset[str]] = frozenset()
    """Fields that the log moves to the object store when they are large, and does not restore: readers handle
    the BlobRef."""


class BlobRef(BaseModel):
    """A reference to a value in the object store. The key is the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    blob: str
    size: int
    """Bytes."""
    media_type: str = "application/json"

    def as_json(self) -> dict[str, Json]:
        """The reference as JSON in an event: `{"$blob": sha256, "size": bytes, "mediaType": …}`."""
        return {"$blob": self.blob, "size": self.size, "mediaType": self.media_type}

    @classmethod
    def of(cls, value: Json) -> BlobRef | None:
        """Parse `value` as a reference. None if it is a plain value."""
        if isinstance(value, dict) and "$blob" in value:
            return cls(blob=value["$blob"], size=value["size"], media_type=value["mediaType"])
        return None


class Usage(BaseModel):
    """Tokens of one or more LLM calls."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Prompt tokens plus completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )
