"""Models that refuse a parameter, and conversations that are too long for a model."""

from __future__ import annotations

import pytest

from contracts.core.outcome import Reject
from contracts.llm import ChatRequest
from tests.services.llm.lab import HELLO, OK, Lab


async def test_a_reasoning_model_that_refuses_what_others_demand_is_served(lab: Lab) -> None:
    """OpenAI's want another name for the token limit and no temperature; others take no effort or no seed."""
    server = await lab.provider(
        """
        [[rule]]
        when.has = ["max_tokens"]
        answer.status = 400
        answer.error = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        answer.parameter = "max_tokens"
        [[rule]]
        when.has = ["temperature"]
        answer = { status = 400, error = "Unsupported value", parameter = "temperature" }
        [[rule]]
        when.has = ["reasoning_effort"]
        answer = { status = 400, error = "this model does not support thinking" }
        [[rule]]
        when.has = ["seed"]
        answer = { status = 422, error = "seed: extra fields not permitted" }
        """
        + OK
    )
    llm = lab.client(server, llm_model="o3", llm_retries=0)
    request = ChatRequest(HELLO, max_tokens=50, reasoning_effort="high", seed=1)

    first = await llm.complete(request)
    again = await llm.complete(request)

    assert [len(first.attempts), len(again.attempts)] == [5, 1]
    sent = server.requests[-1].body
    assert sent["max_completion_tokens"] == 50
    assert not sent.keys() & {"max_tokens", "temperature", "reasoning_effort", "seed"}


async def test_a_token_limit_larger_than_the_model_takes_is_left_out(lab: Lab) -> None:
    server = await lab.provider(
        """
        [[rule]]
        when.has = ["max_tokens"]
        answer = { status = 400, error = "max_tokens is too large: 10000" }
        [[rule]]
        when.has = ["max_completion_tokens"]
        answer = { status = 400, error = "max_completion_tokens is too large: 10000" }
        """
        + OK
    )

    assert (await lab.client(server).complete(ChatRequest(HELLO))).content == "Hi"


async def test_a_conversation_too_long_for_the_model_is_shortened_and_goes_on(lab: Lab) -> None:
    said = (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens."
    )
    server = await lab.provider(f'[[rule]]\ntimes = 1\nanswer = {{ status = 400, error = "{said}" }}' + OK)
    llm = lab.client(server)
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "x" * 27_000 + "END"}]

    completion = await llm.complete(ChatRequest(messages, max_tokens=10_000))

    first, second = (one.body for one in server.requests)
    assert completion.content == "Hi"
    assert len(second["messages"][1]["content"]) < len(first["messages"][1]["content"]) // 2
    assert second["messages"][1]["content"].endswith("END")
    assert second["max_tokens"] <= 1024

    await llm.complete(ChatRequest(HELLO, max_tokens=10_000))
    assert server.requests[-1].body["max_tokens"] < 4096


async def test_a_conversation_that_never_fits_names_the_settings(lab: Lab) -> None:
    said = "the request exceeds the available context size (64 tokens), try increasing it"
    server = await lab.provider(f'[[rule]]\nanswer = {{ status = 400, error = "{said}" }}')

    with pytest.raises(Reject, match=r"available context size.*AGENT_CONTEXT_CHARS"):
        await lab.client(server).complete(ChatRequest(HELLO))
