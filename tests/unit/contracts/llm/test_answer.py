from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from contracts.llm.answer import ModelAnswer, read_answer
from contracts.llm.bill import Bill, Tokens
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed
from contracts.llm.prices import price

ENDPOINT = Endpoint(Provider.OPENROUTER, "m", "http://llm/v1", "k", {})


def read(message: dict[str, Any], finish_reason: str | None = "stop", **rest: Any) -> ModelAnswer:
    choice = {"message": message, "finish_reason": finish_reason}
    return read_answer(ENDPOINT, json.dumps({"choices": [choice], **rest}))


def test_null_means_absent() -> None:
    answer = read({"content": "hi", "tool_calls": None, "refusal": None}, usage=None, id=None, model=None)

    assert (answer.content, answer.tool_calls, answer.bill) == ("hi", (), Bill(None, None, None))


def test_text_in_parts_is_joined() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "thinking", "thinking": []},
        {"type": "text", "text": "b"},
    ]

    assert read({"content": parts}).content == "ab"


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_the_models_thoughts_are_kept_apart(key: str) -> None:
    answer = read({"content": "42", key: "hmm"})

    assert (answer.content, answer.reasoning) == ("42", "hmm")


def test_nul_and_lone_surrogates_never_come_through() -> None:
    call = {"function": {"name": "f", "arguments": '{"a": "\\ud800\\u0000"}'}}
    text = (
        '{"choices": [{"message": {"content": "x\\u0000\\ud800", "tool_calls": [' + json.dumps(call) + "]}}]}"
    )

    answer = read_answer(ENDPOINT, text)

    assert answer.content == "x\ufffd\ufffd"
    assert answer.tool_calls[0].arguments == {"a": "\ufffd\ufffd"}


@pytest.mark.parametrize(
    ("written", "arguments"), [('{"a": 1}', {"a": 1}), ("", {}), (None, {}), ({"a": 1}, {"a": 1})]
)
def test_arguments_are_read_in_every_form_that_providers_send(
    written: Any, arguments: dict[str, Any]
) -> None:
    (call,) = read({"tool_calls": [{"function": {"name": "f", "arguments": written}}]}).tool_calls

    assert (call.arguments, call.error, call.id) == (arguments, None, "call_0")


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ('{"path": "a.t', "not valid JSON"),
        ("[1]", "must be a JSON object"),
        ("[" * 100_000, "not valid JSON"),
        ('{"n": [18446744073709551617]}', "n.0: the integer 18446744073709551617 does not fit into 64 bits"),
        ({"n": 18446744073709551617}, "send it as text, in quotes"),
        ('{"n": 1e999}', "n: inf is not a JSON number"),
        ('{"n": NaN}', "NaN is not valid JSON"),
        ({"n": float("nan")}, "n: nan is not a JSON number"),
    ],
)
def test_broken_arguments_come_with_what_is_wrong(written: Any, says: str) -> None:
    (call,) = read({"tool_calls": [{"id": "c", "function": {"name": "f", "arguments": written}}]}).tool_calls

    assert call.arguments == {}
    assert says in str(call.error)


def test_a_content_that_the_server_has_parsed_keeps_large_integers() -> None:
    assert read({"content": {"n": 18446744073709551617}}).content == '{"n":18446744073709551617}'


@pytest.mark.parametrize(
    ("reported", "calls", "meant"),
    [
        ("stop", False, "stop"),
        ("eos", False, "stop"),
        (None, False, "stop"),
        ("tool_calls", False, "stop"),
        ("stop", True, "tool_calls"),
        ("length", True, "length"),
        ("content_filter", False, "content_filter"),
    ],
)
def test_the_finish_reason_is_one_of_four(reported: str | None, calls: bool, meant: str) -> None:
    tool_calls = [{"function": {"name": "f", "arguments": "{}"}}] if calls else []

    assert read({"content": "x", "tool_calls": tool_calls}, reported).finish_reason == meant


