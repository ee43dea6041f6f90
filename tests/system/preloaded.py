"""Runs commands of `async-agent` in processes that are forked from one that has imported the command line.

A command of its own interpreter takes a second of CPU to import; a forked one takes none. Both have their own
environment, working directory, output and exit status.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path

from deploy.cli.main import main

FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    ["tests.system.preloaded", "deploy.cli.resources.command", "deploy.cli.up", "deploy.cli.watch.follow"]
)


async def run_preloaded(
    args: Sequence[str], env: Mapping[str, str], cwd: Path, output: Path, errors: Path
) -> int:
    """Run one command, write what it prints to `output` and `errors`, and return its exit status."""
    process = FORKS.Process(target=_run, args=(args, dict(env), cwd, output, errors))
    process.start()
    try:
        await asyncio.to_thread(process.join)
    finally:
        process.kill()
    assert process.exitcode is not None
    return process.exitcode


def _run(args: Sequence[str], env: Mapping[str, str], cwd: Path, output: Path, errors: Path) -> None:
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    for descriptor, path in ((1, output), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    sys.argv = ["async-agent", *args]
    main()
