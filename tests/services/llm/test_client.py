"""The LLM client against a real HTTP server that plays the provider."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
from prometheus_client import REGISTRY

from contracts.core.event import Usage
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.llm import ChatRequest, Exchange, Llm, LlmNotConfigured, LlmSettings
from contracts.llm.backoff import Backoff
from deploy.scripted_llm import Rule, ScriptedAnswer, ScriptedLlm, parse_rules

HELLO = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"})
TOOL = {"type": "function", "function": {"name": "add", "description": "", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
OK = '\n[[rule]]\nanswer.text = "Hi"'


class Lab:
    """Providers that follow rules, and clients whose waits are recorded instead of waited for."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.waits: list[float] = []

    async def provider(self, rules: str) -> ScriptedLlm:
        return await self.serve(parse_rules(rules))

    async def serve(self, rules: Sequence[Rule]) -> ScriptedLlm:
        return await self._stack.enter_async_context(ScriptedLlm(rules))

    def client(self, server: ScriptedLlm, **values: Any) -> Llm:
        defaults = {
            "llm_provider": "openai",
            "llm_model": "gpt-4o-mini",
            "openai_base_url": server.base_url,
            "openrouter_base_url": server.base_url,
            "openrouter_api_key": "or-key",
            "ollama_base_url": server.url,
        }
        return self.of(LlmSettings(_env_file=None, **{**defaults, **values}))

    def of(self, settings: LlmSettings) -> Llm:
        llm = Llm(settings, Backoff(sleep=self._wait, jitter=lambda: 1.0))
        self._stack.push_async_callback(llm.aclose)
        return llm

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
async def lab(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    for name in LlmSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    async with AsyncExitStack() as stack:
        yield Lab(stack)


async def test_a_chat_is_sent_as_asked_and_answered(lab: Lab) -> None:
    server = await lab.provider(OK)

    completion = await lab.client(server).complete(
        ChatRequest(HELLO, temperature=0.1, max_tokens=99, seed=0, reasoning_effort="low")
    )

    assert (completion.content, completion.finish_reason, completion.tool_calls) == ("Hi", "stop", ())
    assert (completion.spent.provider, completion.spent.model) == ("openai", "gpt-4o-mini")
    (sent,) = server.requests
    assert sent.body == {
        "model": "gpt-4o-mini",
        "messages": list(HELLO),
        "temperature": 0.1,
        "max_tokens": 99,
        "seed": 0,
        "reasoning_effort": "low",
    }


async def test_what_is_not_asked_comes_from_the_settings_or_is_not_sent(lab: Lab) -> None:
    server = await lab.provider(OK)

    await lab.client(server, default_max_tokens=123).complete(ChatRequest(HELLO))

    sent = server.requests[0].body
    assert (sent["temperature"], sent["max_tokens"]) == (0.7, 123)
    assert not sent.keys() & {"seed", "reasoning_effort", "tools", "response_format", "usage"}


async def test_images_are_sent_as_parts(lab: Lab) -> None:
    server = await lab.provider(OK)
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": "What is it?"}, image]

    await lab.client(server).complete(ChatRequest([{"role": "user", "content": content}]))

    assert server.requests[0].body["messages"][0]["content"] == content


async def test_each_call_is_one_request_and_nothing_is_probed(lab: Lab) -> None:
    server = await lab.provider(OK)
    llm = lab.client(server)

    assert llm.problem() is None
    await llm.complete(ChatRequest(HELLO))
    await llm.complete(ChatRequest(HELLO, provider="ollama", tools=[TOOL]))

    assert len(server.requests) == 2


async def test_tool_calls_come_back_parsed_or_with_what_is_wrong(lab: Lab) -> None:
    server = await lab.provider("""
        [[rule]]
        when.tool = "add"
        answer.text = "I add."
        [[rule.answer.tool_calls]]
        name = "add"
        arguments = { a = 1, b = 2 }
        [[rule.answer.tool_calls]]
        name = "add"
        arguments = '{"a": 1, "b'
        """)

    completion = await lab.client(server).complete(ChatRequest(HELLO, tools=[TOOL]))

    whole, half = completion.tool_calls
    assert completion.finish_reason == "tool_calls"
    assert (whole.name, whole.arguments, whole.error) == ("add", {"a": 1, "b": 2}, None)
    assert half.arguments == {}
    assert "not valid JSON" in str(half.error)


async def test_a_schema_is_sent_as_a_response_format(lab: Lab) -> None:
    server = await lab.provider(OK)

    await lab.client(server).complete(ChatRequest(HELLO, response_schema=SCHEMA))

    assert server.requests[0].body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA},
    }


@pytest.mark.parametrize("says", ["response_format is not supported", "Bad request"])
async def test_a_model_without_schemas_is_asked_without_and_that_is_remembered(lab: Lab, says: str) -> None:
    server = await lab.provider(
        f'[[rule]]\nwhen.has = ["response_format"]\nanswer = {{ status = 400, error = "{says}" }}' + OK
    )
    llm = lab.client(server)

    first = await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))
    again = await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))
    await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA, model="another"))

    assert [attempt.status for attempt in first.attempts] == [400, 200]
    assert [attempt.status for attempt in again.attempts] == [200]
    assert ["response_format" in sent.body for sent in server.requests] == [True, False, False, True, False]
    assert lab.waits == []


