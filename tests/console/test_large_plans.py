"""A plan of thousands of steps, in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests import jobs

if TYPE_CHECKING:
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

STEPS = 2_000


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def large(served: Bed) -> str:
    """An execution of 2,000 steps of which the first failed, so that the others wait."""
    missing = jobs.task("0001", "readFile", {"path": "missing.txt"})
    waiting = [
        jobs.task(f"{number:04}", "readFile", {"path": "x"}, needs=("0001",))
        for number in range(2, STEPS + 1)
    ]
    started = await served.client.dags.execute_job(jobs.job_json(missing, *waiting))
    assert await served.end(started.execution_id) == "suspended"
    return started.execution_id


async def test_a_large_plan_is_shown_as_groups_and_from_near_as_steps(
    large: str, open_console: OpenConsole
) -> None:
    console = await open_console(f"/runs/{large}")
    groups, nodes = console.page.locator("g.group"), console.page.locator("g.node")
    await console.page.get_by_role("button", name="Layer 1, 1 steps, 1 failed").wait_for()
    await console.page.get_by_role("button", name="Layer 2, 1,999 steps").click()
    await expect(groups).to_have_count(0)
    assert 0 < await nodes.count() <= 150
    await console.page.get_by_role("button", name="Fit").click()
    await expect(nodes).to_have_count(0)
    await expect(groups).to_have_count(3)


async def test_a_group_of_a_deep_plan_is_entered(served: Bed, open_console: OpenConsole) -> None:
    missing = jobs.task("0001", "readFile", {"path": "missing.txt"})
    chain = [
        jobs.task(f"{number:04}", "readFile", {"path": "x"}, needs=(f"{number - 1:04}",))
        for number in range(2, STEPS + 1)
    ]
    started = await served.client.dags.execute_job(jobs.job_json(missing, *chain))
    assert await served.end(started.execution_id) == "suspended"
    console = await open_console(f"/runs/{started.execution_id}")
    await console.page.locator("g.group").nth(1).click()
    await console.page.locator("g.node").first.wait_for()


async def test_a_step_of_a_large_plan_is_found_by_its_name(large: str, open_console: OpenConsole) -> None:
    console = await open_console(f"/runs/{large}")
    await console.page.get_by_label("Find a step").fill("1777")
    await console.page.get_by_role("button", name="1777").click()
    await console.page.get_by_role("complementary", name="1777").wait_for()
    await expect(console.page.locator("g.node.chosen")).to_be_in_viewport()


async def test_the_map_of_a_large_plan_moves_the_window(large: str, open_console: OpenConsole) -> None:
    console = await open_console(f"/runs/{large}")
    await console.page.get_by_role("button", name="Layer 1, 1 steps, 1 failed").focus()
    await console.page.keyboard.press("Enter")
    first = console.page.get_by_role("button", name="0001, readFile, failed")
    await expect(first).to_be_in_viewport()
    await console.page.locator(".minimap").click(position={"x": 60, "y": 60})
    await expect(first).to_have_count(0)
    assert await console.page.locator("g.node").count() > 0


async def test_everybody_can_use_a_large_plan(large: str, open_console: OpenConsole) -> None:
    console = await open_console(f"/runs/{large}")
    await console.page.locator("g.group").first.wait_for()
    await console.require_accessible()
