"""The scripted LLM as a server: what any OpenAI client sees of it."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import ClientSession

from contracts.llm import LlmSettings
from contracts.llm.endpoint import resolve
from deploy.scripted_llm import ScriptedLlm, default_rules, environment, parse_rules, serve

CHAT = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


async def test_it_lists_a_model_and_answers_as_any_model() -> None:
    async with ScriptedLlm(parse_rules("[[rule]]\nanswer.text = 'Hi'")) as llm, ClientSession() as http:
        models = await (await http.get(f"{llm.base_url}/models")).json()
        chat = await (await http.post(f"{llm.base_url}/chat/completions", json=CHAT)).json()

    assert [model["id"] for model in models["data"]] == ["scripted"]
    assert chat["model"] == "m"
    assert chat["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}
    assert (
        chat["usage"]["total_tokens"] == chat["usage"]["prompt_tokens"] + chat["usage"]["completion_tokens"]
    )


async def test_a_request_that_no_rule_answers_says_so() -> None:
    async with ScriptedLlm([]) as llm, ClientSession() as http:
        answer = await http.post(f"{llm.base_url}/chat/completions", json=CHAT)
        message = (await answer.json())["error"]["message"]

    assert (answer.status, message) == (404, "no rule matches this request, add one: 'Hello'")


async def test_a_request_that_is_not_json_is_refused() -> None:
    async with ScriptedLlm(default_rules()) as llm, ClientSession() as http:
        answer = await http.post(f"{llm.base_url}/chat/completions", data="{")

    assert answer.status == 400


async def test_it_can_answer_without_the_delays_of_its_rules() -> None:
    rules = parse_rules("[[rule]]\nanswer = { text = 'Hi', delay_ms = 3600000 }")
    async with ScriptedLlm(rules, delays=False) as llm, ClientSession() as http:
        answer = await http.post(f"{llm.base_url}/chat/completions", json=CHAT)

    assert answer.status == 200


async def test_it_serves_until_cancelled() -> None:
    url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(default_rules(), started=url.set_result))
    async with ClientSession() as http:
        answer = await http.get(f"{await url}/models")
    task.cancel()
    await asyncio.wait([task])

    assert answer.status == 200
    assert task.cancelled()


def test_the_settings_that_it_prints_are_enough_whatever_else_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_MODEL", "gpt-4o")
    monkeypatch.setenv("OPENAI_API_KEY", "a key that is nobody else's business")
    for name, value in environment("http://127.0.0.1:1/v1").items():
        monkeypatch.setenv(name, value)
    endpoint = resolve(LlmSettings(_env_file=None))
    assert (endpoint.provider, endpoint.model) == ("openai", "scripted")
    assert (endpoint.base_url, endpoint.api_key) == ("http://127.0.0.1:1/v1", "scripted")
