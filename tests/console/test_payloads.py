"""Texts of models, pages and people stay texts: no script runs, and no request leaves the origin."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from playwright.async_api import expect

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


DRAWERS = """async (id) => {
  const { html, render } = await import("/console/parts/html.js");
  const { StepDrawer } = await import("/console/pages/step_drawer.js");
  const run = await (await fetch(`/api/v1/dag-executions/${id}`)).json();
  const steps = run.subSteps.filter((step) => step.taskId !== "__SYNTHESIS__");
  const close = () => {};
  const drawers = steps.map((step) => html`<${StepDrawer} run=${run} step=${step} close=${close} />`);
  const below = new CSSStyleSheet();
  below.replaceSync(".drawer { position: static; height: 9rem; contain: strict; box-shadow: none; }");
  document.adoptedStyleSheets = [below];
  render(html`${drawers}`, document.body.appendChild(document.createElement("div")));
}"""
"""Shows the drawers of all steps of a run, one below the other. To open them one by one takes far longer."""

ATTEMPTS = """(number) => {
  const titles = [...document.querySelectorAll("aside.drawer h3")].map((one) => one.textContent);
  return titles.filter((title) => title === "Attempts").length === number;
}"""

MARKDOWN = """async (texts) => {
  const { html, render } = await import("/console/parts/html.js");
  const { Markdown } = await import("/console/parts/markdown.js");
  const room = document.body.appendChild(document.createElement("div"));
  render(html`${texts.map((text) => html`<${Markdown} text=${text} />`)}`, room);
}"""
"""Shows all texts as the page of a file shows its text."""


async def test_there_are_a_hundred_texts() -> None:
    assert len(set(PAYLOADS)) >= 100


async def test_texts_of_steps_and_reports_stay_texts(served: Bed, open_console: OpenConsole) -> None:
    started = await served.client.dags.execute_job(job(served))
    assert await served.end(started.execution_id) == "completed"
    run = f"/runs/{started.execution_id}"
    console = await open_console(run)
    tabs = [f"{run}?tab={tab}" for tab in ("timeline", "report", "events", "costs")]
    await visit(console, "/runs", "/", run, *tabs)
    await console.page.evaluate(DRAWERS, started.execution_id)
    await console.page.wait_for_function(ATTEMPTS, arg=len(PAYLOADS), polling=100)
    await require_no_code(console)
    shown = await console.page.locator("aside.drawer h2").all_text_contents()
    assert shown == [f"{name} {text}" for name, text in zip(NAMES, PAYLOADS, strict=True)]
    console.is_own = True


async def test_files_and_their_names_stay_texts(served: Bed, open_console: OpenConsole) -> None:
    names = [f"{text.replace('/', '_').strip()[:80]}.md" for text in PAYLOADS]
    (served.data / "artifacts").mkdir(exist_ok=True)
    for name, text in zip(names, PAYLOADS, strict=True):
        (served.data / "artifacts" / name).write_text(text)
    console = await open_console("/artifacts", width=390)
    buttons = console.page.locator(".files button")
    await expect(buttons.first).to_be_visible()
    assert set(names) <= set(await buttons.all_text_contents())
    for name in names[::10]:
        await console.go(f"/artifacts?{urlencode({'file': name})}")
        await console.page.locator("section.file:has(.markdown) h2", has_text=name).wait_for()
        await require_no_code(console)
    await console.page.evaluate(MARKDOWN, PAYLOADS)
    await expect(console.page.locator("body > div .markdown")).to_have_count(len(PAYLOADS) + 1)
    await require_no_code(console)
    console.is_own = True


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
    await require_no_code(console)
