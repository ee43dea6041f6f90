"""A secret stays where it belongs, whoever repeats it. After the last test, conftest searches everything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, FormData

from contracts.settings.redactor import REDACTED
from tests.canaries import CANARIES, found_in, found_in_nats

if TYPE_CHECKING:
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_provider_that_echoes_the_key_tells_nobody(bed: Bed) -> None:
    """In an answer, in an error, raw and in base64: the client gets neither, and both are kept nowhere."""
    form = FormData({"prompt": "echo the key", "taskName": "ParaphrasePro"}, default_to_multipart=True)
    answer = await asked(bed, "task", data=form)
    error = await asked(bed, "create-dag", json=plan("echo the key in an error"))
    sent = [request.headers.get("Authorization", "") for request in bed.llm.requests]
    assert f"Bearer {CANARIES['OPENAI_API_KEY']}" in sent
    for text in (answer, error):
        assert REDACTED in text
        assert found_in(text) == set()
    assert await found_in_nats(bed.log.connection) == {}


async def test_a_server_that_repeats_a_secret_to_a_tool_tells_nobody(bed: Bed) -> None:
    bed.hooks.says = {"secret": CANARIES["SMTP_PASS"]}
    try:
        started = await bed.client.dags.execute_job(bed.hooks.job({"001": ()}))
        assert await bed.end(started.execution_id) == "completed"
    finally:
        bed.hooks.says = {}
    shown = (await bed.shown(started.execution_id)).model_dump_json()
    assert REDACTED in shown
    assert found_in(shown) == set()


def plan(goal: str) -> dict[str, Any]:
    return {"goal-text": goal, "agentName": "DecomposerV8"}


async def asked(bed: Bed, path: str, **body: Any) -> str:
    """The text of the answer, whatever its status."""
    async with (
        ClientSession() as http,
        http.post(f"{bed.system.url}/api/v1/{path}", **body) as response,
    ):
        return await response.text()
