r"""The rules of a scripted LLM, as they stand in a TOML file:

    [[rule]]
    name = "busy at first"
    times = 2                             # applies twice, then never again
    when.user = 'weather in (?P<city>\w+)' # regex, in the last user message
    answer.status = 429
    answer.retry_after = "1"

    [[rule]]
    when.user = 'weather in (?P<city>\w+)'
    answer.text = "Rain in $city."

The first rule whose conditions all hold answers. In each string of an answer, `$name` is what the group of
that name matched and `$name_slug` its first words as a file name; `$user` is the last user message, `$slug`
its first words as a file name, `$model` the model.
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
    """Part of a rule: a misspelt key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class When(_Part):
    """Conditions on a request; those left out hold for every request."""

    model: Pattern[str] | None = None
    system: Pattern[str] | None = None
    """Searched in the system messages, joined."""
    user: Pattern[str] | None = None
    """Searched in the last user message."""
    any: Pattern[str] | None = None
    """Searched in all messages, joined."""
    tool: Pattern[str] | None = None
    """Found in the name of one of the offered tools."""
    tools: tuple[str, ...] = ()
    """Names of tools that must all be offered."""
    turn: int | None = Field(default=None, ge=1)
    """Which answer of the model in its conversation this is to be."""
    has: tuple[str, ...] = ()
    """Fields the request must have, such as `tools` or `response_format`."""
    lacks: tuple[str, ...] = ()
    """Fields it must not have."""
    last_role: Literal["system", "user", "assistant", "tool"] | None = None
    """Role of the last message."""
    after_calls: int = 0
    """Only once the server has had that many requests."""


class ScriptedCall(_Part):
    """A call to one of the offered tools."""

    name: str
    arguments: dict[str, Any] | str = {}
    """A string is sent as it stands, so that it may be broken."""


class ScriptedAnswer(_Part):
    """What to send back, and how badly."""

    text: str = ""
    job: dict[str, Any] | None = None
    """Sent as text, in a fenced JSON block."""
    tool_calls: tuple[ScriptedCall, ...] = ()
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    """None: four characters are a token."""
    cost: float | None = None
    """US dollars, reported as OpenRouter does."""
    body: dict[str, Any] | list[Any] | None = None
    """Sent as the whole body, as JSON, in place of a chat completion: for answers as odd as real ones."""
    raw: str | None = None
    """Sent as the whole body, as it stands."""
    content_type: str = "application/json"
    """Of `raw`."""
    gzip: bool = False
    """Send the body packed."""
    status: int = 200
    error: str = "a scripted error"
    """Message of an answer whose status is not 200."""
    parameter: str | None = None
    """The request field such an error complains about."""
    retry_after: str | None = None
    """Seconds, or an HTTP date."""
    delay_ms: int = 0
    hang: bool = False
    """Never answer."""
    drop: bool = False
    """Close the connection instead of answering."""
    cut: bool = False
    """Send the first half of the JSON only."""


class Rule(_Part):
    """When to answer what."""

    name: str = ""
    when: When = When()
    answer: ScriptedAnswer = ScriptedAnswer()
    times: int | None = Field(default=None, ge=1)
    """How often it applies; None: always."""


_RULES = TypeAdapter(tuple[Rule, ...])


def parse_rules(toml: str) -> Sequence[Rule]:
    """The rules in a TOML text.

    Raises:
        ValueError: it is no TOML, or a rule has a wrong key or value.
    """
    document = tomllib.loads(toml)
    if unknown := document.keys() - {"rule"}:
        raise ValueError(f"a file of rules holds [[rule]] tables only, not {', '.join(sorted(unknown))}")
    return _RULES.validate_python(document.get("rule", []))


def load_rules(path: Path) -> Sequence[Rule]:
    """The rules in the file `path`; raises as `parse_rules` does."""
    return parse_rules(path.read_text(encoding="utf-8"))


def default_rules() -> Sequence[Rule]:
    """The rules of the demo: they plan and carry out any goal, in the same few words."""
    return parse_rules(files(__package__).joinpath("demo.toml").read_text(encoding="utf-8"))
