"""What tests of schedules begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.domain import goal
from contracts.domain.goal import GOAL
from tests.services.gateway.schedules.schedules import NOON, OBJECTIVE

if TYPE_CHECKING:
    from tests.services.conftest import Api


@pytest.fixture
async def api(api: Api) -> Api:
    """A gateway with one goal, at noon on new year's day."""
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    api.gateway.clock = lambda: NOON
    return api
