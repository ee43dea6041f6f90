"""The specification of a tool: name, input, output, and the effect of a second execution."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Json

CATALOGUE_BUCKET = "tools"
"""KV bucket where executors publish their ToolSpecs. Key: tool name. Value: the ToolSpec as JSON."""


class Effect(StrEnum):
    """The effect of executing the same call twice. After a crash it decides whether the call is repeated."""

    READ = "read"
    """The tool changes nothing. It is repeated."""
    IDEMPOTENT = "idempotent"
    """A second call with the same idempotency key has no further effect. It is repeated."""
    ONCE = "once"
    """A second call has the effect twice. It is not repeated without confirmation."""


class Fill(StrEnum):
    """How an omitted parameter is filled from the results of the step's dependencies."""

    URLS = "urls"
    """A list of the URLs in the results."""
    TEXT = "text"
    """The results as text, joined in order."""


class Source(StrEnum):
    """Where the content of a result comes from. It decides whether the result is untrusted."""

    CALL = "call"
    """From the parameters. The result is untrusted if one of them is."""
    OUTSIDE = "outside"
    """From outside: pages, servers, files, mail. The result is untrusted."""
    PERSON = "person"
    """From a person who answered a question. The result is trusted."""


class Outward(BaseModel):
    """A call sends something to others. The parameters that say to whom are its destination."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["email", "url", "other"] = "other"
    """What the destination consists of: e-mail addresses, URLs, or other values."""
    parameters: tuple[str, ...] | None = None
    """Names of the parameters with the destination; null: all parameters, because it is not known which."""


class OutputSpec(BaseModel):
    """What a successful call creates outside the run. Runs list it as an output."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["file", "webhook", "email"]
    fields: tuple[str, ...] = Field(min_length=1)
    """Fields of the result that describe the output. One field: its text. Several: a JSON object of those
    that are present."""


class ToolSpec(BaseModel):
    """One tool as the catalogue lists it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the input: an object with `properties`, `required`, `additionalProperties: false`."""
    effect: Effect
    output: OutputSpec | None = None
    """What a call creates outside the run; None: nothing."""
    filled_from_results: Mapping[str, Fill] = Field(default_factory=dict)
    """Parameters that a plan may omit. They are filled from the results of the step's dependencies."""
    order: int = 1000
    """Sort key in listings; lower comes first."""
    by_default: bool = True
    """Whether prompts for plans list the tool, and agents that name no tools may call it."""
    outward: Outward | None = None
    """Set if a call sends something to others."""
    source: Source = Source.OUTSIDE
    """Where the content of a result comes from."""
    reads_file: str | None = None
    """The parameter with the path of the file that a call reads; None: it reads no file. A file that the run
    itself has written is as trusted as what was written."""
    third_party: bool = False
    """Whether name and description come from a third party. A model that has read them may obey them."""

    def as_function(self) -> dict[str, Json]:
        """The tool as an OpenAI function tool, for the API and for prompts."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }


def keys_as_declared(given: Mapping[str, Json], declared: Collection[str]) -> dict[str, Json]:
    """`given` with keys in the style of `declared`: `max_length` and `MaxLength` become `maxLength`.

    If several keys mean the same one, they are unchanged.
    """
    if all(key in declared for key in given):
        return dict(given)
    names = {_folded(name): name for name in declared}
    meant = {key: names.get(_folded(key), key) for key in given}
    counts = Counter(meant.values())
    return {meant[key] if counts[meant[key]] == 1 else key: value for key, value in given.items()}


def _folded(key: str) -> str:
    return re.sub(r"[\s_-]", "", key).lower()