async def test_a_400_that_has_other_reasons_is_not_blamed_on_the_schema_for_ever(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\ntimes = 2\nanswer = { status = 400, error = "too long" }' + OK)
    llm = lab.client(server)

    with pytest.raises(Reject, match="too long"):
        await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))
    await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))

    assert "response_format" in server.requests[-1].body


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


async def test_answers_of_no_use_before_the_good_one_are_paid_for_too(lab: Lab) -> None:
    good = 'answer = { text = "Hi", cost = 0.1, usage = { prompt_tokens = 5, completion_tokens = 7 } }'
    server = await lab.provider(f"[[rule]]\ntimes = 2\n{EMPTY}\n[[rule]]\n{good}")

    completion = await lab.client(server, llm_provider="openrouter").complete(ChatRequest(HELLO))

    assert completion.spent.usage == Usage(prompt_tokens=15, completion_tokens=11)
    assert completion.spent.cost_usd == "0.12"


@pytest.mark.parametrize(("reason", "outcome"), [("stop", Retry), ("length", Reject)])
async def test_a_call_that_comes_to_nothing_says_what_it_has_cost(
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
    llm = lab.client(server, llm_timeout_s=0.2)
    seen: list[Exchange] = []

    assert (await llm.complete(ChatRequest(HELLO), on_attempt=seen.append)).content == "Hi"

    assert "LLM_TIMEOUT_S" in str(seen[0].error)
    assert seen[0].status is None


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


@pytest.mark.parametrize(("provider", "says"), [(None, "LLM_PROVIDER"), ("openai", "OPENAI_API_KEY")])
async def test_without_configuration_nothing_is_called_and_the_variable_is_named(
    lab: Lab, provider: str | None, says: str
) -> None:
    llm = lab.of(LlmSettings(_env_file=None))

    assert says in str(llm.problem(provider))
    with pytest.raises(LlmNotConfigured, match=says):
        await llm.complete(ChatRequest(HELLO, provider=provider))


async def test_no_more_calls_are_in_flight_than_allowed(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nanswer = { text = "Hi", delay_ms = 50 }')
    llm = lab.client(server, llm_max_concurrency=2)

    await asyncio.gather(*(llm.complete(ChatRequest(HELLO)) for _ in range(6)))

    assert server.max_in_flight == 2


async def test_unstorable_characters_pass_in_neither_direction(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nwhen.user = "(?P<echo>.*)"\nanswer.text = "$echo\\u0000"')

    completion = await lab.client(server).complete(ChatRequest([{"role": "user", "content": "a\ud800b\x00"}]))

    assert server.requests[0].body["messages"][0]["content"] == "a\ufffdb\ufffd"
    assert completion.content == "a\ufffdb\ufffd\ufffd"


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


async def test_an_answer_is_bounded_though_it_comes_packed(lab: Lab) -> None:
    packed = await lab.provider("[[rule]]\nanswer = { text = 'Hi', gzip = true }")
    assert (await lab.client(packed).complete(ChatRequest(HELLO))).content == "Hi"

    bomb = ScriptedAnswer(raw='{"x": "' + " " * (20 * 1024 * 1024), gzip=True)
    server = await lab.serve([Rule(answer=bomb)])
    with pytest.raises(Reject, match="larger than 16 MiB"):
        await lab.client(server).complete(ChatRequest(HELLO))
    assert len(server.requests) == 1


@pytest.mark.parametrize(("setting", "sent"), [("json_object", "json_object"), ("off", None)])
async def test_a_setting_says_how_an_answer_is_held_to_its_shape(
    lab: Lab, setting: str, sent: str | None
) -> None:
    server = await lab.provider(OK)

    await lab.client(server, llm_structured_output=setting).complete(
        ChatRequest(HELLO, response_schema=SCHEMA)
    )

    form = server.requests[0].body.get("response_format")
    assert (form and form["type"]) == sent


async def test_a_format_that_is_always_wanted_is_not_given_up(lab: Lab) -> None:
    server = await lab.provider("[[rule]]\nanswer = { status = 400, error = 'no response_format' }")
    llm = lab.client(server, llm_structured_output="json_schema")

    with pytest.raises(Reject, match="no response_format"):
        await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "first", "waits"), [(404, [True, False], []), (500, [True, True, False], [1.0, 2.0])]
)
async def test_an_unclear_refusal_that_goes_away_without_the_schema_is_learnt_the_second_time(
    lab: Lab, status: int, first: list[bool], waits: list[float]
) -> None:
    refusal = (
        f"[[rule]]\nwhen.has = ['response_format']\nanswer = {{ status = {status}, error = 'internal' }}"
    )
    server = await lab.provider(refusal + OK)
    llm = lab.client(server)

    for _ in range(3):
        assert (await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))).content == "Hi"

    asked = ["response_format" in one.body for one in server.requests]
    assert asked == [*first, *first, False]
    assert lab.waits == [*waits, *waits]


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


async def test_a_call_written_as_text_is_a_call_and_an_unreadable_one_is_told(lab: Lab) -> None:
    written = '<tool_call>{"name": "add", "arguments": {"x": 1}}</tool_call>'
    server = await lab.provider(
        f"[[rule]]\ntimes = 1\nanswer.text = '{written}'\n"
        "[[rule]]\nanswer.text = '<tool_call>add one</tool_call>'"
    )
    llm = lab.client(server)

    read, unread = [await llm.complete(ChatRequest(HELLO, tools=[TOOL])) for _ in range(2)]

    assert [(call.name, call.arguments) for call in read.tool_calls] == [("add", {"x": 1})]
    assert (unread.tool_calls, unread.problem is None) == ((), False)
