"""What ARCHITECTURE.md claims of the code, where no tool of `make check` looks."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from executor.tools.guard import guarded_session
from executor.tools.parsers import Parsers
from executor.tools.registry import build_registry
from executor.tools.settings import ToolSettings

ROOT = Path(__file__).parents[2]
PACKAGES = ("contracts", "gateway", "planner", "executor", "scheduler", "projector", "deploy")
SOURCES = {path.relative_to(ROOT).as_posix(): path for one in PACKAGES for path in (ROOT / one).rglob("*.py")}
TOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
RULES = {rule["name"]: rule for rule in TOOLS["importlinter"]["contracts"]}
PURE = RULES["The language is pure: no clock, no I/O"]
CLOCKS = {"now", "utcnow", "today"}

MOST_LINES = 300
MOST_LINES_OF_A_FUNCTION = 40

SUBJECT_WRITERS = {"contracts/core/subjects.py"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def test_the_wheel_has_every_package() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert set(TOOLS["hatch"]["build"]["targets"]["wheel"]["packages"]) == found == set(PACKAGES)


def test_the_language_asks_no_clock() -> None:
    """Times come in with what is decided; `datetime` is imported for its type."""
    floors = tuple(floor.replace(".", "/") + "/" for floor in PURE["source_modules"])
    pure = [path for name, path in SOURCES.items() if name.startswith(floors)]
    asked = [
        f"{path}:{node.lineno}"
        for path in pure
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS
    ]
    assert len(pure) > 40
    assert asked == []


def test_subjects_are_made_in_one_module() -> None:
    made = {
        name
        for name, path in SOURCES.items()
        if "evt." in path.read_text(encoding="utf-8")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("evt.")
    }
    assert made == SUBJECT_WRITERS


async def test_the_name_of_a_tool_is_spelled_only_beside_the_tool() -> None:
    """Other code knows a tool by what it declares, so a plug-in can do all that a built-in tool can."""
    async with guarded_session(()) as http:
        names = [tool.name for tool in build_registry(ToolSettings(_env_file=None), http, Parsers())]
    assert len(names) > 5
    spelled = re.compile(rf"\b(?:{'|'.join(names)})\b")
    found = [
        name
        for name, path in SOURCES.items()
        if not name.startswith("executor/tools/") and spelled.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_blocking_work_of_tools_runs_in_threads_of_its_own_kind() -> None:
    """asyncio's default threads are few: one slow kind of work would delay all others.

    `parsers.py` uses one when the service stops.
    """
    found = {
        name
        for name, path in SOURCES.items()
        if name.startswith("executor/tools/") and "to_thread" in path.read_text(encoding="utf-8")
    }
    assert found == {"executor/tools/parsers.py"}


def test_a_file_can_be_read_whole() -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    too_long = {name: n for name, n in lengths.items() if n > MOST_LINES}
    assert too_long == {}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of each."""
    for node in statements(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or 0) - node.lineno + 1


def statements(outer: ast.AST) -> Iterator[ast.stmt]:
    """All below `outer`. Most nodes of a tree are parts of expressions, which contain none."""
    for part in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(outer, part, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from statements(inner)


def test_a_function_fits_on_a_screen() -> None:
    lengths = {f"{name} {own}": n for name, path in SOURCES.items() for own, n in functions(path)}
    too_long = {name: n for name, n in lengths.items() if n > MOST_LINES_OF_A_FUNCTION}
    assert too_long == {}
