"""Lists and the search, in the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from contracts.api.goals import GoalCreate
from tests.console.many import write_events, write_runs

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.conftest import Eventually
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

MANY = 500


async def run(served: Bed, request: str) -> str:
    """A completed execution with this request."""
    job = served.hooks.job({"one": ()})
    started = await served.client.dags.execute_job({**job, "original_request": request})
    assert await served.end(started.execution_id) == "completed"
    return started.execution_id


async def test_filters_are_kept_in_the_address(served: Bed, open_console: OpenConsole) -> None:
    await run(served, "Count the kingfishers")
    await run(served, "Count the herons")
    console = await open_console("/runs")
    rows = console.page.locator("table.list tbody tr")
    await console.page.keyboard.press("/")
    await console.page.keyboard.type("kingf")
    await expect(rows).to_have_count(1)
    await console.page.get_by_label("Status").select_option("failed")
    await console.shown("No run fits the filters")
    await console.page.get_by_label("Status").select_option("completed")
    await console.page.get_by_role("combobox", name="Time").select_option("7d")
    await console.page.get_by_text("More filters").click()
    await console.page.get_by_label("Tool").fill("sendWebhook")
    await console.page.wait_for_url("**/runs?q=kingf&status=completed&from=7d&tool=sendWebhook")
    await expect(rows).to_have_count(1)
    await console.open("/runs?q=kingf&status=completed&from=7d&tool=sendWebhook")
    await expect(rows).to_have_count(1)
    assert await console.page.get_by_label("Tool").input_value() == "sendWebhook"
    await console.page.get_by_label("Tool").fill("readFile")
    await console.page.get_by_role("link", name="remove them").click()
    await expect(console.page.get_by_role("searchbox")).to_have_value("")
    await rows.nth(1).wait_for()


async def test_a_completed_run_with_failed_calls_does_not_look_like_any_other(
    served: Bed, open_console: OpenConsole
) -> None:
    """In lists: the tool refuses the address of the hook."""
    objective = "Please call the hook at http://169.254.169.254/hook"
    goal = await served.client.goals.create(GoalCreate(objective=objective))
    started = await served.client.goals.run(goal.id)
    assert await served.end(started.run_id) == "completed"
    console = await open_console(f"/runs?kind=goals&goal={goal.id}")
    status = console.page.locator("table.list .status", has_text="completed, 1 failed call")
    await expect(status).to_have_class("status completed remarked")
    await expect(status).to_have_attribute("title", re.compile("^1 tool call failed: .*169"))


async def test_a_filter_that_is_wrong_says_what_to_write(open_console: OpenConsole) -> None:
    console = await open_console("/goals?minCostUsd=much")
    await console.shown("'much' is not an amount of US dollars")


async def test_what_the_search_found_is_shown_without_marks_of_markdown(open_console: OpenConsole) -> None:
    hit = {"kind": "execution", "id": "dag-exec_1", "title": "Farm", "status": "completed"}
    found = {**hit, "snippet": "# Solar **first**, no. # 2\n## Then `wind`", "at": "2026-01-01T00:00:00.000Z"}

    async def with_hit(page: Page) -> None:
        hits = {"hits": [found], "nextCursor": None}
        await page.route("**/api/v1/search?*", lambda route: route.fulfill(json=hits))

    console = await open_console("/search?q=solar", prepare=with_hit)
    await expect(console.page.locator("td.wide .hint")).to_have_text("Solar first, no. # 2 Then wind")


async def test_the_search_finds_runs_goals_and_plans_from_every_page(
    served: Bed, open_console: OpenConsole
) -> None:
    execution = await run(served, "Weigh the ospreys")
    goal = await served.client.goals.create(GoalCreate(objective="Feed the ospreys every day"))
    console = await open_console("/system")
    await console.page.keyboard.press("/")
    await console.page.wait_for_url("**/search")
    await console.page.get_by_label("Search").fill("ospreys")
    await console.page.get_by_role("link", name="Weigh the ospreys").first.wait_for()
    await console.page.get_by_label("In").select_option("goals")
    await expect(console.page.locator("table.list tbody tr")).to_have_count(1)
    await console.page.get_by_role("link", name="Feed the ospreys").click()
    await console.page.wait_for_url(f"**/goals/{goal.id}")
    await console.go(f"/search?q={execution}")
    await console.page.get_by_role("link", name="Weigh the ospreys").first.click()
    await console.page.wait_for_url(f"**/runs/{execution}")


@pytest_asyncio.fixture(loop_scope="session")
async def many(served: Bed, eventually: Eventually) -> None:
    """Many old runs in the views."""
    await write_runs(served.log, "Ring the storks", MANY)

    async def all_in_the_views() -> bool:
        found = await served.client.executions.find(text="storks", limit=1)
        return found.pagination.total == MANY

    await eventually(all_in_the_views)


@pytest.mark.usefixtures("many")
async def test_a_long_list_draws_only_those_near_the_window(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    console = await open_console("/runs?q=storks")
    rows = console.page.locator("table.list tbody tr:not(.room)")
    bodies = console.page.locator("table.list tbody")

    async def at_the_end() -> bool:
        await console.page.evaluate("scrollTo(0, document.body.scrollHeight)")
        return await bodies.count() >= MANY / 50

    await eventually(at_the_end)
    await console.page.get_by_role("link", name="Ring the storks 1", exact=True).wait_for()
    assert await rows.count() < MANY / 2

    await console.page.evaluate("scrollTo(0, 0)")
    await console.page.get_by_role("link", name=f"Ring the storks {MANY}").wait_for()
    pages = await bodies.count()
    newest = await run(served, "Ring more storks")
    await console.page.locator(f"a[href='/runs/{newest}']").wait_for()
    await expect(bodies).to_have_count(pages)


async def test_of_many_events_of_a_run_the_newest_are_shown(served: Bed, open_console: OpenConsole) -> None:
    run_id = await write_events(served.log, 400)
    console = await open_console(f"/runs/{run_id}?tab=events")
    rows = console.page.locator("table.events tbody tr")
    await expect(rows.last).to_contain_text("run.cancelled")
    await expect(rows).to_have_count(150)
    await rows.last.locator("summary").click()
    await expect(rows.last.locator("pre")).to_contain_text("one of many")


PAGES = [
    # pages, answers, what is shown then: rows by page
    ([["c", "b"], ["a"]], [["d", "c"], None], [["d", "c", "b"], ["a"]]),
    ([["c", "b"], ["a"]], [["c", "b"], None], [["c", "b"], ["a"]]),
    ([["d", "c"], ["b", "a"]], [["d", "c"], ["b"]], [["d", "c"], ["b"]]),
    ([["d", "c"], ["b"], ["a"]], [["d", "c"], ["b", "a"], None], [["d", "c"], ["b"], ["a"]]),
    ([["c", "b"], ["a"]], [["f", "e"], None], [["f", "e"]]),
    ([["c", "b"], ["a"]], [[], None], [[]]),
]


async def test_a_list_that_changes_has_every_row_once(open_console: OpenConsole) -> None:
    console = await open_console("/")
    shown = await console.page.evaluate(
        """async (cases) => {
          const { refreshed } = await import("/console/parts/pages.js");
          const page = (ids, at) =>
            ids && { cursor: String(at), rows: ids.map((id) => ({ id })), next: ids.length > 1 ? "x" : null };
          const shown = (pages) => pages.map(({ rows }) => rows.map(({ id }) => id));
          return cases.map(([pages, answers]) => shown(refreshed(pages.map(page), answers.map(page))));
        }""",
        [[pages, answers] for pages, answers, _ in PAGES],
    )
    assert shown == [wanted for _, _, wanted in PAGES]
