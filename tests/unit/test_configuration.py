"""Every setting is in the README's table and in `.env.example`, as the code has it."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from contracts.llm import LlmSettings
from deploy.cli.options import DEFAULT_URL
from deploy.local.settings import LocalSettings
from deploy.scripted_llm import environment
from executor.policy.rules import PolicySettings
from executor.settings import ExecutorSettings
from executor.tools.settings import ToolSettings
from gateway.settings import GatewaySettings
from planner.settings import PlannerSettings
from projector.service import SERVICE as PROJECTOR
from scheduler.settings import SchedulerSettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
NONE = "\N{EN DASH}"

SERVICES: dict[str, tuple[type[BaseSettings], ...]] = {
    "gateway": (GatewaySettings, LlmSettings),
    "planner": (PlannerSettings, LlmSettings),
    "executor": (ExecutorSettings, ToolSettings, PolicySettings, LlmSettings),
    "scheduler": (SchedulerSettings,),
    "projector": (PROJECTOR.settings,),
    "`up`": (LocalSettings,),
}
"""Who reads what; where two have a default of their own, the first one's is in the table."""
COMMAND_LINE = {"ASYNC_AGENT_URL": DEFAULT_URL, "ASYNC_AGENT_KEY": NONE}
"""What the commands read, and the defaults."""


def fields() -> dict[str, FieldInfo]:
    """Every setting by the name of its variable."""
    found: dict[str, FieldInfo] = {}
    for kinds in SERVICES.values():
        for kind in kinds:
            for name, field in kind.model_fields.items():
                found.setdefault(name.upper(), field)
    return found


def subclasses(kind: type[Any]) -> set[type[Any]]:
    return {kind}.union(*(subclasses(one) for one in kind.__subclasses__()))


def rows() -> dict[str, tuple[str, str]]:
    """Default and readers of every variable in the README's table."""
    found: dict[str, tuple[str, str]] = {}
    for line in README.split("## Configuration")[1].split("\n## ")[0].splitlines():
        if line.startswith("| `"):
            names, defaults, readers, _ = (cell.strip() for cell in line.strip("|").split(" | ", 3))
            for name, default in zip(names.split(", "), defaults.split(", "), strict=True):
                assert name not in found
                found[name.strip("`")] = default.strip("`"), readers
    return found


def shown(field: FieldInfo) -> str:
    """A default as one would write it in `.env`."""
    if field.default_factory is socket.gethostname:
        return "host name"
    match field.default:
        case None | "" | ():
            return NONE
        case tuple() as several:
            return ",".join(map(str, several))
        case bool() | int() | float() as number:
            return f"{number:g}" if number < 1e5 else str(number)
    text = getattr(field.default, "get_secret_value", lambda: str(field.default))()
    return text or NONE


def test_no_settings_are_forgotten_here() -> None:
    """Those of a service that nobody listed above would not be compared."""
    ours = {
        one
        for one in subclasses(BaseSettings)
        if one.__module__.split(".")[0]
        in {"contracts", "gateway", "planner", "executor", "scheduler", "deploy"}
    }
    listed = {base for kinds in SERVICES.values() for kind in kinds for base in kind.__mro__}
    assert ours <= listed


def test_the_table_has_every_setting_and_its_default() -> None:
    expected = {name: shown(field) for name, field in fields().items()} | COMMAND_LINE
    assert {name: default for name, (default, _) in rows().items()} == expected


def test_the_table_names_only_services_that_have_the_setting() -> None:
    for name, (_, readers) in rows().items():
        if readers.startswith("all") or name in COMMAND_LINE:
            continue
        for reader in readers.split(", "):
            has = {field.upper() for kind in SERVICES[reader] for field in kind.model_fields}
            assert name in has, f"{reader} has no {name}"


def test_the_readme_sets_all_that_the_scripted_llm_asks_for() -> None:
    """Left out, one that `.env` has for a real model would be kept."""
    asked = environment("http://127.0.0.1:11500/v1")
    paragraph = README.split("use the scripted one.")[1].split("\n### ")[0]
    assert dict(re.findall(r"\b([A-Z_]{4,})=(\S+)", paragraph)) == asked


def test_the_example_has_every_setting_once() -> None:
    named = re.findall(r"^# ([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert sorted(named) == sorted({*fields(), *COMMAND_LINE})


@pytest.mark.parametrize("kind", dict.fromkeys(kind for kinds in SERVICES.values() for kind in kinds))
def test_every_line_of_the_example_is_valid(kind: type[BaseSettings], tmp_path: Path) -> None:
    """Whoever takes away the signs in front has settings that a process starts with."""
    (tmp_path / ".env").write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE))
    kind(_env_file=tmp_path / ".env")
