"""What is tried again and when, and what is final."""

from __future__ import annotations

import pytest

from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.llm import ChatRequest, Exchange
from deploy.scripted_llm import ScriptedLlm
from tests.services.llm.lab import HELLO, OK, Lab


async def test_a_busy_provider_is_asked_again_when_it_says(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\ntimes = 2\nanswer = { status = 429, retry_after = "7" }' + OK)
    seen: list[Exchange] = []

    completion = await lab.client(server).complete(ChatRequest(HELLO), on_attempt=seen.append)

    assert lab.waits == [7.0, 7.0]
    assert completion.attempts == tuple(seen)
    assert [(attempt.number, attempt.status) for attempt in seen] == [(1, 429), (2, 429), (3, 200)]
    assert "429" in str(seen[0].error)
    assert seen[-1].error is None


async def test_retries_end_and_the_caller_learns_how_long_to_wait(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nanswer = { status = 429, retry_after = "20" }')

    with pytest.raises(Retry, match="429") as outcome:
        await lab.client(server).complete(ChatRequest(HELLO), retries=1)

    assert outcome.value.after == 20.0
    assert len(server.requests) == 2


async def test_a_long_wait_is_left_to_the_caller(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nanswer = { status = 503, retry_after = "3600" }')

    with pytest.raises(Retry) as outcome:
        await lab.client(server).complete(ChatRequest(HELLO))

    assert outcome.value.after == 3600.0
    assert (len(server.requests), lab.waits) == (1, [])


@pytest.mark.parametrize(
    "answer",
    [
        "{ status = 500 }",
        "{ status = 503 }",
        "{ status = 409 }",
        "{ drop = true }",
        "{ cut = true, text = 'Hi' }",
        "{ text = '' }",
    ],
)
async def test_a_passing_failure_is_retried_with_growing_waits(lab: Lab, answer: str) -> None:
    server = await lab.provider(f"[[rule]]\ntimes = 2\nanswer = {answer}" + OK)

    completion = await lab.client(server).complete(ChatRequest(HELLO))

    assert completion.content == "Hi"
    assert lab.waits == [1.0, 2.0]


async def test_an_answer_that_never_comes_is_given_up(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\ntimes = 1\nanswer.hang = true" + OK)
    llm = lab.client(server, llm_timeout_s=0.5)
    seen: list[Exchange] = []

    completion = await llm.complete(ChatRequest(HELLO), on_attempt=seen.append)

    assert completion.content == "Hi"
    assert "LLM_TIMEOUT_S" in str(seen[0].error)
    assert seen[0].status is None
    assert completion.spent.unbilled == (await llm.estimate(ChatRequest(HELLO))).as_unbilled


async def test_a_call_that_may_not_be_retried_fails_with_what_it_has_cost(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\nanswer = { text = '', cost = 0.01 }")
    asked: list[str | None] = []

    async def may_retry(spent: Spent) -> bool:
        asked.append(spent.cost_usd)
        return len(asked) < 2

    with pytest.raises(Retry) as failed:
        await lab.client(server).complete(ChatRequest(HELLO), may_retry=may_retry)

    assert asked == ["0.01", "0.02"]
    assert len(server.requests) == 2
    assert failed.value.spent
    assert failed.value.spent.cost_usd == "0.02"


async def test_an_unreachable_provider_is_named(lab: Lab) -> None:
    async with ScriptedLlm([]) as gone:
        llm = lab.client(gone, llm_retries=0)

    with pytest.raises(Retry, match=r"cannot reach ollama at .*OLLAMA_BASE_URL"):
        await llm.complete(ChatRequest(HELLO, provider="ollama"))


@pytest.mark.parametrize(
    ("status", "says"), [(400, "no good"), (401, "OPENAI_API_KEY"), (404, "OPENAI_MODEL")]
)
async def test_a_refusal_is_final(lab: Lab, status: int, says: str) -> None:
    server = await lab.provider(f'[[rule]]\nanswer = {{ status = {status}, error = "no good" }}')

    with pytest.raises(Reject, match=says):
        await lab.client(server).complete(ChatRequest(HELLO))

    assert len(server.requests) == 1
