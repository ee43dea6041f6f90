"""The console as people use it: pages of a real system in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

GOAL = "Compare solar and wind power for a small farm"


async def test_a_goal_is_planned_run_and_watched_to_its_report(open_console: OpenConsole) -> None:
    console = await open_console("/new")
    await console.page.get_by_label("Goal").fill(GOAL)
    await console.page.get_by_role("button", name="Make a plan").click()
    await console.page.get_by_role("button", name="Run this plan").click()
    await console.page.wait_for_url("**/runs/dag-exec_*")
    await console.page.locator(".facts .status.completed").wait_for()
    assert (
        await console.page.locator("g.node").count() == await console.page.locator("g.node.completed").count()
    )
    await console.page.get_by_role("tab", name="Report").click()
    await console.page.get_by_role("heading", name="Solar or wind for a small farm").wait_for()
    await console.page.get_by_role("tab", name="Events").click()
    await console.shown("run.completed")


async def test_an_agent_pursues_a_goal_in_turns(open_console: OpenConsole) -> None:
    console = await open_console("/new")
    await console.page.get_by_label("Let an agent work on it in turns").check()
    await console.page.get_by_label("Goal").fill("Look after the old windmill")
    await console.page.get_by_role("button", name="Run").last.click()
    await console.page.wait_for_url("**/runs/run_*")
    await console.page.locator(".facts .status.completed").wait_for()
    await console.page.locator("article.turn").nth(1).wait_for()
    await console.page.get_by_role("link", name="Goal", exact=True).click()
    await console.page.wait_for_url("**/goals/goal_*")
    await expect(console.page.locator("table.list tbody tr")).to_have_count(1)


async def test_a_failed_step_is_told_first_with_what_to_do(served: Bed, open_console: OpenConsole) -> None:
    job = served.hooks.job({"fine-1": ()})
    job["sub_tasks"][0]["tool_or_prompt"] = {"name": "readFile", "params": {"path": "missing.txt"}}
    started = await served.client.dags.execute_job(job)
    assert await served.end(started.execution_id) == "suspended"
    console = await open_console(f"/runs/{started.execution_id}")
    alert = console.page.get_by_role("alert").first
    assert "File not found: missing.txt" in await alert.inner_text()
    assert "press Resume" in await alert.inner_text()
    await alert.get_by_role("button").first.click()
    await console.page.get_by_role("complementary").wait_for()
    await console.page.keyboard.press("Escape")
    await console.page.get_by_role("complementary").wait_for(state="detached")
    assert await console.page.get_by_role("button", name="Resume").count() == 1


async def test_a_run_is_shown_live_also_after_the_gateway_was_killed(
    served: Bed, open_console: OpenConsole
) -> None:
    gate = served.hooks.gate("live-1")
    started = await served.client.dags.execute_job(served.hooks.job({"live-1": (), "live-2": ("live-1",)}))
    await gate.called.wait()
    console = await open_console(f"/runs/{started.execution_id}")
    await console.page.locator("g.node.running").wait_for()
    served.system.children["gateway"].kill()
    await console.shown("reconnecting…")
    gate.open()
    await console.page.locator(".facts .status.completed").wait_for()


PAGES = (
    "/",
    "/inbox",
    "/search",
    "/runs",
    "/runs?kind=goals",
    "/new",
    "/goals",
    "/dags",
    "/agents",
    "/costs",
    "/artifacts",
    "/compare",
    "/system",
)


async def test_everybody_can_use_every_page(open_console: OpenConsole) -> None:
    console = await open_console(PAGES[0])
    await console.require_accessible()
    for path in PAGES[1:]:
        await console.go(path)
        await console.require_accessible("main")


PARTS_OF_THE_REFERENCE = ("#create_goal", "#update_goal", "#delete_run")
"""Other articles, links and rows are made of the same elements, and axe takes long over them."""
REMOVE_OTHERS = """(keep) => {
  const root = document.querySelector(".reference")?.shadowRoot ?? document;
  for (const one of root.querySelectorAll("article")) if (!keep.includes(`#${one.id}`)) one.remove();
  const more = "nav > :nth-child(n + 4), li:nth-child(n + 4), tr:nth-child(n + 4)";
  for (const one of root.querySelectorAll(more)) one.remove();
}"""


async def test_everybody_can_use_the_reference_on_a_phone_too(open_console: OpenConsole) -> None:
    console = await open_console("/search", width=360)
    await console.open("/docs")
    assert await console.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    await console.page.evaluate(REMOVE_OTHERS, PARTS_OF_THE_REFERENCE)
    await console.require_accessible("nav", *PARTS_OF_THE_REFERENCE)
    await console.open("/reference")
    await console.shown("Create a goal")
    await console.page.evaluate(REMOVE_OTHERS, PARTS_OF_THE_REFERENCE)
    await console.require_accessible(
        *({"fromShadowDom": [".reference", one]} for one in PARTS_OF_THE_REFERENCE)
    )
    assert await console.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


async def test_the_page_of_a_run_is_usable_by_keyboard_and_on_a_phone(
    served: Bed, open_console: OpenConsole
) -> None:
    started = await served.client.dags.execute_job(served.hooks.job({"keys-1": ()}))
    await served.end(started.execution_id)
    console = await open_console(f"/runs/{started.execution_id}", width=360)
    overflow = await console.page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert overflow <= 0
    await console.page.locator("g.node").first.focus()
    await console.page.keyboard.press("Enter")
    await console.page.get_by_role("complementary").wait_for()
    await console.page.keyboard.press("Escape")
    await console.page.keyboard.press("g")
    await console.page.keyboard.press("r")
    await console.page.wait_for_url("**/runs")
    await console.require_accessible()
