"""What tests of planning begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.gateway.shared import LLM, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with a model to plan with, and an agent called Planner."""
    api = await start_gateway(llm=LLM)
    await add_agent(api)
    return api
