"""A plugin of pytest: the workers of pytest-xdist are forked, and their tests fork programs from one process.

A worker of its own takes six seconds of CPU for imports, and another five for those of the programs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from execnet import XSpec

from tests.forked.python import COMMANDS, WORKERS, ForkedPython, forking

SHARED = pytest.StashKey[ForkedPython]()
SHARING = ("tests/console/", "tests/system/")
"""Folders whose tests share what takes seconds to start."""
PROGRAMS = "programs"
"""In what a worker receives: the directory of the process that forks programs."""


def pytest_xdist_setupnodes(config: pytest.Config, specs: list[XSpec]) -> None:
    """Start the process that forks programs. It forks the one that forks workers, which imports more."""
    stack = ExitStack()
    config.add_cleanup(stack.close)
    config.stash[SHARED] = programs = stack.enter_context(forking())
    workers = stack.enter_context(forking(programs.with_imports(*COMMANDS)))
    for spec in specs:
        spec.python = workers.with_imports(*WORKERS, executable=sys.executable)


def _received(config: pytest.Config) -> dict[str, Any] | None:
    """What a worker has received, None in any other process."""
    received: dict[str, Any] | None = getattr(config, "workerinput", None)
    return received


def pytest_configure_node(node: Any) -> None:
    """Tell a worker where programs are forked."""
    node.workerinput[PROGRAMS] = str(node.config.stash[SHARED].directory)


def pytest_collection(session: pytest.Session) -> None:
    """Let each worker rewrite the assertions of some modules first, which the others then only read."""
    worker = _received(session.config)
    if worker and session.config.args == session.config.getini("testpaths"):
        number, count = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        root = session.config.rootpath
        for path in sorted((root / "tests").rglob("test_*.py"))[number::count]:
            with suppress(Exception):  # collecting reports it
                import_module(".".join(path.relative_to(root).with_suffix("").parts))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what shares a browser or a system. Workers without work take the last tests of others."""
    items.sort(key=lambda item: not item.nodeid.startswith(SHARING))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Let a worker report a test that passed by its call alone. A message takes half a millisecond."""
    if _received(item.config) is None:
        return None
    for report in runtestprotocol(item, log=False, nextitem=nextitem):
        if report.when == "call" or not report.passed:
            item.ihook.pytest_runtest_logreport(report=report)
    return True


@pytest.fixture(scope="session")
def forked_python(pytestconfig: pytest.Config) -> Iterator[ForkedPython]:
    """Interpreters for programs that need not import anything."""
    if worker := _received(pytestconfig):
        yield ForkedPython(Path(worker[PROGRAMS]))
        return
    with forking() as python:
        yield python
