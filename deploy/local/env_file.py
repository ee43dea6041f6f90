"""Finds lines of `.env` that would have no effect: misspelled settings, and lines that cannot be parsed."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings

from contracts.core.suggestions import closest
from contracts.llm import LlmSettings
from contracts.runtime.process.settings import ViewsSettings
from contracts.settings.environment import secret_names
from deploy.local.settings import LocalSettings
from executor.policy.rules import PolicySettings
from executor.settings import ExecutorSettings
from executor.tools.settings import ToolSettings
from gateway.settings import GatewaySettings
from planner.settings import PlannerSettings
from scheduler.settings import SchedulerSettings

ENV_FILE = Path(".env")
LIKENESS = 0.8
"""Minimum similarity to a setting. Other programs read `.env` too, so that unknown names are allowed."""
SETTINGS: tuple[type[BaseSettings], ...] = (
    GatewaySettings,
    PlannerSettings,
    ExecutorSettings,
    ToolSettings,
    PolicySettings,
    SchedulerSettings,
    ViewsSettings,
    LlmSettings,
    LocalSettings,
)
"""The settings of all services and of `async-agent up`."""


def without_effect(file: Path = ENV_FILE) -> Iterator[str]:
    """Yield a message for each line that cannot be parsed, or whose variable only resembles a setting."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:  # the settings say so, unless there is no file
        return
    known = _known()
    for line in parse_stream(StringIO(text)):
        name = line.key or ""
        if line.error:
            yield f"{file}: line {line.original.line} has no effect: write NAME=value, with quotes closed"
        elif name.upper() not in known and (meant := closest(name, sorted(known), likeness=LIKENESS)):
            yield f"{file}: {name} is not a setting; did you mean {meant}?"


def _known() -> frozenset[str]:
    names = {name.upper() for settings in SETTINGS for name in settings.model_fields}
    files = {f"{name}_FILE" for settings in SETTINGS for name in secret_names(settings)}
    return frozenset(names | files)
