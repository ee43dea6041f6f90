"""Files in JSON that settings name, with `${NAME}` for environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from contracts.core.event import Json
from contracts.core.tool import Effect
from contracts.core.user_error import UserError
from contracts.settings.redactor import SECRETS

M = TypeVar("M", bound=BaseModel)

SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
"""The first part of the names of a source's tools."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")


class WrongConfig(UserError):
    """The file cannot be used. The message says what to do."""


class SourceConfig(BaseModel):
    """What can be said about every source of tools."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    disabled: bool = False
    timeout_s: float = Field(default=60.0, gt=0, le=3600)
    """Seconds that one call may take."""
    allow: tuple[str, ...] | None = None
    """Names of the tools to offer; None: all."""
    deny: tuple[str, ...] = ()
    """Names of tools that are not offered."""
    effects: Mapping[str, Effect] = Field(default_factory=dict)
    """The effect of a second call by tool name. Overrides what the source says."""
    outward: bool | None = None
    """Whether calls send something to others; None: those of all tools that do not only read."""

    def offers(self, tool: str) -> bool:
        """Whether `tool` may be offered."""
        return (self.allow is None or tool in self.allow) and tool not in self.deny


def read_file(setting: str, path: Path, model: type[M], environment: Mapping[str, str]) -> M:
    """Read the file that `setting` names. The redactor learns the values of variables in it.

    Raises:
        WrongConfig: the file cannot be read, is not valid, or names a variable that is not set.
    """
    try:
        written = orjson.loads(path.read_bytes())
    except OSError as error:
        raise WrongConfig(f"{setting}: cannot read {path}: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise WrongConfig(f"{setting}: {path} is not JSON: {error}") from error
    try:
        return model.model_validate(_filled(written, environment))
    except (ValidationError, KeyError) as error:
        raise WrongConfig(f"{setting}: {path} is not valid:\n{_problems(error)}") from None


def _filled(value: Json, environment: Mapping[str, str]) -> Json:
    """Return `value` with `${NAME}` replaced in all strings.

    Raises:
        KeyError: a variable is not set.
    """
    match value:
        case dict():
            return {key: _filled(one, environment) for key, one in value.items()}
        case list():
            return [_filled(one, environment) for one in value]
        case str():
            return _VARIABLE.sub(lambda found: _variable(found[1], environment), value)
    return value


def _variable(name: str, environment: Mapping[str, str]) -> str:
    text = environment[name]
    SECRETS.learn(name, text)
    return text


def _problems(error: ValidationError | KeyError) -> str:
    if isinstance(error, KeyError):
        return f"  the environment variable {error.args[0]} is not set"
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return "\n".join(f"  {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
