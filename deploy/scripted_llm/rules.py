r"""The rules of a scripted LLM, in a TOML file:

    [[rule]]
    name = "busy at first"
    times = 2                             # applies twice
    when.user = 'weather in (?P<city>\w+)' # regex, in the last user message
    answer.status = 429
    answer.retry_after = "1"

    [[rule]]
    when.user = 'weather in (?P<city>\w+)'
    answer.text = "Rain in $city."

The first rule whose conditions all match gives the answer. In strings of an answer, `$name` is the text that
the group `name` matched, and `$name_slug` is a file name made from its first words. `$user` is the last user
message, `$slug` is a file name made from its first words, and `$model` is the model.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from re import Pattern
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter


class _Part(BaseModel):
    """Part of a rule. Unknown keys are an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class When(_Part):
    """Conditions on a request. Omitted conditions match every request."""

    model: Pattern[str] | None = None
    system: Pattern[str] | None = None
    """Pattern to search in the joined system messages."""
    user: Pattern[str] | None = None
    """Pattern to search in the last user message."""
    any: Pattern[str] | None = None
    """Pattern to search in all messages, joined."""
    tool: Pattern[str] | None = None
    """Pattern to search in the names of the offered tools."""
    tools: tuple[str, ...] = ()
    """Names of tools that must all be offered."""
    turn: int | None = Field(default=None, ge=1)
    """Number of the requested answer in the conversation, from 1."""
    has: tuple[str, ...] = ()
    """Fields that the request must have, such as `tools` or `response_format`."""
    lacks: tuple[str, ...] = ()
    """Fields that the request must not have."""
    last_role: Literal["system", "user", "assistant", "tool"] | None = None
    """Role of the last message."""
    after_calls: int = 0
    """Number of earlier requests that the server must have received."""


class ScriptedCall(_Part):
    """A call to one of the offered tools."""

    name: str
    arguments: dict[str, Any] | str = {}
    """A string is sent unchanged. It may be invalid JSON."""


class ScriptedAnswer(_Part):
    """The answer to send, and the faults to simulate."""

    text: str = ""
    job: dict[str, Any] | None = None
    """A job, sent as text in a fenced JSON block."""
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    """Token counts. None: estimated as one token per four characters."""
    cost: float | None = None
    """Cost in US dollars, reported as OpenRouter does."""
    body: dict[str, Any] | list[Any] | None = None
    """The whole body as JSON, in place of a chat completion. Simulates unusual answers of providers."""
    raw: str | None = None
    """The whole body as text, sent unchanged."""
    content_type: str = "application/json"
    """Content type of `raw`."""
    gzip: bool = False
    """Send the body compressed with gzip."""
    status: int = 200
    error: str = "a scripted error"
    """Message of an answer whose status is not 200."""
    parameter: str | None = None
    """Request field that the error names."""
    retry_after: str | None = None
    """`Retry-After`: seconds, or an HTTP date."""
    delay_ms: int = 0
    hang: bool = False
    """Never answer."""
    drop: bool = False
    """Close the connection instead of answering."""
    cut: bool = False
    """Send the first half of the JSON only."""


class Rule(_Part):
    """Conditions and the answer to matching requests."""

    name: str = ""
    when: When = When()
    answer: ScriptedAnswer = ScriptedAnswer()
    times: int | None = Field(default=None, ge=1)
    """Maximum number of times that the rule applies. None: no limit."""


_RULES = TypeAdapter(tuple[Rule, ...])


def parse_rules(toml: str) -> Sequence[Rule]:
    """Parse rules from a TOML text.

    Raises:
        ValueError: the text is not TOML, or a rule has an invalid key or value.
    """
    document = tomllib.loads(toml)
    if unknown := document.keys() - {"rule"}:
        raise ValueError(f"a file of rules has only [[rule]] tables, not {', '.join(sorted(unknown))}")
    return _RULES.validate_python(document.get("rule", []))


def load_rules(path: Path) -> Sequence[Rule]:
    """Read the rules of the file `path`. Raises the errors of `parse_rules`."""
    return parse_rules(path.read_text(encoding="utf-8"))


def default_rules() -> Sequence[Rule]:
    """Return the rules of the demo. They plan and execute any goal with generic texts."""
    return parse_rules(files(__package__).joinpath("demo.toml").read_text(encoding="utf-8"))
