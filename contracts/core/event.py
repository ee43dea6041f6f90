"""What every event is: a frozen, typed, versioned fact. The modules of the aggregates define them."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

Json = Any
"""A value that JSON can hold."""


class Event(BaseModel):
    """A fact about one aggregate. Stored for ever: a changed shape raises `version` and adds an upcast."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    type: ClassVar[str]
    """`<aggregate>.<past tense>`, the CloudEvents type."""
    version: ClassVar[int] = 1
    """Version of this shape; older stored shapes are upcast when read."""
    offloaded: ClassVar[frozenset[str]] = frozenset()
    """Fields that the log keeps in the object store when they are large and puts back when read."""
    referring: ClassVar[frozenset[str]] = frozenset()
    """Fields whose readers are made for a reference: kept there too when they are large, and left there."""


class BlobRef(BaseModel):
    """A value kept in the object store under the sha256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)

    blob: str
    size: int
    """Bytes."""
    media_type: str = "application/json"

    def as_json(self) -> dict[str, Json]:
        """`{"$blob": sha256, "size": bytes, "mediaType": …}`, how it stands in an event."""
        return {"$blob": self.blob, "size": self.size, "mediaType": self.media_type}

    @classmethod
    def of(cls, value: Json) -> BlobRef | None:
        """The reference `value` is, or None when it is a plain value."""
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
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )
