"""What tests of runs begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.domain import goal
from contracts.domain.goal import GOAL
from tests.services.gateway.runs.runs import OBJECTIVE

if TYPE_CHECKING:
    from tests.services.conftest import Api


@pytest.fixture
async def api(api: Api) -> Api:
    """A gateway with one goal."""
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    return api
