"""What pages show when something is missing, away, new or very long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from contracts.api.goals import GoalCreate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from playwright.async_api import Page, Route

    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def own_clock(page: Page) -> None:
    """Let the test say how much time has passed."""
    await page.clock.install()


MISSING = {
    "/runs/dag-exec_missing": "Runs",
    "/runs/run_missing": "Runs",
    "/goals/goal_missing": "Goals",
    "/dags/missing": "Plans",
    "/agents/agent_missing": "Agents",
    "/inbox/missing": "Inbox",
}


async def test_a_page_of_something_that_does_not_exist_says_so_and_leads_back(
    open_console: OpenConsole,
) -> None:
    console = await open_console("/")
    for path, title in MISSING.items():
        await console.go(path)
        await console.page.get_by_role("heading", name="Not found").wait_for()
        await expect(console.page.locator(".crumb").get_by_role("link", name=title)).to_have_count(1)
        assert await console.page.get_by_role("button", name="Try again").count() == 0
    await console.require_accessible("main")


async def test_an_address_without_a_page_says_so_and_leads_to_the_pages(open_console: OpenConsole) -> None:
    console = await open_console("/search")
    await console.open("/nosuch")
    await expect(console.page.get_by_role("heading", level=1)).to_have_text("There is no such page")
    await console.require_accessible("main")
    await console.page.get_by_role("link", name="home page").click()
    await expect(console.page.get_by_role("heading", level=1)).to_have_text("Home")


def refusing(status: int) -> Callable[[Route], Awaitable[None]]:
    """Answers a request with this status."""
    body = {"error": "Not now", "message": "Wait, then try again."}
    return lambda route: route.fulfill(status=status, json=body)


async def test_a_page_that_was_refused_for_now_loads_itself_again(
    served: Bed, open_console: OpenConsole
) -> None:
    goal = await served.client.goals.create(GoalCreate(objective="Look after the old windmill"))
    console = await open_console("/", prepare=own_clock)
    for status in (429, 503):
        await console.page.route(f"**/api/v1/goals/{goal.id}", refusing(status), times=1)
        await console.go(f"/goals/{goal.id}")
        await console.page.get_by_role("heading", name="This page could not be loaded").wait_for()
        await console.shown("Wait, then try again.")
        await console.page.clock.fast_forward(10_000)
        await console.page.get_by_role("heading", name="Look after the old windmill").wait_for()
        await console.go("/new")


async def test_a_new_system_tells_how_to_begin_and_has_an_example_that_needs_no_model(
    open_console: OpenConsole,
) -> None:
    console = await open_console("/search")
    nothing = {"executions": [], "pagination": {"total": 0, "nextCursor": None}}
    await console.page.route("**/api/v1/dag-executions?*", lambda route: route.fulfill(json=nothing))
    await console.page.route("**/api/v1/runs?*", lambda route: route.fulfill(json=[]))
    await console.go("/")
    await console.page.get_by_role("heading", name="Nothing has run yet").wait_for()
    await console.require_accessible("main")
    await console.page.get_by_role("link", name="Run an example plan").click()
    await console.page.get_by_role("button", name="Run", exact=True).click()
    await console.page.wait_for_url("**/runs/dag-exec_*")
    await console.page.locator(".facts .status.completed").wait_for()


async def test_the_webhook_of_a_goal_is_set_shown_changed_and_removed(
    served: Bed, open_console: OpenConsole
) -> None:
    console = await open_console("/new?way=agent")
    await console.page.get_by_label("Goal").fill("Look after the old windmill")
    await console.page.get_by_text("Webhook", exact=True).click()
    await console.page.get_by_label("Webhook URL").fill(f"{served.hooks.url}/first")
    await console.page.get_by_role("checkbox", name="each question to a person").check()
    await console.page.get_by_role("button", name="Run", exact=True).click()
    await console.page.wait_for_url("**/runs/run_*")
    await console.shown("is told of each end of a run and each question to a person")

    await console.page.get_by_role("link", name="Goal", exact=True).click()
    await console.page.wait_for_url("**/goals/goal_*")
    goal = console.page.url.rpartition("/")[2]
    url, save = console.page.get_by_label("Webhook URL"), console.page.get_by_role("button", name="Save the")
    await expect(url).to_have_value(f"{served.hooks.url}/first")
    await console.page.get_by_role("checkbox", name="each end of a run").uncheck()
    await url.fill(f"{served.hooks.url}/second")
    await save.click()
    await console.shown("Saved.")
    changed = await served.client.goals.get(goal)
    assert (changed.webhook_url, changed.webhook_events) == (f"{served.hooks.url}/second", ["asked"])

    await url.fill("")
    await save.click()
    await console.shown("Saved.")
    assert (await served.client.goals.get(goal)).webhook_url is None


TIMES = """async () => {
  const { time, clock } = await import("/console/parts/format.js");
  return [time("2026-01-15T11:00:00Z"), time("2026-07-15T11:00:00Z"), clock("2026-07-15T11:00:00Z")];
}"""


async def test_times_are_of_the_zone_of_the_browser_with_the_offset_of_their_date(
    open_console: OpenConsole,
) -> None:
    async def in_berlin(page: Page) -> None:
        session = await page.context.new_cdp_session(page)
        await session.send("Emulation.setTimezoneOverride", {"timezoneId": "Europe/Berlin"})

    console = await open_console("/search", prepare=in_berlin)
    winter, summer, clock = await console.page.evaluate(TIMES)
    assert ("12:00:00" in winter, "GMT+1" in winter) == (True, True)
    assert ("1:00:00" in summer, "GMT+2" in summer, "GMT+2" in clock) == (True, True, True)


WITHOUT_CLIPBOARD = """
  Object.defineProperty(navigator, "clipboard", { value: undefined });
  addEventListener("copy", (event) => (window.copied = event.clipboardData.getData("text/plain")));
