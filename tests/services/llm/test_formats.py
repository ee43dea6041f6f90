"""The shape that an answer must have: by schema, by JSON mode, or by words alone."""

from __future__ import annotations

import pytest

from contracts.core.outcome import Reject
from contracts.llm import ChatRequest
from tests.services.llm.lab import HELLO, OK, Lab

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


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


async def test_a_400_for_other_reasons_does_not_disable_schemas(lab: Lab) -> None:
    server = await lab.provider('[[rule]]\ntimes = 2\nanswer = { status = 400, error = "too long" }' + OK)
    llm = lab.client(server)

    with pytest.raises(Reject, match="too long"):
        await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))
    await llm.complete(ChatRequest(HELLO, response_schema=SCHEMA))

    assert "response_format" in server.requests[-1].body


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
