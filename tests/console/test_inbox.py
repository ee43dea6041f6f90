"""Questions of runs to a person, in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import expect

from contracts.api.asks import AskAnswer, AskRow

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TRIP = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "enum": ["Lyon", "Turin"], "description": "Where to"},
        "people": {"type": "integer", "minimum": 1, "default": 4},
        "vegetarian": {"type": "boolean"},
        "days": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["city", "people"],
}


async def asking(served: Bed, eventually: Eventually, task: dict[str, Any]) -> AskRow:
    """The question of a run whose second step is `task`."""
    job = served.hooks.job({"before": (), "asks": ("before",)})
    write = {"name": "writeFile", "params": {"path": "draft.md", "content": "8 % cheaper"}}
    job["sub_tasks"][0]["tool_or_prompt"] = write
    job["sub_tasks"][1] |= task
    run_id = (await served.client.dags.execute_job(job)).execution_id
    found: list[AskRow] = []

    async def asked() -> bool:
        found[:] = (await served.client.asks.find(status="open", run_id=run_id)).asks
        return bool(found)

    await eventually(asked)
    return found[0]


APPROVAL = {
    "approval": True,
    "tool_or_prompt": {"name": "writeFile", "params": {"path": "sent.md", "content": "dear members"}},
}


async def test_an_approval_is_found_edited_and_given_and_the_run_goes_on(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    ask = await asking(served, eventually, {**APPROVAL, "description": "Send the draft"})
    console = await open_console("/")
    await console.page.get_by_label("open").first.wait_for()
    await console.page.get_by_role("link", name="Waiting for you").click()
    await console.page.get_by_role("link", name="Send the draft").first.click()
    await console.shown("a person must approve this call")
    await console.shown("draft.md")
    assert await console.page.get_by_label("path").input_value() == "sent.md"
    await console.page.get_by_label("content").fill("dear all")
    await console.page.get_by_label("Comment").fill("shorter")
    await console.page.get_by_role("button", name="Approve").click()
    await console.shown("The parameters were edited.")

    closed = await served.client.asks.get(ask.id)
    assert (closed.status, closed.comment) == ("approved", "shorter")
    assert closed.edited_params == {"path": "sent.md", "content": "dear all"}
    assert await served.end(ask.run_id) == "completed"


async def test_an_approval_that_is_not_edited_is_given_as_it_is(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    ask = await asking(served, eventually, APPROVAL)
    console = await open_console(f"/inbox/{ask.id}")
    await console.page.get_by_role("button", name="Approve").click()
    await console.page.locator(".facts .status.approved").wait_for()
    assert (await served.client.asks.get(ask.id)).edited_params is None


async def test_a_question_has_a_form_made_of_its_schema(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    params = {"question": "Where shall we go?", "schema": TRIP}
    ask = await asking(served, eventually, {"tool_or_prompt": {"name": "askHuman", "params": params}})
    console = await open_console(f"/runs/{ask.run_id}")
    await console.page.get_by_role("link", name="Answer").click()
    send = console.page.get_by_role("button", name="Send the answer")
    await send.click()
    await expect(console.page.get_by_label("city")).to_have_js_property("validity.valueMissing", True)
    await console.page.get_by_label("city").select_option("Turin")
    await console.page.get_by_label("people").fill("0")
    await send.click()
    assert (await served.client.asks.get(ask.id)).status == "open"
    await console.page.get_by_label("people").fill("3")
    await console.page.get_by_label("days").fill("Friday\n\nSaturday")
    await send.click()
    await console.page.locator(".facts .status.answered").wait_for()
    assert (await served.client.asks.get(ask.id)).value == {
        "city": "Turin",
        "people": 3,
        "days": ["Friday", "Saturday"],
    }


async def test_the_slower_of_two_people_is_told_who_was_faster(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    ask = await asking(served, eventually, APPROVAL)
    console = await open_console(f"/inbox/{ask.id}", without="**/api/v1/events*")
    reject = console.page.get_by_role("button", name="Reject")
    await reject.wait_for()
    await served.client.asks.answer(ask.id, AskAnswer(verdict="approve", comment="mine"))
    await reject.click()
    await console.page.locator(".facts .status.approved").wait_for()
    await console.shown("mine")
    assert await reject.count() == 0


async def test_a_question_that_expires_says_so_while_it_is_open(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    params = {"question": "Are you there?", "expires": 1}
    job = served.hooks.job({"asks": ()})
    job["sub_tasks"][0]["tool_or_prompt"] = {"name": "askHuman", "params": params}
    started = await served.client.dags.execute_job(job)
    assert await served.end(started.execution_id) == "suspended"
    console = await open_console(f"/inbox/{started.execution_id}.asks.1")
    await console.shown("Nobody answered in time.")


async def test_everybody_can_use_a_form(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    params = {"question": "Where shall we go?", "schema": TRIP}
    ask = await asking(served, eventually, {"tool_or_prompt": {"name": "askHuman", "params": params}})
    console = await open_console(f"/inbox/{ask.id}", width=360)
    await console.page.get_by_label("city").wait_for()
    assert await console.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await console.require_accessible()


CASES: list[tuple[Any, Any, str, str, Any]] = [
    ({"type": "string"}, None, "", "hello", "hello"),
    (None, None, "", "hello", "hello"),
    (None, {"a": 1}, "", '{"a": 2}', {"a": 2}),
    ({"type": "integer"}, None, "", "7", 7),
    ({"type": "array", "items": {"type": "string"}}, ["a"], "", "a\nb", ["a", "b"]),
    ({"enum": [1, "1", None]}, None, "", '"1"', "1"),
    ({"anyOf": [{"type": "number"}, {"type": "null"}]}, None, "", "1.5", 1.5),
    ({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number"}}}, None, "", "2", 2),
    (
        {"type": "object", "properties": {"a": {"type": "string"}}},
        {"a": None, "b": 1},
        "b",
        "2",
        {"a": None, "b": 2},
    ),
    ({"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}, {}, "a", "", {}),
]


async def test_a_form_gives_back_values_of_the_types_of_its_schema(open_console: OpenConsole) -> None:
    console = await open_console("/")
    given = await console.page.evaluate(
        """async (cases) => {
          const { fieldsOf, valueOf } = await import("/console/parts/schema.js");
          return cases.map(([schema, value, name, text]) => {
            const fields = fieldsOf(schema, value ?? undefined);
            const others = Object.fromEntries(fields.map((field) => [field.name, field.initial]));
            return valueOf(fields, (one) => (one === name && text !== "" ? text : others[one]));
          });
        }""",
        [list(case) for case in CASES],
    )
    assert given == [case[4] for case in CASES]
