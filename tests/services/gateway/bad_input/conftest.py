"""A gateway with one of everything, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.services.gateway.bad_input.refusals import Refusals
from tests.services.gateway.shared import LLM, add_one_of_everything

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with one of everything; nothing answers that it would have to wait for."""
    api = await start_gateway(llm=LLM, planning_wait_s=0.01)
    await add_one_of_everything(api)
    return api


@pytest.fixture
async def refusals(api: Api) -> Any:
    refusals = Refusals(api, await api.log.last_seq())
    yield refusals
    assert not refusals.wrong, "\n".join(refusals.wrong)
