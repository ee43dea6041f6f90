"""Budgets, decisions about outward calls, and prompts, in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

GOAL = "Compare solar and wind power for a small farm"


async def test_a_run_that_its_budget_stopped_goes_on_when_the_budget_is_raised(
    served: Bed, open_console: OpenConsole
) -> None:
    job = served.hooks.job({"paid-1": (), "paid-2": ("paid-1",)})
    started = await served.client.dags.execute_job({**job, "budget": {"steps": 1, "tokens": 500}})
    assert await served.end(started.execution_id) == "suspended"
    console = await open_console(f"/runs/{started.execution_id}")
    await console.shown("The budget has stopped this run.")
    await expect(console.page.get_by_role("button", name="1 of 1 steps")).to_be_visible()
    await console.page.get_by_role("button", name="Raise the budget").click()
    await console.require_accessible()
    await console.page.get_by_label("Steps").fill("0")
    await console.page.get_by_role("button", name="Set the budget").click()
    await console.page.locator("form .problem").wait_for()
    await console.page.get_by_label("Steps").fill("9")
    await console.page.get_by_label("Tokens").fill("")
    await console.page.get_by_role("button", name="Set the budget").click()
    await console.page.locator(".facts .status.completed").wait_for()
    limits = (await served.client.executions.budget(started.execution_id)).limits
    assert {row.limit: row.allowed for row in limits if row.allowed} == {"steps": "9"}


async def test_a_new_run_has_the_limits_that_were_written(served: Bed, open_console: OpenConsole) -> None:
    console = await open_console("/new")
    await console.page.get_by_text("Budget and approvals").click()
    await console.page.get_by_label("Tokens").fill("70000")
    await console.page.get_by_label("Calls that send something to others").select_option("forbid")
    await console.page.get_by_label("Tools that need an approval").fill("sendEmail\n")
    await console.require_accessible()
    await console.page.get_by_label("Goal").fill(GOAL)
    await console.page.get_by_role("button", name="Make a plan").click()
    await console.page.get_by_role("button", name="Run this plan").click()
    await console.page.wait_for_url("**/runs/dag-exec_*")
    await console.page.locator(".facts .status.completed").wait_for()
    await expect(console.page.locator(".facts")).to_contain_text("of 70,000 tokens")
    await expect(console.page.locator(".facts")).to_contain_text("sendEmail")
    row = await served.client.executions.get(console.page.url.rpartition("/")[2])
    assert (row.outward_calls, row.approvals) == ("forbid", ["sendEmail"])


async def test_the_costs_of_a_run_name_its_steps(served: Bed, open_console: OpenConsole) -> None:
    started = await served.client.dags.execute_job(served.hooks.job({"first": ()}))
    assert await served.end(started.execution_id) == "completed"
    console = await open_console(f"/runs/{started.execution_id}?tab=costs")
    await expect(console.page.locator("#tabpanel tbody td").first).to_have_text("first call first")


async def test_a_step_shows_exactly_what_the_model_was_sent(served: Bed, open_console: OpenConsole) -> None:
    planned = await served.client.dags.create_and_execute(GOAL)
    assert planned.execution_id
    assert await served.end(planned.execution_id) == "completed"
    report = "__SYNTHESIS__"
    console = await open_console(f"/runs/{planned.execution_id}?step={report}")
    drawer = console.page.get_by_role("complementary")
    await drawer.locator("summary", has_text="1.").click()
    await drawer.get_by_text("What the model was sent").click()
    system, user = drawer.locator(".message pre").nth(0), drawer.locator(".message pre").nth(1)
    prompt = await served.client.executions.prompt(planned.execution_id, report)
    assert prompt.messages in [received.body["messages"] for received in served.llm.requests]
    assert [await system.text_content(), await user.text_content()] == [
        message["content"] for message in prompt.messages
    ]


async def test_a_turn_shows_what_the_model_was_sent(served: Bed, open_console: OpenConsole) -> None:
    console = await open_console("/new")
    await console.page.get_by_label("Let an agent work on it in turns").check()
    await console.page.get_by_label("Goal").fill("Look after the old windmill")
    await console.page.get_by_role("button", name="Run").last.click()
    await console.page.wait_for_url("**/runs/run_*")
    await console.page.locator(".facts .status.completed").wait_for()
    second = console.page.locator("article.turn").nth(1)
    await second.get_by_text("Attempts and prompt").click()
    await second.locator("summary", has_text="1.").click()
    await second.get_by_text("What the model was sent").click()
    await second.locator(".message h4", has_text="tool").first.wait_for()


async def test_a_call_says_what_was_decided_about_sending_it(served: Bed, open_console: OpenConsole) -> None:
    started = await served.client.dags.execute_job(served.hooks.job({"sent-1": ()}))
    assert await served.end(started.execution_id) == "completed"
    console = await open_console(f"/runs/{started.execution_id}?step=sent-1")
    await console.shown("Sent without asking:")
    await console.shown("(policy ")