@pytest.mark.parametrize(
    ("text", "passing", "says"),
    [
        ("<html>Bad gateway</html>", True, "a web page"),
        ('{"choices": [{"message": {"content": "ha', True, "not a chat completion"),
        ("[]", True, "not a chat completion"),
        ("{}", True, "empty answer"),
        ('{"choices": [{"message": {"content": " \\n"}}]}', True, "empty answer"),
        ('{"choices": [{"message": null, "finish_reason": "length"}]}', False, "raise max_tokens"),
        ('{"choices": [{"message": {"refusal": "I will not"}}]}', False, "I will not"),
        ('{"choices": [{"finish_reason": "content_filter"}]}', False, "content filter"),
        ('{"error": {"code": 429, "message": "slow down"}}', True, "429"),
        ('{"error": {"code": 403, "message": "moderated"}}', False, "moderated"),
        ('{"choices": [{"error": {"message": "upstream died"}}]}', True, "upstream died"),
    ],
)
def test_an_answer_that_says_nothing_is_a_failure(text: str, passing: bool, says: str) -> None:
    with pytest.raises(CallFailed) as failure:
        read_answer(ENDPOINT, text)

    assert failure.value.passing is passing
    assert says in str(failure.value)


RESPONSE = {"type": "message", "content": [{"type": "output_text", "text": "hi"}]}
CANDIDATE = {"content": {"parts": [{"text": "hi"}], "role": "model"}, "finishReason": "STOP"}


@pytest.mark.parametrize(
    ("body", "api", "advice"),
    [
        (
            {"object": "response", "output": [RESPONSE], "usage": {"input_tokens": 3, "output_tokens": 1}},
            "OpenAI's Responses API",
            "check OPENROUTER_BASE_URL",
        ),
        (
            {"candidates": [CANDIDATE], "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}},
            "Gemini's own API",
            "set OPENROUTER_BASE_URL to the address of its chat completions, /v1beta/openai",
        ),
    ],
)
def test_an_answer_of_another_api_names_the_setting_and_is_paid_for_once(
    body: dict[str, Any], api: str, advice: str
) -> None:
    with pytest.raises(CallFailed, match=api) as failure:
        read_answer(ENDPOINT, json.dumps(body))
    assert advice in str(failure.value)
    assert not failure.value.passing
    assert failure.value.may_be_charged


@pytest.mark.parametrize("usage", [{"prompt_tokens": 2**63}, {"completion_tokens": -1}, {"cost": 1e30}])
def test_invalid_token_counts_are_ignored(usage: dict[str, Any]) -> None:
    """The views hold 64 bits, so one such number would stop them for ever."""
    bill = read({"content": "x"}, usage={"prompt_tokens": 1, "cost": 0.1, **usage}).bill
    assert (bill.tokens is None) != (bill.charged is None)


def test_usage_and_charge_are_exact() -> None:
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 3,
        "cost": 0.1,
        "prompt_tokens_details": {"cached_tokens": 4},
    }

    answer = read({"content": "x"}, usage=usage)

    assert answer.bill == Bill(None, Tokens(prompt=10, cached=4, completion=3), Decimal("0.1"))


@pytest.mark.parametrize("finish_reason", ["length", "content_filter", "stop"])
def test_an_unusable_answer_has_a_cost(finish_reason: str) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 3, "cost": 0.1}

    with pytest.raises(CallFailed) as failure:
        read({"content": ""}, finish_reason, usage=usage, model="m-2")

    assert failure.value.bill == Bill("m-2", Tokens(10, 0, 3), Decimal("0.1"))


@pytest.mark.parametrize(
    ("provider", "base_url", "model", "known"),
    [
        (Provider.OPENAI, "https://api.openai.com/v1", "gpt-4o-mini", True),
        (Provider.OPENAI, "https://api.deepseek.com", "deepseek-chat", True),
        (Provider.OPENAI, "http://proxy.local/v1", "gpt-4o-mini-2024-07-18", True),
        (Provider.OPENAI, "http://127.0.0.1:1/v1", "my-own-model", False),
        (Provider.OPENROUTER, "https://openrouter.ai/api/v1", "openai/gpt-4o-mini", True),
        (Provider.OLLAMA, "http://localhost:11434/v1", "gpt-4o-mini", False),
    ],
)
def test_prices_are_known_for_listed_models_only(
    provider: Provider, base_url: str, model: str, known: bool
) -> None:
    cost = price(Endpoint(provider, model, base_url, "k", {}), model, Tokens(1000, 0, 100))

    assert (cost is not None) is known
    assert cost is None or cost > 0


def test_cached_tokens_cost_less_and_are_not_counted_twice() -> None:
    openai = Endpoint(Provider.OPENAI, "gpt-4o-mini", "https://api.openai.com/v1", "k", {})

    plain, cached, nonsense = (price(openai, "gpt-4o-mini", Tokens(1000, n, 0)) for n in (0, 1000, 5000))

    assert plain is not None
    assert cached is not None
    assert 0 < cached < plain
    assert nonsense == cached
