"""What tests of executions begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.gateway.executions.executions import WRITE_FILE

if TYPE_CHECKING:
    from tests.services.conftest import Api


@pytest.fixture
def api(api: Api) -> Api:
    """A gateway that knows one tool."""
    api.gateway.catalogue.add(WRITE_FILE)
    return api
