"""What each answer costs is counted, of use or not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from prometheus_client import REGISTRY

from contracts.core.event import Usage
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.llm import ChatRequest
from deploy.scripted_llm import ScriptedLlm
from tests.services.llm.lab import HELLO, OK, Lab


async def test_usage_is_counted_and_priced_by_the_list(lab: Lab) -> None:
    server = await lab.provider(
        '[[rule]]\nanswer = { text = "Hi", usage = { prompt_tokens = 1000000, completion_tokens = 1000000 } }'
    )
    llm = lab.client(server)

    listed = await llm.complete(ChatRequest(HELLO, model="gpt-4o-mini"))
    unlisted = await llm.complete(ChatRequest(HELLO, model="home-made"))
    local = await llm.complete(ChatRequest(HELLO, provider="ollama"))

    assert listed.spent.usage == Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)
    assert listed.spent.cost_usd == "0.75"
    assert unlisted.spent.cost_usd is None
    assert local.spent.cost_usd is None


@pytest.mark.parametrize("name", ["openrouter", "openrouter-fetch"])
async def test_openrouter_is_asked_what_it_charged_and_believed(lab: Lab, name: str) -> None:
    server = await lab.provider('[[rule]]\nanswer.text = "Hi"\nanswer.cost = 0.0123')

    completion = await lab.client(server, llm_provider=name).complete(ChatRequest(HELLO))

    assert (completion.spent.provider, completion.spent.cost_usd) == ("openrouter", "0.0123")
    assert completion.generation_stats["total_cost"] == 0.0123
    (sent,) = server.requests
    assert sent.body["usage"] == {"include": True}
    assert sent.headers["Authorization"] == "Bearer or-key"
    assert sent.headers["HTTP-Referer"] == "https://github.com/async-agent"
    assert sent.headers["X-Title"] == "Async Agent"


EMPTY = """
answer.text = ""
answer.cost = 0.01
answer.usage = { prompt_tokens = 5, completion_tokens = 2 }"""


async def test_unusable_answers_before_a_usable_one_are_counted_too(lab: Lab) -> None:
    good = 'answer = { text = "Hi", cost = 0.1, usage = { prompt_tokens = 5, completion_tokens = 7 } }'
    server = await lab.provider(f"[[rule]]\ntimes = 2\n{EMPTY}\n[[rule]]\n{good}")

    completion = await lab.client(server, llm_provider="openrouter").complete(ChatRequest(HELLO))

    assert completion.spent.usage == Usage(prompt_tokens=15, completion_tokens=11)
    assert completion.spent.cost_usd == "0.12"


@pytest.mark.parametrize(("reason", "outcome"), [("stop", Retry), ("length", Reject)])
async def test_a_failed_call_says_what_it_has_cost(
    lab: Lab, reason: str, outcome: type[Retry | Reject]
) -> None:
    server = await lab.provider(f'[[rule]]\n{EMPTY}\nanswer.finish_reason = "{reason}"')

    with pytest.raises(outcome) as failed:
        await lab.client(server, llm_provider="openrouter").complete(ChatRequest(HELLO), retries=0)

    assert isinstance(failed.value, Retry | Reject)
    used = Usage(prompt_tokens=5, completion_tokens=2)
    assert failed.value.spent == Spent(
        usage=used, cost_usd="0.01", provider="openrouter", model="gpt-4o-mini"
    )


async def test_a_provider_that_does_not_answer_costs_nothing(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\nanswer.status = 500")

    with pytest.raises(Retry) as failed:
        await lab.client(server).complete(ChatRequest(HELLO), retries=1)

    assert failed.value.spent == Spent(provider="openai", model="gpt-4o-mini")


async def test_metrics_tell_attempts_and_tokens(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\ntimes = 1\nanswer.status = 500" + OK)
    labels = {"provider": "openai", "model": "metered"}

    completion = await lab.client(server).complete(ChatRequest(HELLO, model="metered"))

    sample: Callable[..., float | None] = REGISTRY.get_sample_value
    assert sample("llm_attempts_total", {**labels, "outcome": "passing"}) == 1
    assert sample("llm_attempts_total", {**labels, "outcome": "ok"}) == 1
    assert sample("llm_attempt_seconds_count", labels) == 2
    usage = completion.spent.usage
    assert usage is not None
    assert sample("llm_tokens_total", {**labels, "kind": "prompt"}) == usage.prompt_tokens


async def test_an_odd_answer_is_read_and_what_it_cost_is_on_record(lab: Lab) -> None:
    server = await lab.provider("""
        [[rule]]
        [rule.answer.body]
        id = 17
        model = { id = "m-2" }
        choices = [{ message = { content = ["Hi"], tool_calls = "" }, finish_reason = "eos_token" }]
        usage = { prompt_tokens = 5.2, completion_tokens = "2", cost = "1e-7", prompt_tokens_details = [] }
    """)

    completion = await lab.client(server).complete(ChatRequest(HELLO))

    assert completion.content == "Hi"
    assert completion.spent == Spent(
        usage=Usage(prompt_tokens=5, completion_tokens=2),
        cost_usd="0.0000001",
        provider="openai",
        model="gpt-4o-mini",
    )


WITHOUT_USAGE = "answer.body = { choices = [{ message = { content = '%s' }, finish_reason = 'stop' }] }"


@pytest.mark.parametrize(
    "answer",
    [
        "answer.hang = true",
        "answer.drop = true",
        "answer = { cut = true, text = 'Hi' }",
        "answer.raw = 'half of an ans'",
        "answer.status = 504",
        WITHOUT_USAGE % "",
    ],
)
async def test_a_lost_or_unreadable_answer_may_have_cost_what_was_estimated(lab: Lab, answer: str) -> None:
    server = await lab.provider(f"[[rule]]\n{answer}")
    llm = lab.client(server, llm_timeout_s=0.3)

    with pytest.raises(Retry) as failed:
        await llm.complete(ChatRequest(HELLO), retries=0)

    assert failed.value.spent
    assert failed.value.spent.unbilled == (await llm.estimate(ChatRequest(HELLO))).as_unbilled
    assert failed.value.spent.cost_usd is None


async def test_every_lost_answer_of_a_call_counts(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\ntimes = 2\nanswer.drop = true" + OK)
    llm = lab.client(server)

    completion = await llm.complete(ChatRequest(HELLO))

    most = (await llm.estimate(ChatRequest(HELLO))).as_unbilled
    assert completion.spent.unbilled == most + most
    assert completion.spent.usage is not None


@pytest.mark.parametrize(
    "answer",
    [
        "answer.status = 503",
        "answer.status = 429",
        "answer.raw = '<!doctype html><title>Sign in</title>'",
        "answer.body = { error = { message = 'no' } }",
    ],
)
async def test_an_error_of_the_provider_costs_nothing(lab: Lab, answer: str) -> None:
    server = await lab.provider(f"[[rule]]\n{answer}")

    with pytest.raises(Retry) as failed:
        await lab.client(server).complete(ChatRequest(HELLO), retries=0)

    assert failed.value.spent == Spent(provider="openai", model="gpt-4o-mini")


async def test_a_provider_that_was_not_reached_costs_nothing(lab: Lab) -> None:
    async with ScriptedLlm([]) as gone:
        llm = lab.client(gone)

    with pytest.raises(Retry) as failed:
        await llm.complete(ChatRequest(HELLO), retries=0)

    assert failed.value.spent == Spent(provider="openai", model="gpt-4o-mini")


async def test_an_answer_without_numbers_counts_at_its_estimate(lab: Lab) -> None:
    server = await lab.provider(f"[[rule]]\n{WITHOUT_USAGE % 'Hi'}")
    llm = lab.client(server)

    completion = await llm.complete(ChatRequest(HELLO))

    assert completion.spent.usage is None
    assert completion.spent.unbilled == (await llm.estimate(ChatRequest(HELLO))).as_unbilled


async def test_an_answer_of_a_model_that_has_no_price_counts_at_the_price_of_the_one_that_was_asked(
    lab: Lab,
) -> None:
    server = await lab.provider("""
        [[rule]]
        [rule.answer.body]
        model = "gpt-4o-mini-made-up-for-you"
        choices = [{ message = { content = "Hi" }, finish_reason = "stop" }]
        usage = { prompt_tokens = 1000000, completion_tokens = 1000000 }
    """)

    spent = (await lab.client(server).complete(ChatRequest(HELLO))).spent

    told = Decimal(spent.cost_usd or 0) + Decimal((spent.unbilled and spent.unbilled.usd) or 0)
    assert told == Decimal("0.75")
    assert not (spent.unbilled and spent.unbilled.tokens)
