"""What tests of executions begin with."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.gateway.executions.executions import WRITE_FILE


@pytest.fixture
def api(api: Any) -> Any:
    """A gateway that knows one tool."""
    api.gateway.catalogue.add(WRITE_FILE)
    return api
