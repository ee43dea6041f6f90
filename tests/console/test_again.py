"""Forks, comparisons and attempts, in the browser; and the API reference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests import jobs

if TYPE_CHECKING:
    from tests.console.conftest import Console, OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def address_after(console: Console, before: str) -> str:
    """The path of the page of another run."""
    await console.page.wait_for_url(lambda url: "/runs/" in url and before not in url)
    return console.page.url


async def test_a_step_is_run_again_with_other_parameters_and_compared(
    served: Bed, open_console: OpenConsole
) -> None:
    first = jobs.task("1", "writeFile", {"path": "kept.md", "content": "kept"})
    second = jobs.task("2", "writeFile", {"path": "fork.md", "content": "before"}, needs=("1",))
    started = await served.client.dags.execute_job(jobs.job_json(first, second))
    assert await served.end(started.execution_id) == "completed"
    console = await open_console(f"/runs/{started.execution_id}?step=2")
    await console.page.get_by_text("Run again from here").click()
    parameters = console.page.get_by_label("Parameters")
    await parameters.fill('{"path": "fork.md"')
    await console.page.get_by_role("button", name="Fork from here").click()
    await console.shown("The parameters are not JSON")
    await parameters.fill('{"path": "fork.md", "content": "longer than before"}')
    await console.page.get_by_role("button", name="Fork from here").click()
    await address_after(console, started.execution_id)
    await console.page.locator(".facts .status.completed").wait_for()
    await console.page.get_by_role("link", name="compare", exact=True).click()
    await console.shown("inherited (original)")
    row = console.page.get_by_role("row", name="2 do 2")
    await row.get_by_text("Difference").click()
    await expect(row.locator(".removed").first).to_be_visible()


async def test_a_suspended_run_goes_on_with_a_corrected_step(served: Bed, open_console: OpenConsole) -> None:
    (served.data / "artifacts" / "there.txt").write_text("it is here")
    missing = jobs.task("1", "readFile", {"path": "not-there.txt"})
    started = await served.client.dags.execute_job(jobs.job_json(missing))
    assert await served.end(started.execution_id) == "suspended"
    console = await open_console(f"/runs/{started.execution_id}?step=1")
    drawer = console.page.get_by_role("complementary")
    await expect(drawer.locator("details", has_text="File not found")).to_have_attribute("open", "")
    await console.page.get_by_text("Run again from here").click()
    await console.page.get_by_label("Parameters").fill('{"path": "there.txt"}')
    await console.page.get_by_role("button", name="Go on with these parameters").click()
    await address_after(console, started.execution_id)
    await console.page.locator(".facts .status.completed").wait_for()
    await console.page.get_by_role("link", name="the original").click()
    await console.page.get_by_role("link", name="its fork").wait_for()


async def test_a_fork_has_the_budget_that_was_written_and_other_limits_of_the_original(
    served: Bed, open_console: OpenConsole
) -> None:
    job = jobs.job_json(jobs.task("1", "writeFile", {"path": "paid.md", "content": "x"}))
    started = await served.client.dags.execute_job({**job, "budget": {"steps": 7, "tokens": 70_000}})
    assert await served.end(started.execution_id) == "completed"
    console = await open_console(f"/runs/{started.execution_id}?step=1")
    await console.page.get_by_text("Run again from here").click()
    drawer = console.page.get_by_role("complementary")
    await drawer.get_by_text("Budget", exact=True).click()
    await expect(drawer.get_by_label("Tokens")).to_have_value("70000")
    steps = drawer.get_by_label("Steps")
    await steps.fill("-1")
    await console.page.get_by_role("button", name="Fork from here").click()
    field = console.page.locator("label.field", has=console.page.locator("[name='field:steps']"))
    await expect(field.locator(".bad")).to_contain_text("0")
    await expect(steps).to_have_attribute("aria-invalid", "true")
    await console.require_accessible(".drawer")
    await steps.fill("")
    await console.page.get_by_label("US dollars").fill("0.5")
    await console.page.get_by_role("button", name="Fork from here").click()
    await address_after(console, started.execution_id)
    await console.page.locator(".facts .status.completed").wait_for()
    limits = (await served.client.executions.budget(console.page.url.rpartition("/")[2])).limits
    assert {row.limit: row.allowed for row in limits if row.allowed} == {"usd": "0.5", "tokens": "70000"}


async def test_an_agent_takes_a_turn_again_within_another_budget(
    served: Bed, open_console: OpenConsole
) -> None:
    console = await open_console("/new")
    await console.page.get_by_label("Let an agent work on it in turns").check()
    await console.page.get_by_label("Goal").fill("Look after the old windmill")
    await console.page.get_by_role("button", name="Run").last.click()
    await console.page.wait_for_url("**/runs/run_*")
    await console.page.locator(".facts .status.completed").wait_for()
    original = console.page.url.rpartition("/")[2]
    turn = console.page.locator("article.turn").nth(1)
    await turn.get_by_text("Run again from here").click()
    await turn.get_by_text("Budget").click()
    await turn.get_by_label("Steps").fill("40")
    await turn.get_by_role("button", name="Fork from here").click()
    await address_after(console, original)
    await console.page.locator(".facts .status.completed").wait_for()
    await console.page.get_by_role("link", name="the original").wait_for()
    limits = (await served.client.runs.budget(console.page.url.rpartition("/")[2])).limits
    assert {row.limit: row.allowed for row in limits if row.allowed} == {"steps": "40"}


async def test_the_reference_of_the_api_is_shown_in_the_same_frame(open_console: OpenConsole) -> None:
    console = await open_console("/")
    await console.page.get_by_role("link", name="API").click()
    await console.page.get_by_text("List questions to a person").wait_for()
    await console.page.get_by_role("link", name="/asks/{ask}/answer").click()
    await expect(console.page.get_by_text("Answer a question of a run")).to_be_in_viewport()
