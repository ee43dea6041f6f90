"""The focus of the keyboard stays in the page when the button that has it vanishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests import jobs
from tests.console.test_inbox import APPROVAL, asking

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.console.conftest import Console, OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def press(console: Console, name: str) -> None:
    """Press a button with the keyboard."""
    await console.page.get_by_role("button", name=name, exact=True).press("Enter")


async def suspended(served: Bed, path: str) -> str:
    """A run that is suspended because the file at `path` is missing."""
    started = await served.client.dags.execute_job(jobs.job_json(jobs.task("1", "readFile", {"path": path})))
    assert await served.end(started.execution_id) == "suspended"
    return started.execution_id


async def test_after_an_answer_the_focus_is_on_its_result(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    ask = await asking(served, eventually, APPROVAL)
    console = await open_console(f"/inbox/{ask.id}")
    await press(console, "Approve")
    await expect(console.page.locator(".notice", has_text="approved this")).to_be_focused()


async def test_the_result_of_an_answer_leads_to_the_next_question(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    await asking(served, eventually, APPROVAL)
    ask = await asking(served, eventually, APPROVAL)
    console = await open_console(f"/inbox/{ask.id}")
    await press(console, "Approve")
    await console.page.get_by_role("link", name="Next question").press("Enter")
    await console.page.wait_for_url(lambda url: "/inbox/" in url and ask.id not in url)
    await console.page.locator(".facts .status.open").wait_for()


async def test_after_resume_the_focus_is_on_the_heading_of_the_run(
    served: Bed, open_console: OpenConsole
) -> None:
    console = await open_console(f"/runs/{await suspended(served, 'late.txt')}")
    (served.data / "artifacts" / "late.txt").write_text("here")
    await press(console, "Resume")
    await console.page.locator(".facts .status.completed").wait_for()
    await expect(console.page.get_by_role("heading", level=1)).to_be_focused()


async def test_a_button_that_was_busy_has_the_focus_again(served: Bed, open_console: OpenConsole) -> None:
    console = await open_console(f"/runs/{await suspended(served, 'never.txt')}?step=1")
    await console.page.get_by_text("Run again from here").click()
    await console.page.get_by_label("Parameters").fill("{")
    await press(console, "Fork from here")
    await console.shown("The parameters are not JSON")
    await expect(console.page.get_by_role("button", name="Fork from here")).to_be_focused()


async def test_after_a_form_is_made_anew_the_focus_is_still_in_its_tab(
    served: Bed, open_console: OpenConsole
) -> None:
    console = await open_console(f"/runs/{await suspended(served, 'never.txt')}?tab=budget")
    await console.page.get_by_label("Tokens").fill("70000")
    await press(console, "Set the budget")
    await console.shown("of 70,000 tokens")
    await expect(console.page.locator("#tabpanel :focus")).to_have_count(1)
