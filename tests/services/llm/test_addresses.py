"""An address that is not that of a provider's API."""

from __future__ import annotations

import pytest

from contracts.core.outcome import Reject, Retry
from contracts.llm import ChatRequest, LlmNotConfigured, LlmSettings
from tests.services.llm.lab import HELLO, OK, Lab


@pytest.mark.parametrize(("provider", "says"), [(None, "LLM_PROVIDER"), ("openai", "OPENAI_API_KEY")])
async def test_without_configuration_nothing_is_called_and_the_variable_is_named(
    lab: Lab, provider: str | None, says: str
) -> None:
    llm = lab.of(LlmSettings(_env_file=None))

    assert says in str(llm.problem(provider))
    with pytest.raises(LlmNotConfigured, match=says):
        await llm.complete(ChatRequest(HELLO, provider=provider))


PAGE = "'<!DOCTYPE html><html><head><title>Welcome to nginx</title></head><body>…</body></html>'"


@pytest.mark.parametrize("status", [200, 404])
async def test_a_web_page_is_told_with_the_address_and_what_to_set(lab: Lab, status: int) -> None:
    server = await lab.provider(
        f"[[rule]]\nanswer = {{ raw = {PAGE}, content_type = 'text/html', status = {status} }}"
    )
    llm = lab.client(server, llm_retries=0)

    with pytest.raises((Retry, Reject)) as failed:
        await llm.complete(ChatRequest(HELLO))

    said = str(failed.value)
    assert "a web page ('Welcome to nginx')" in said
    assert f"{server.base_url}/chat/completions" in said
    assert "OPENAI_BASE_URL" in said


async def test_a_base_url_without_v1_is_told_what_it_lacks(lab: Lab) -> None:
    server = await lab.provider(OK)
    llm = lab.client(server, openai_base_url=server.url)

    with pytest.raises(Reject, match=r"check OPENAI_BASE_URL: for most servers it ends in /v1"):
        await llm.complete(ChatRequest(HELLO))
