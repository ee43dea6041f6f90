"""A real Chromium on a real system."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.system.conftest import Bed, running_bed

WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def executable() -> str:
    """The browser at CHROMIUM or on PATH. Without one, tests are skipped unless REQUIRE_CHROMIUM is set."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        say = pytest.fail if os.environ.get("REQUIRE_CHROMIUM") else pytest.skip
        say("no Chromium: install it, or set CHROMIUM to its path")
    return found


def violations(text: str) -> list[str]:
    """What the policy has blocked. A style or a base in a text that is being made safe is reported, too."""
    harmless = "style" in text or "base URI" in text
    return [text] if "Content Security" in text and not harmless else []


@dataclass
class Console:
    """One page of a browser, and everything that went wrong in it."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    """Errors of scripts, violations of the policy, and requests to other hosts."""

    async def open(self, path: str) -> None:
        """Go to a page of the console, and wait until it shows its heading."""
        await self.page.goto(self.url + path)
        await self.page.locator("h1").first.wait_for()

    async def require_accessible(self, *rules: str) -> None:
        """Require that axe finds nothing, by `rules` or by those of WCAG 2.1 AA."""
        results = await Axe().run(self.page, options={"runOnly": list(rules or WCAG)})
        assert results.violations_count == 0, results.generate_report()

    async def shown(self, text: str) -> None:
        """Wait until a text is shown."""
        await self.page.get_by_text(text).first.wait_for()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bed]:
    """The system that the tests of this folder share."""
    executable()
    async with running_bed(tmp_path_factory.mktemp("console")) as served:
        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """One browser for all tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=QUIET)
        yield browser
        await browser.close()


OpenConsole = Callable[..., Awaitable[Console]]


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(browser: Browser, served: Bed, tmp_path: Path) -> AsyncGenerator[OpenConsole]:
    """Opens a page: `await open_console("/runs", width=390, theme="dark")`. Requests to
    the URLs `without` fail. `at` is the URL of another system. Fails on any problem in it.
    """
    opened: list[tuple[BrowserContext, Console]] = []

    async def open_page(
        path: str, *, width: int = 1440, theme: str = "light", without: str = "", at: str = ""
    ) -> Console:
        context = await browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
        )
        console = Console(await context.new_page(), at or served.system.url)
        opened.append((context, console))
        console.page.set_default_timeout(20_000)
        console.page.on("pageerror", lambda error: console.problems.append(f"script: {error}"))
        console.page.on("dialog", lambda dialog: console.problems.append(f"dialog: {dialog.message}"))
        console.page.on("console", lambda said: console.problems.extend(violations(said.text)))
        console.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((console.url, "data:", "blob:"))
                else console.problems.append(f"request: {request.url}")
            ),
        )
        if without:
            await context.route(without, lambda route: route.abort())
        await console.open(path)
        return console

    yield open_page
    for context, console in opened:
        await console.page.screenshot(path=tmp_path / f"{id(console)}.png")
        await context.close()
        assert console.problems == []
