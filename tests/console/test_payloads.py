"""Texts of models, pages and people stay texts: no script runs, and no request leaves the origin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.dags import DagPatch
from contracts.api.goals import GoalCreate
from tests.console.payloads import PAYLOADS

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.console.conftest import Console, OpenConsole
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

NAMES = [f"attack-{number:03}" for number in range(len(PAYLOADS))]
ASK = {
    "type": "object",
    "properties": {text: {"type": "string", "description": text, "enum": [text]} for text in PAYLOADS[:20]},
}


def job(served: Bed) -> dict[str, Any]:
    """A job in which each step has one of the texts everywhere, and writes it into a file."""
    made = served.hooks.job(dict.fromkeys(NAMES, ()))
    for step, name, text in zip(made["sub_tasks"], NAMES, PAYLOADS, strict=True):
        step |= {"description": text, "thought": text, "expected_output": text}
        step["tool_or_prompt"] = {"name": "writeFile", "params": {"path": f"{name}.md", "content": text}}
    return {**made, "original_request": f"Attack {' '.join(PAYLOADS)}"[:9000]}


async def require_no_code(console: Console) -> None:
    """No element of the page is a script, leads to one, or loads something."""
    bad = "a[href^='javascript' i], a[href^='data:' i], a[href^='vbscript' i], [onerror], [onload], [onfocus]"
    bad += ", base, iframe, object, embed, link:not(head link), meta:not(head meta), [action], [style*=url]"
    assert await console.page.locator(bad).count() == 0


async def visit(console: Console, *paths: str) -> None:
    """Go to pages, and wait until they show their data."""
    for path in paths:
        await console.go(path)
        await console.page.locator(
            "main :is(table, .tiles, .graph, pre, .card, .facts, .timeline, .markdown)"
        ).first.wait_for()
        await require_no_code(console)


VISIT_ALL = """async ([name, values, where]) => {
  const { setQuery } = await import("/console/parts/router.js");
  const texts = [];
  for (const value of values) {
    setQuery({ [name]: value });
    const shows = () => [...document.querySelectorAll(where)].some((one) => one.textContent.includes(value));
    while (!shows()) await new Promise((resolve) => requestAnimationFrame(resolve));
    texts.push(document.querySelector("main").textContent);
  }
  return texts;
}"""


async def visit_all(console: Console, name: str, values: list[str], where: str) -> list[str]:
    """Set `name` in the address to each value as the page does it. Returns the texts that are shown then.

    A value is shown when an element `where` contains it.
    """
    texts: list[str] = await console.page.evaluate(VISIT_ALL, [name, values, where])
    await require_no_code(console)
    return texts


async def test_there_are_a_hundred_texts() -> None:
    assert len(set(PAYLOADS)) >= 100


async def test_texts_of_steps_and_reports_stay_texts(served: Bed, open_console: OpenConsole) -> None:
    started = await served.client.dags.execute_job(job(served))
    assert await served.end(started.execution_id) == "completed"
    run = f"/runs/{started.execution_id}"
    console = await open_console(run)
    tabs = [f"{run}?tab={tab}" for tab in ("timeline", "report", "events", "costs")]
    await visit(console, "/runs", "/", run, *tabs)
    shown = await visit_all(console, "step", NAMES, "aside h2")
    assert all(text in page for text, page in zip(PAYLOADS, shown, strict=True))


async def test_files_and_their_names_stay_texts(served: Bed, open_console: OpenConsole) -> None:
    names = [f"{text.replace('/', '_').strip()[:80]}.md" for text in PAYLOADS]
    (served.data / "artifacts").mkdir(exist_ok=True)
    for name, text in zip(names, PAYLOADS, strict=True):
        (served.data / "artifacts" / name).write_text(text)
    console = await open_console("/artifacts")
    await visit_all(console, "file", names, "section.file:has(.markdown) h2")


async def test_errors_and_questions_stay_texts(
    served: Bed, open_console: OpenConsole, eventually: Eventually
) -> None:
    made = served.hooks.job(dict.fromkeys(NAMES, ()))
    for number, (step, text) in enumerate(zip(made["sub_tasks"], PAYLOADS, strict=True)):
        ask = {"question": text, "schema": ASK}
        read = {"path": f"missing/{text.replace('/', '_')}"}
        step["tool_or_prompt"] = (
            {"name": "askHuman", "params": ask} if number % 2 else {"name": "readFile", "params": read}
        )
    started = await served.client.dags.execute_job(made)
    path = f"/runs/{started.execution_id}"

    async def asked() -> list[str]:
        page = await served.client.asks.find(run_id=started.execution_id, status="open", limit=100)
        return [one.id for one in page.asks] if len(page.asks) == len(NAMES) // 2 else []

    asks = await eventually(asked)
    console = await open_console(path)
    await visit(console, path, "/inbox", "/inbox?status=all")
    for ask_id in asks[::10]:
        await console.go(f"/inbox/{ask_id}")
        await console.page.get_by_role("button", name="Send the answer").wait_for()
    await served.client.executions.cancel(started.execution_id, PAYLOADS[0])
    await visit(console, path, f"{path}?tab=events")


async def test_goals_tools_plans_and_snippets_stay_texts(served: Bed, open_console: OpenConsole) -> None:
    goals = [GoalCreate(objective=f"Attack zebra {number}: {text}") for number, text in enumerate(PAYLOADS)]
    await asyncio.gather(*map(served.client.goals.create, goals))
    made = job(served)
    dag_id = (await served.client.dags.execute_job(made)).dag_id
    for step, text in zip(made["sub_tasks"], PAYLOADS, strict=True):
        step["tool_or_prompt"] = {"name": text, "params": {text: text}}
    await served.client.dags.update(dag_id, DagPatch(result=made, dagTitle=PAYLOADS[0]))
    goal = (await served.client.goals.find(limit=1))[0]
    console = await open_console("/goals")
    pages = ("/goals", f"/goals/{goal.id}", "/dags", f"/dags/{dag_id}", "/search?q=zebra", "/search?q=script")
    await visit(console, *pages)
    await console.open(f"/search?q={'<script>alert(1)</script>'}")
