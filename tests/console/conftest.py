"""A real Chromium on a real system."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.base import AXE_SCRIPT, AxeResults  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.system.conftest import Bed, running_bed

Part = str | dict[str, list[str]]
"""Part of a page, as axe names it: a selector, or `{"fromShadowDom": [selector of the host, selector]}`."""
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
GO = """async (path) => {
  const { navigate } = await import("/console/parts/router.js");
  navigate(path);
  await new Promise(requestAnimationFrame);
}"""
NOWHERE = "/nowhere"
"""A path without a page: what is shown there sends no requests."""
HEIGHT = 600
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--in-process-gpu",
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
    is_own: bool = False
    """Whether no other test may use the page."""

    async def open(self, path: str) -> None:
        """Load a page of the console as a document, and wait until it shows its heading."""
        await self.page.goto(self.url + path)
        await self.page.locator("h1").first.wait_for()

    async def go(self, path: str) -> None:
        """Go to a page as a link does, and wait until it has loaded its data."""
        await self.page.evaluate(GO, path)
        await self.page.locator("h1").first.wait_for()
        await expect(self.page.locator(".loading")).to_have_count(0, timeout=20_000)

    async def rest(self) -> None:
        """Leave the page without anything that a test has set, and without requests."""
        await self.page.unroute_all(behavior="ignoreErrors")
        await self.page.emulate_media(color_scheme="light")
        await self.page.evaluate(GO, NOWHERE)

    async def require_accessible(self, *parts: Part) -> None:
        """Require that axe finds nothing by the rules of WCAG 2.1 AA, in both themes, in the page or parts.

        Themes differ in colours only, so the dark one is checked for contrast only.
        """
        await self.page.emulate_media(color_scheme="light")
        await self._require_accessible(parts, WCAG)
        await self.page.emulate_media(color_scheme="dark")
        await self._require_accessible(parts, ("color-contrast",))

    async def _require_accessible(self, parts: Sequence[Part], rules: Sequence[str]) -> None:
        is_first = not await self.page.evaluate("'axe' in window")
        if is_first:
            await self.page.evaluate(AXE_SCRIPT)
        # Only the rule on the style sheet preloads anything, and the style sheet is the same for all pages.
        options = {"runOnly": rules, "resultTypes": ["violations"], "preload": is_first}
        where = {"include": parts or ["html"]}
        found = await self.page.evaluate("([where, options]) => axe.run(where, options)", [where, options])
        results = AxeResults(found)
        assert results.violations_count == 0, f"{self.page.url}\n{results.generate_report()}"

    def foreign(self, url: str) -> list[str]:
        """A request that does not go to the system."""
        return [] if url.startswith((self.url, "data:", "blob:")) else [f"request: {url}"]

    async def shown(self, text: str) -> None:
        """Wait until a text is shown."""
        await self.page.get_by_text(text).first.wait_for()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def served(forked_services: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bed]:
    """The system that the tests of this folder share."""
    executable()
    async with running_bed(tmp_path_factory.mktemp("console")) as served:
        yield served


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """One browser for all tests."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable(), args=FLAGS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(browser: Browser) -> AsyncGenerator[BrowserContext]:
    """What the pages of all tests share, which is the cache. Nothing moves: drawing costs time."""
    context = await browser.new_context(reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context
    await context.close()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test has failed."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


OpenConsole = Callable[..., Awaitable[Console]]
Prepare = Callable[[Page], Awaitable[object]]


@pytest.fixture(scope="session")
def idle() -> list[Console]:
    """Pages that wait for the next test. A new page costs as much as ten that a link leads to."""
    return []


@pytest_asyncio.fixture(loop_scope="session")
async def open_console(
    context: BrowserContext,
    served: Bed,
    idle: list[Console],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncGenerator[OpenConsole]:
    """Opens a page: `await open_console("/runs", width=390)`. Requests to the URLs `without` fail.

    A page that `prepare` changes before it loads, and one of another system `at` a URL, are the test's own;
    others are used again. Fails on any problem in them. The pages of a failed test are kept as pictures.
    """
    opened: list[Console] = []

    async def open_page(
        path: str, *, width: int = 1200, without: str = "", at: str = "", prepare: Prepare | None = None
    ) -> Console:
        is_own = bool(at or prepare)
        console = await new_console(context, at or served.system.url) if is_own or not idle else idle.pop()
        opened.append(console)
        await console.page.set_viewport_size({"width": width, "height": HEIGHT})
        if without:
            await console.page.route(without, lambda route: route.abort())
        if prepare:
            await prepare(console.page)
        await (console.open(path) if console.page.url == "about:blank" else console.go(path))
        console.is_own = is_own
        return console

    yield open_page
    for console in opened:
        is_failed = request.node.stash.get(FAILED, True)
        if is_failed:
            await console.page.screenshot(path=tmp_path / f"{id(console)}.png")
        if is_failed or console.is_own or console.problems:
            await console.page.close()
        else:
            await console.rest()
            idle.append(console)
        assert console.problems == []


async def new_console(context: BrowserContext, url: str) -> Console:
    """A page that has not loaded anything yet, and notes its problems."""
    console = Console(await context.new_page(), url)
    console.page.on("pageerror", lambda error: console.problems.append(f"script: {error}"))
    console.page.on("dialog", lambda dialog: console.problems.append(f"dialog: {dialog.message}"))
    console.page.on("console", lambda said: console.problems.extend(violations(said.text)))
    console.page.on("request", lambda request: console.problems.extend(console.foreign(request.url)))
    return console
