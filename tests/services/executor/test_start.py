"""The start of the executor as a process."""

from __future__ import annotations

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.forked.python import SERVICES, ForkedPython

NO_SERVER = "nats://127.0.0.1:1"


@pytest.mark.parametrize("name", ["TOOL_MODULES", "SEARCH_BACKEND"])
async def test_a_wrong_plugin_is_told_before_nats_is_asked(
    forked_python: ForkedPython, name: str, tmp_path: Path
) -> None:
    settings = {name: "no_such_module:tool", "NATS_URL": NO_SERVER, "DATA_DIR": str(tmp_path)}
    python = forked_python.with_imports(*SERVICES)
    process = await asyncio.create_subprocess_exec(
        python, "-m", "executor", env={**os.environ, **settings}, cwd=tmp_path, stderr=PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert f"{name}: cannot load 'no_such_module:tool'" in err.decode()
    assert "NATS" not in err.decode()
