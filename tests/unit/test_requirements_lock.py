"""`requirements.lock` pins everything that `pyproject.toml` asks for, with hashes."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ASKED = [Requirement(one) for one in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"])]
PINS = {
    canonicalize_name(name): Version(version)
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", LOCK, re.MULTILINE)
}
REMEDY = "run `make lock`"


@pytest.mark.parametrize("asked", ASKED, ids=lambda one: one.name)
def test_every_dependency_is_locked_at_a_version_that_is_allowed(asked: Requirement) -> None:
    pinned = PINS.get(canonicalize_name(asked.name))
    assert pinned, f"{asked.name} is not locked: {REMEDY}"
    assert asked.specifier.contains(pinned), f"{asked} is locked at {pinned}: {REMEDY}"


def test_dependencies_of_dependencies_are_locked_too() -> None:
    missing, waiting, seen = set(), [(one.name, one.extras) for one in ASKED], set()
    while waiting:
        name, extras = waiting.pop()
        if (name, *extras) in seen:
            continue
        seen.add((name, *extras))
        if canonicalize_name(name) not in PINS:
            missing.add(name)
        waiting += [(one.name, one.extras) for one in _needs(name, extras)]
    assert not missing, REMEDY


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    """What an installed distribution needs here; nothing if it is not needed on this platform."""
    try:
        wanted = [Requirement(one) for one in requires(name) or ()]
    except PackageNotFoundError:
        return []
    environments = [{"extra": extra} for extra in ("", *extras)]
    return [one for one in wanted if not one.marker or any(map(one.marker.evaluate, environments))]


def test_every_pin_has_hashes_and_no_registry_is_named() -> None:
    blocks = re.split(r"\n(?=[\w.-]+==)", LOCK.strip())
    assert len(blocks) == len(PINS)
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in LOCK


def test_no_pin_is_for_one_machine_only() -> None:
    """The same file installs on Linux and macOS, on x86 and ARM, with every Python that is supported."""
    by_name = {block.split("==")[0]: block for block in re.split(r"\n(?=[\w.-]+==)", LOCK.strip())}
    for name in ("orjson", "pydantic-core", "lxml", "aiohttp"):
        assert by_name[name].count("--hash") > 20
    assert "platform_machine" not in LOCK
