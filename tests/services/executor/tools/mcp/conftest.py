"""An interpreter for MCP servers."""

from __future__ import annotations

import pytest

from tests.forked.python import MCP_SERVERS, ForkedPython


@pytest.fixture
def python(forked_python: ForkedPython) -> str:
    """An interpreter that has imported the official SDK."""
    return forked_python.with_imports(*MCP_SERVERS)
