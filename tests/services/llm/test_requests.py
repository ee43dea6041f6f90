"""What is sent to a provider, and what comes back."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from contracts.core.outcome import Reject
from contracts.llm import ChatRequest
from contracts.llm.connection import Damaged, unpacked
from deploy.scripted_llm import Rule, ScriptedAnswer
from tests.services.llm.lab import HELLO, OK, Lab

if TYPE_CHECKING:
    from tests.conftest import Eventually

TOOL = {"type": "function", "function": {"name": "add", "description": "", "parameters": {"type": "object"}}}


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


async def test_an_omitted_field_comes_from_the_settings_or_is_not_sent(lab: Lab) -> None:
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


async def test_no_more_calls_are_in_flight_than_allowed(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nanswer = { text = "Hi", delay_ms = 50 }')
    llm = lab.client(server, llm_max_concurrency=2)

    answers = await asyncio.gather(*(llm.complete(ChatRequest(HELLO)) for _ in range(6)))

    assert server.max_in_flight == 2
    queued = sorted(answer.generation_stats["queued_ms"] for answer in answers)
    assert [ms >= 40 for ms in queued] == [False, False, True, True, True, True]


async def test_calls_that_wait_for_others_are_counted(lab: Lab, eventually: Eventually) -> None:
    llm = lab.client(await lab.provider("[[rule]]\nanswer.hang = true"), llm_max_concurrency=2)

    calls = [asyncio.create_task(llm.complete(ChatRequest(HELLO))) for _ in range(5)]
    await eventually(lambda: REGISTRY.get_sample_value("llm_waiting_calls") == 3)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    assert REGISTRY.get_sample_value("llm_waiting_calls") == 0


async def test_unstorable_characters_pass_in_neither_direction(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\nwhen.user = "(?P<echo>.*)"\nanswer.text = "$echo\\u0000"')

    completion = await lab.client(server).complete(ChatRequest([{"role": "user", "content": "a\ud800b\x00"}]))

    assert server.requests[0].body["messages"][0]["content"] == "a\ufffdb\ufffd"
    assert completion.content == "a\ufffdb\ufffd\ufffd"


async def test_an_answer_is_bounded_though_it_comes_packed(lab: Lab) -> None:
    packed = await lab.provider("[[rule]]\nanswer = { text = 'Hi', gzip = true }")
    assert (await lab.client(packed).complete(ChatRequest(HELLO))).content == "Hi"

    bomb = ScriptedAnswer(raw='{"x": "' + " " * (20 * 1024 * 1024), gzip=True)
    server = await lab.serve([Rule(answer=bomb)])
    with pytest.raises(Reject, match="larger than 16 MiB"):
        await lab.client(server).complete(ChatRequest(HELLO))
    assert len(server.requests) == 1


async def test_a_packed_answer_without_its_end_is_not_an_answer() -> None:
    packed = gzip.compress(b'{"choices": []}')
    assert unpacked(packed) == b'{"choices": []}'
    for length in range(1, len(packed)):
        with pytest.raises(Damaged):
            unpacked(packed[:length])


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