"""


async def test_an_id_is_copied_where_the_browser_has_no_clipboard_for_scripts(
    served: Bed, open_console: OpenConsole
) -> None:
    goal = await served.client.goals.create(GoalCreate(objective="Look after the old windmill"))
    console = await open_console(
        f"/goals/{goal.id}", prepare=lambda page: page.add_init_script(WITHOUT_CLIPBOARD)
    )
    await console.page.get_by_role("button", name=goal.id).click()
    await console.shown("copied")
    assert await console.page.evaluate("window.copied") == goal.id


LARGE_TEXT = "document.documentElement.style.fontSize = '200%'"
NORMAL_TEXT = "document.documentElement.style.fontSize = ''"
LONG = (
    "Donaudampfschifffahrtsgesellschaft" * 9,
    "قارن بين الطاقة الشمسية " * 12,
    "https://x.example/" + "a" * 400,
)
OF_LONG_TEXTS = ("/", "/search?q=a", "/goals", "/new?way=agent", "/inbox", "/costs", "/system", "/agents")


async def test_no_page_is_wider_than_a_phone_with_long_texts_of_twice_the_size(
    served: Bed, open_console: OpenConsole
) -> None:
    goals = [await served.client.goals.create(GoalCreate(objective=text)) for text in LONG]
    console = await open_console("/", width=390)
    await console.page.evaluate(LARGE_TEXT)
    for path in (*OF_LONG_TEXTS, *(f"/goals/{goal.id}" for goal in goals)):
        await console.go(path)
        assert await console.page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
    await console.page.evaluate(NORMAL_TEXT)


async def test_the_keyboard_goes_on_in_the_page_that_a_link_opened(open_console: OpenConsole) -> None:
    console = await open_console("/runs")
    await console.page.get_by_role("link", name="Agents", exact=True).focus()
    await console.page.keyboard.press("Enter")
    await expect(console.page.locator("main")).to_be_focused()
    await console.page.locator("main a.row-link").first.wait_for()
    await console.page.keyboard.press("Tab")
    await expect(console.page.locator("main a.row-link").first).to_be_focused()


async def test_a_gateway_that_stops_is_not_shown_as_ready(open_console: OpenConsole) -> None:
    console = await open_console("/system", prepare=own_clock)
    await console.page.locator(".health.good").wait_for()
    await console.page.route("**/health/ready", lambda route: route.abort())
    await console.page.clock.fast_forward(20_000)
    await console.page.locator(".health.bad", has_text="offline").wait_for()
    await console.shown("The gateway does not answer")
    assert await console.page.get_by_text("Commits behind").count() == 0


async def test_a_change_that_got_no_answer_is_not_said_to_be_tried_again(open_console: OpenConsole) -> None:
    console = await open_console("/new?way=job", without="**/api/v1/execute-dag")
    await console.page.get_by_role("button", name="Run").last.click()
    await console.shown("look whether it has done what you asked for")
    assert await console.page.get_by_text("tries again").count() == 0


async def test_a_system_without_a_model_says_so_and_offers_what_needs_none(open_console: OpenConsole) -> None:
    answer = {"status": "degraded", "problems": {"llm": "no model is configured"}, "warnings": {}}
    nothing = {"executions": [], "pagination": {"total": 0, "nextCursor": None}}

    async def without_model(page: Page) -> None:
        await page.route("**/health/ready", lambda route: route.fulfill(status=503, json=answer))
        await page.route("**/api/v1/dag-executions?*", lambda route: route.fulfill(json=nothing))
        await page.route("**/api/v1/runs?*", lambda route: route.fulfill(json=[]))

    console = await open_console("/", prepare=without_model)
    await console.page.locator(".health.warn", has_text="no model").wait_for()
    await console.shown("Model: no model is configured")
    await console.page.get_by_role("link", name="Run an example plan without a model").wait_for()
