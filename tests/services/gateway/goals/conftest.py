"""What tests of goals begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.services.gateway.shared import LLM

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway that knows a model."""
    return await start_gateway(llm=LLM)
