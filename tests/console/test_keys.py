"""The console of a gateway that asks for keys."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from contracts.api.keys import KeyCreate
from contracts.client import Client
from contracts.core.scopes import Scope
from deploy.cli.operator.keys import KeysInLog
from deploy.local.child import Child
from deploy.local.ports import free_port

if TYPE_CHECKING:
    from deploy.local.system import LocalSystem
    from tests.console.conftest import OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def root(served: Bed) -> str:
    """A key for everything, as an operator makes it."""
    return (await KeysInLog(served.log).create(KeyCreate(name="root", scopes=[Scope.ADMIN]))).key


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def locked(served: Bed, root: str) -> AsyncGenerator[LocalSystem]:
    """The system behind another gateway, which asks for keys and knows the key for everything."""
    port = free_port("127.0.0.1", 0)
    program = served.system.programs["gateway"]
    ports = {"PORT": str(port), "METRICS_PORT": str(free_port("127.0.0.1", 0))}
    env = {**program.env, "AUTH": "keys", "BUDGET_USD_PER_DAY": "5", **ports}
    gateway = Child("locked", partial(served.system.forks.fork, replace(program, env=env)), lambda *_: None)
    await gateway.start()
    locked = replace(served.system, url=f"http://127.0.0.1:{port}", children={"locked": gateway})
    await locked.ready()
    yield locked
    await gateway.stop()


async def test_a_key_is_asked_for_once_and_kept_until_the_tab_is_closed(
    locked: LocalSystem, root: str, open_console: OpenConsole
) -> None:
    runs = "/runs?q=osprey+zebra+stork"
    async with Client(locked.url, api_key=root) as client:
        reader = (await client.keys.create(KeyCreate(name="reader", scopes=[Scope.READ]))).key
    console = await open_console(runs, at=locked.url)
    await console.page.get_by_role("heading", name="Enter your key").wait_for()
    await console.page.get_by_label("Key").fill("aa_wrong_key")
    await console.page.get_by_role("button", name="Use the key").click()
    await console.shown("The key was refused")
    await console.page.get_by_label("Key").fill(reader)
    await console.page.get_by_role("button", name="Use the key").click()
    await console.shown("No run fits the filters")
    await console.open("/system")
    for path in ("/system", "/goals", "/"):
        await console.go(path)
        await console.page.locator(".health.good").wait_for()
        assert await console.page.get_by_label("Key").count() == 0
    other = await open_console("/runs", at=locked.url)
    await other.page.get_by_role("heading", name="Enter your key").wait_for()

    await console.go("/new")
    await console.page.get_by_label("Let an agent work on it in turns").check()
    await console.page.get_by_label("Goal").fill("Look after the old windmill")
    await console.page.get_by_role("button", name="Run").last.click()
    await console.shown("This needs the scope run; key:reader has")
    await console.shown("enter one that has the scope")
    await console.page.get_by_role("button", name="Forget the key").click()
    await console.page.get_by_role("heading", name="Enter your key").wait_for()


async def test_a_key_that_is_revoked_is_asked_for_again(
    locked: LocalSystem, root: str, open_console: OpenConsole
) -> None:
    async with Client(locked.url, api_key=root) as client:
        made = await client.keys.create(KeyCreate(name="guest", scopes=[Scope.READ]))
        console = await open_console("/", at=locked.url)
        await console.page.get_by_label("Key").fill(made.key)
        await console.page.get_by_role("button", name="Use the key").click()
        await console.page.get_by_role("heading", name="Home").wait_for()
        await console.shown("Spent today")
        await console.shown("$0.00 of $5.00")
        await client.keys.revoke(made.id)
    await console.shown("The key was refused")
