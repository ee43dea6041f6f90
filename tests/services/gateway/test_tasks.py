"""Single tasks over HTTP, with a scripted model behind the gateway."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from io import BytesIO
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock

import orjson
import pytest
from aiohttp import FormData

from contracts.core.event import Usage
from contracts.domain import agent, task
from contracts.domain.agent import AGENT
from contracts.llm import LlmSettings
from contracts.runtime.log import Unavailable
from deploy.scripted_llm import ScriptedLlm, parse_rules
from gateway.http.forms import FormMemory
from tests.services.gateway.shared import add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

TASK = "/api/v1/task"
ANSWERING = '[[rule]]\nanswer.text = "Done."\nanswer.usage = { prompt_tokens = 11, completion_tokens = 7 }'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
MIB = 1024 * 1024

StartApi = Callable[..., Awaitable[Any]]


class Lab:
    """A gateway, the agent that does tasks, and the model it asks."""

    def __init__(self, api: Api, model: ScriptedLlm) -> None:
        self.api = api
        self.model = model

    async def ask(self, *files: tuple[str, bytes, str], **fields: str) -> Any:
        """A task with `(filename, content, media type)`s."""
        form = FormData(default_to_multipart=True)
        for name, value in {"taskName": "Teacher", "prompt": "Look.", **fields}.items():
            form.add_field(name, value)
        for filename, content, media_type in files:
            form.add_field("files", BytesIO(content), filename=filename, content_type=media_type or None)
        return await self.api.call("POST", TASK, data=form)

    @property
    def messages(self) -> Any:
        """What the model was told last."""
        return self.model.requests[-1].body["messages"]


@pytest.fixture
async def start(start_gateway: StartGateway) -> AsyncGenerator[StartApi]:
    async with AsyncExitStack() as stack:

        async def begin(rules: str = ANSWERING, **changes: Any) -> Lab:
            model = await stack.enter_async_context(ScriptedLlm(parse_rules(rules)))
            settings: dict[str, Any] = {
                "llm_provider": "openai",
                "llm_model": "gpt-4o-mini",
                "llm_retries": 0,
            }
            llm = LlmSettings(_env_file=None, **settings, openai_base_url=model.base_url)
            api = await start_gateway(llm=llm)
            made = {"name": "Teacher", "version_name": "2.1", "prompt_template": "Teach.", **changes}
            await api.write(AGENT, "a1", agent.Created(**made))
            await api.write(AGENT, "a1", agent.Activated(name="Teacher"))
            return Lab(api, model)

        yield begin


@pytest.fixture
async def lab(start: StartApi) -> Lab:
    lab: Lab = await start()
    return lab


# ── what is asked and answered ──────────────────────────────────────────────────────────────────────────


async def test_an_agent_is_asked_and_its_answer_given(lab: Lab) -> None:
    answer = await lab.ask()

    assert answer.status == 200
    assert answer.json == {
        "taskName": "Teacher",
        "agentName": "Teacher",
        "agentVersion": "2.1",
        "inputFiles": [],
        "response": "Done.",
        "finishReason": "stop",
        "usage": {"promptTokens": 11, "completionTokens": 7, "totalTokens": 18},
        "costUsd": answer.json["costUsd"],
        "params": {
            "provider": "openai",
            "model": "gpt-4o-mini",
            "max_tokens": 10000,
            "temperature": 0.7,
            "reasoning_effort": "medium",
        },
    }
    assert lab.messages == [
        {"role": "system", "content": "Task: Teach."},
        {"role": "user", "content": "Look."},
    ]
    assert lab.model.requests[-1].body["reasoning_effort"] == "medium"


async def test_params_are_sent_to_the_model_and_are_in_the_answer(lab: Lab) -> None:
    given = {"max_tokens": 50, "temperature": 0, "reasoning_effort": "high"}
    answer = await lab.ask(params=orjson.dumps(given).decode())
    told = {"max_tokens": 50, "temperature": 0, "reasoning_effort": "high"}
    assert {key: answer.json["params"][key] for key in told} == told
    assert {key: lab.model.requests[-1].body[key] for key in told} == told


async def test_a_model_that_takes_no_reasoning_effort_answers_all_the_same(start: StartApi) -> None:
    refusing = """
        [[rule]]
        when.has = ["reasoning_effort"]
        answer = { status = 400, error = "Unsupported parameter: 'reasoning.effort'" }
    """
    lab = await start(refusing + ANSWERING)
    assert (await lab.ask()).json["response"] == "Done."
    assert "reasoning_effort" not in lab.model.requests[-1].body


async def test_the_agents_own_model_is_asked(start: StartApi) -> None:
    lab = await start(provider="openai", model="gpt-4o")
    answer = await lab.ask()
    assert lab.model.requests[-1].body["model"] == answer.json["params"]["model"] == "gpt-4o"


async def test_usage_and_cost_are_in_the_log_and_the_texts_are_not(lab: Lab) -> None:
    before = await lab.api.log.last_seq()
    await lab.ask(("notes.txt", b"hello", "text/plain"))
    async with aclosing(lab.api.log.tail("evt.task.>", after=before)) as batches:
        (recorded,) = await anext(batches)
    (event,) = recorded.commit.events
    assert recorded.commit.state == "answered"
    assert isinstance(event, task.Answered)
    assert event == task.Answered(
        agent_id="a1",
        agent_name="Teacher",
        agent_version="2.1",
        provider="openai",
        model="gpt-4o-mini",
        usage=Usage(prompt_tokens=11, completion_tokens=7),
        cost_usd=event.cost_usd,
        duration_ms=event.duration_ms,
    )


async def test_the_cost_of_a_task_is_in_the_summary(lab: Lab) -> None:
    cost = (await lab.ask()).json["costUsd"]
    totals = (await lab.api.get("/api/v1/costs/summary")).json["totals"]
    assert float(cost) > 0
    assert totals["taskCostUsd"] == totals["totalCostUsd"] == cost


async def test_an_answer_that_was_paid_for_is_given_even_if_the_log_is_away(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab.api.log, "append", AsyncMock(side_effect=Unavailable("NATS does not answer")))
    assert (await lab.ask()).json["response"] == "Done."


async def test_a_task_that_fails_is_in_the_log_too(start: StartApi) -> None:
    lab = await start('[[rule]]\nanswer = { status = 400, error = "no" }')
    before = await lab.api.log.last_seq()
    assert (await lab.ask()).status == 500
    async with aclosing(lab.api.log.tail("evt.task.>", after=before)) as batches:
        (recorded,) = await anext(batches)
    assert recorded.commit.state == "failed"
    assert "no" in recorded.commit.events[0].error


async def test_an_unusable_answer_counts_with_its_cost(start: StartApi) -> None:
    answer = 'text = "", cost = 0.01, usage = { prompt_tokens = 11, completion_tokens = 7 }'
    lab = await start(f"[[rule]]\nanswer = {{ {answer} }}")
    assert (await lab.ask()).status == 500
    assert (await lab.api.get("/api/v1/costs/summary")).json["totals"]["taskCostUsd"] == "0.01"


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_text_files_are_put_into_the_prompt_as_text(lab: Lab) -> None:
    markdown = ("a.md", "# Größe".encode(), "text/markdown")
    answer = await lab.ask(markdown, ("b.csv", b"\xef\xbb\xbfx;y", "application/octet-stream"))
    whole = "Look.\n\n--- File: a.md ---\n# Größe\n\n--- File: b.csv ---\nx;y"
    assert lab.messages[1]["content"] == whole
    assert answer.json["inputFiles"] == [
        {"filename": "a.md", "mimeType": "text/markdown"},
        {"filename": "b.csv", "mimeType": "application/octet-stream"},
    ]


@pytest.mark.parametrize(
    ("filename", "given", "sent"),
    [
        ("p.png", "image/png", "image/png"),
        ("p.jpg", "image/jpg", "image/jpeg"),
        ("p.JPEG", "application/octet-stream", "image/jpeg"),
        ("p.webp", "", "image/webp"),
        ("p", "image/gif", "image/gif"),
    ],
)
async def test_images_go_to_the_model_beside_the_prompt(
    lab: Lab, filename: str, given: str, sent: str
) -> None:
    answer = await lab.ask((filename, PNG, given), ("n.txt", b"note", "text/plain"))
    text, image = lab.messages[1]["content"]
    assert text == {"type": "text", "text": "Look.\n\n--- File: n.txt ---\nnote"}
    head, _, data = image["image_url"]["url"].partition(",")
    assert (image["type"], head, b64decode(data)) == ("image_url", f"data:{sent};base64", PNG)
    assert answer.json["inputFiles"][0] == {"filename": filename, "mimeType": sent}


async def test_files_may_come_under_any_name_and_keep_no_folders(lab: Lab) -> None:
    form = FormData(default_to_multipart=True, quote_fields=False)
    for name, value in (("taskName", "Teacher"), ("prompt", "Look.")):
        form.add_field(name, value)
    form.add_field("file", b"one", filename="../../etc/a.txt")
    form.add_field("other", b"two", filename="C:\\temp\\b.txt")
    answer = await lab.api.call("POST", TASK, data=form)
    assert [one["filename"] for one in answer.json["inputFiles"]] == ["a.txt", "b.txt"]


@pytest.mark.parametrize("content", [b"%PDF-1.7\xff\xfe", b"\x00\x01\x02"])
async def test_a_file_that_is_neither_text_nor_an_image_is_refused_by_its_name(
    lab: Lab, content: bytes
) -> None:
    answer = await lab.ask(("x.bin", content, "application/pdf"))
    assert answer.status == 415
    assert "'x.bin' is neither UTF-8 text nor an image" in answer.json["error"]
    assert not lab.model.requests


async def test_a_file_of_ten_mebibytes_is_taken_and_a_byte_more_is_not(lab: Lab) -> None:
    assert (await lab.ask(("a.txt", b"x" * 10 * MIB, "text/plain"))).status == 200
    answer = await lab.ask(("a.txt", b"x" * (10 * MIB + 1), "text/plain"))
    assert (answer.status, answer.json["message"]) == (413, "Part 'a.txt' is too large: send at most 10 MiB")


async def test_the_size_and_the_number_of_parts_of_a_form_are_limited(lab: Lab) -> None:
    files = [(f"{n}.txt", b"x" * 9 * MIB, "text/plain") for n in range(5)]
    answer = await lab.ask(*files)
    assert (answer.status, answer.json["message"]) == (413, "Request body is too large: send at most 40 MiB")
    answer = await lab.ask(*((f"{n}.txt", b"", "text/plain") for n in range(40)))
    assert (answer.status, answer.json["error"]) == (413, "The form has too many parts: send at most 40")


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fields", [{"taskName": ""}, {"prompt": ""}, {"taskName": "", "prompt": ""}])
async def test_name_and_prompt_are_needed(lab: Lab, fields: dict[str, str]) -> None:
    answer = await lab.ask(**fields)
    assert (answer.status, answer.json) == (400, {"error": "taskName and prompt are required fields"})


@pytest.mark.parametrize(
    ("params", "path"),
    [
        ({"max_tokens": 0}, ["max_tokens"]),
        ({"max_tokens": "9"}, ["max_tokens"]),
        ({"temperature": 2.1}, ["temperature"]),
        ({"reasoning_effort": "extreme"}, ["reasoning_effort"]),
        ([], []),
    ],
)
async def test_params_are_checked(lab: Lab, params: Any, path: list[str]) -> None:
    answer = await lab.ask(params=orjson.dumps(params).decode())
    assert (answer.status, answer.json["error"]) == (400, "Validation error")
    assert [issue["path"] for issue in answer.json["details"]] == [path]


async def test_params_that_are_not_json_are_a_validation_error(lab: Lab) -> None:
    answer = await lab.ask(params="{nonsense")
    assert (answer.status, answer.json["error"]) == (400, "Validation error")
    (issue,) = answer.json["details"]
    assert (issue["code"], issue["path"]) == ("custom", ["params"])
    assert 'send an object such as {"max_tokens": 500}' in issue["message"]


async def test_only_an_active_agent_can_be_asked(lab: Lab) -> None:
    answer = await lab.ask(taskName="Nobody")
    assert (answer.status, answer.json) == (404, {"error": "No active agent found with name: Nobody"})


async def test_without_a_model_it_is_said_what_to_set(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    await add_agent(api, "T")
    form = FormData({"taskName": "T", "prompt": "p"}, default_to_multipart=True)
    answer = await api.call("POST", TASK, data=form)
    assert answer.status == 503
    assert "set LLM_PROVIDER" in answer.json["error"]


async def test_an_agent_whose_own_model_cannot_be_called_is_asked_with_that_of_the_settings(
    start: StartApi,
) -> None:
    lab = await start(provider="unheard-of", model="m")
    answer = await lab.ask()
    assert answer.status == 200
    assert (answer.json["params"]["provider"], answer.json["params"]["model"]) == ("openai", "gpt-4o-mini")


async def test_a_model_that_cannot_answer_now_is_an_error_that_asks_to_try_again(start: StartApi) -> None:
    lab = await start('[[rule]]\nanswer.status = 429\nanswer.retry_after = "7"')
    answer = await lab.ask()
    assert (answer.status, answer.headers["retry-after"]) == (500, "7")
    assert answer.json["error"] == "Task execution failed"
    assert "429" in answer.json["message"]
    assert answer.json["message"].endswith(
        "; try again in a moment, or give the agent another provider and model"
    )


async def test_a_model_that_refuses_is_an_error_and_says_why(start: StartApi) -> None:
    lab = await start('[[rule]]\nanswer.status = 401\nanswer.error = "bad key"')
    answer = await lab.ask()
    assert (answer.status, answer.json["error"]) == (500, "Task execution failed")
    assert "check OPENAI_API_KEY" in answer.json["message"]


async def test_a_body_that_is_not_a_form_is_415(lab: Lab) -> None:
    for options in ({"json": {"taskName": "T"}}, {"data": b""}, {"data": {"taskName": "T"}}):
        answer = await lab.api.call("POST", TASK, **options)
        assert answer.status == 415
        assert answer.json["message"].endswith("send multipart/form-data")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"nonsense"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1"),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense\r\n\r\n1\r\n--x--\r\n"),
        (f"multipart/form-data; boundary={'x' * 71}", b""),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: x\r\n\r\n1\r\n--x",
        ),
    ],
)
async def test_a_form_that_is_broken_is_400(lab: Lab, content_type: str, body: bytes) -> None:
    answer = await lab.api.call("POST", TASK, data=body, headers={"Content-Type": content_type})
    assert answer.status == 400
    assert "multipart/form-data" in answer.json["message"]


async def test_fields_are_text(lab: Lab) -> None:
    for value, word in ((b"\xff", "UTF-8"), (b"a\x00", "NUL")):
        body = b"--x\r\nContent-Disposition: form-data; name=prompt\r\n\r\n" + value + b"\r\n--x--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = await lab.api.call("POST", TASK, data=body, headers=headers)
        assert answer.status == 400
        assert word in answer.json["error"]


async def test_a_part_of_parts_is_refused(lab: Lab) -> None:
    inner = b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n1\r\n--y--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = await lab.api.call("POST", TASK, data=b"--x\r\n" + inner + b"--x--\r\n", headers=headers)
    assert answer.status == 400
    assert "several parts" in answer.json["error"]


async def test_the_forms_of_all_clients_together_are_bounded(lab: Lab) -> None:
    lab.api.gateway.form_room = FormMemory(MIB)
    with lab.api.gateway.form_room.held() as take:
        take(MIB - 1000)
        refused = await lab.ask(("a.txt", b"x" * 2000, "text/plain"))
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert "at once" in refused.json["error"]
    for _ in range(3):
        assert (await lab.ask(("a.txt", b"x" * 500_000, "text/plain"))).status == 200


async def test_an_unknown_field_is_refused(lab: Lab) -> None:
    answer = await lab.ask(parms="{}")
    assert (answer.status, answer.json["error"]) == (400, "Validation error")
    assert "did you mean 'params'?" in answer.json["details"][0]["message"]
