"""Steps that ask a model: inferences and reports, as whom, by which model, at what cost."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from contracts.core.event import BlobRef, Usage
from contracts.domain import agent, run
from contracts.domain.run.steps import SYNTHESIS
from contracts.llm import Llm, LlmSettings
from contracts.runtime.stream import transact
from deploy.scripted_llm import ScriptedLlm, parse_rules
from tests.prompts import require_untrusted_apart
from tests.services.executor.system import ORIGIN, System, handle, infer, task

RULES = """
[[rule]]
when.system = "merge"
answer.text = "# Report"

[[rule]]
when.user = "# Current Task"
answer.text = "inferred"
"""


@pytest.fixture
async def scripted() -> AsyncGenerator[ScriptedLlm]:
    async with ScriptedLlm(parse_rules(RULES)) as server:
        yield server
        require_untrusted_apart(server.requests)


@pytest.fixture
async def llm(scripted: ScriptedLlm) -> AsyncGenerator[Llm]:
    settings = LlmSettings(
        _env_file=None, llm_provider="openai", openai_base_url=scripted.base_url, llm_model="scripted"
    )
    client = Llm(settings)
    yield client
    await client.aclose()


async def seeded(system: System, template: str = "Be brief.", **model: str) -> None:
    created = agent.Created(name="inference", version_name="1", prompt_template=template, **model)
    await transact(system.log, agent.AGENT, "agent_1", lambda state: agent.seed(state, created), ORIGIN)
    system.agents.fold(await system.log.read("agent", "agent_1"))


async def test_a_model_infers_with_what_came_before_and_writes_the_report(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system)
    lease = await system.request(
        task("001", value="facts"), infer("002", "Use <Result of Task 001>", ["001"]), plan="put it together"
    )
    await handle(system.executor(), lease)
    state = await system.state()
    assert (state.done["002"], state.done[SYNTHESIS]) == ("inferred", "# Report")
    inference, synthesis = (request.body["messages"] for request in scripted.requests)
    assert inference[0]["content"] == "Task: Be brief."
    assert 'Use <data origin="Task 001">\nfacts\n</data>' in inference[1]["content"]
    assert inference[1]["content"].count("facts") == 1
    assert 'Task 002 result:\n<data origin="Task 002">\ninferred' in synthesis[1]["content"]
    usage = [e.usage for e in await system.events() if isinstance(e, run.StepCompleted) and e.usage]
    assert len(usage) == 2


async def test_inferences_and_the_report_keep_exactly_what_the_model_received(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system)
    lease = await system.request(
        task("001", value="facts"), infer("002", "Use <Result of Task 001>", ["001"]), plan="put it together"
    )
    await handle(system.executor(), lease)
    completed = [event for event in await system.events() if isinstance(event, run.StepCompleted)]
    refs = [BlobRef.of(event.prompt) for event in completed]
    kept = [ref and await system.log.shelf.get_json(ref) for ref in refs]
    assert kept == [None, *(request.body for request in scripted.requests)]


async def test_a_prompt_that_cannot_be_stored_at_the_moment_is_stored_later(llm: Llm) -> None:
    system = System(llm=llm)
    await seeded(system)
    lease = await system.request(infer("001", "think"))
    system.log.shelf.away = 2
    await handle(system.executor(), lease)
    completed = next(event for event in await system.events() if isinstance(event, run.StepCompleted))
    assert BlobRef.of(completed.prompt)
    assert system.log.shelf.away == 0


async def test_an_inference_fills_its_agents_prompt_and_records_which_it_was(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    """Agents can be edited in place, so the id alone does not say what was used."""
    system = System(llm=llm)
    template = "On {{ CurrentDate }} with {{toolsList}} and skills: {{skills}}."
    await seeded(system, template)
    await handle(system.executor(), await system.request(infer("001", "think")))
    prompt = scripted.requests[0].body["messages"][0]["content"]
    assert re.fullmatch(r"Task: On \d+/\d+/\d+, .+ with - echo: .*and skills: none\.", prompt, re.DOTALL)
    completed = next(e for e in await system.events() if isinstance(e, run.StepCompleted))
    assert (completed.agent_id, completed.agent_version) == ("agent_1", "1")
    assert completed.prompt_sha256 == hashlib.sha256(template.encode()).hexdigest()


async def test_an_inference_is_told_the_date_in_the_time_zone_of_the_run(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system, "{{currentDate}}")
    await handle(system.executor(), await system.request(infer("001", "think"), timezone="Asia/Kolkata"))
    told = scripted.requests[0].body["messages"][0]["content"].removeprefix("Task: ")
    ahead = datetime.strptime(told, "%m/%d/%Y, %I:%M:%S %p").replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(hours=5, minutes=29) < ahead <= timedelta(hours=5, minutes=30)


async def test_an_agent_whose_own_model_cannot_be_called_is_asked_with_that_of_the_settings(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system, provider="openrouter", model="gone")
    await handle(system.executor(), await system.request(infer("001", "think")))
    assert scripted.requests[0].body["model"] == "scripted"
    assert (await system.state()).done["001"] == "inferred"


async def test_the_cost_of_an_unusable_answer_is_recorded_with_the_failure() -> None:
    rules = """
[[rule]]
answer.text = ""
answer.finish_reason = "length"
answer.cost = 0.01
answer.usage = { prompt_tokens = 5, completion_tokens = 2 }
"""
    async with ScriptedLlm(parse_rules(rules)) as server:
        settings = LlmSettings(
            _env_file=None, llm_provider="openai", openai_base_url=server.base_url, llm_model="scripted"
        )
        async with aclosing(Llm(settings)) as llm:
            system = System(llm=llm)
            await seeded(system)
            await handle(system.executor(), await system.request(infer("001", "think")))
    (failed,) = [event for event in await system.events() if isinstance(event, run.StepFailed)]
    assert failed.usage == Usage(prompt_tokens=5, completion_tokens=2)
    assert (failed.cost_usd, failed.provider, failed.model) == ("0.01", "openai", "scripted")


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_a_result_that_was_cut_short_is_recorded_as_such(reason: str) -> None:
    rules = f'[[rule]]\nanswer.text = "half"\nanswer.finish_reason = "{reason}"'
    async with ScriptedLlm(parse_rules(rules)) as server:
        settings = LlmSettings(
            _env_file=None, llm_provider="openai", openai_base_url=server.base_url, llm_model="scripted"
        )
        async with aclosing(Llm(settings)) as llm:
            system = System(llm=llm)
            await seeded(system)
            await handle(system.executor(), await system.request(infer("001", "think"), plan="put together"))
    done = [event for event in await system.events() if isinstance(event, run.StepCompleted)]
    assert [(one.step, one.result, one.finish_reason) for one in done] == [
        ("001", "half", reason),
        (SYNTHESIS, "half", reason),
    ]


async def test_without_a_model_an_inference_suspends_and_says_what_to_set() -> None:
    system = System()
    await seeded(system)
    await handle(system.executor(), await system.request(infer("001", "think")))
    assert "LLM_PROVIDER" in (await system.state()).failed["001"]


async def test_without_the_agent_an_inference_suspends_and_names_it(llm: Llm) -> None:
    system = System(llm=llm)
    await handle(system.executor(), await system.request(infer("001", "think", name="Nobody")))
    assert "No agent found with name: Nobody" in (await system.state()).failed["001"]


async def test_a_fork_uses_inherited_results_and_its_own_model_and_asks_only_for_what_runs_again(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system, model="older")
    lease = await system.request(
        task("001", value="facts"), infer("002", "Use <Result of Task 001>", ["001"]), plan="put it together"
    )
    await handle(system.executor(), lease)
    asked = len(scripted.requests)
    changes = run.Changes(
        steps={"002": run.StepChange(instruction="Rhyme on <Result of Task 001>")}, model="newer"
    )
    events = run.fork(await system.state(), changes, run.ForkedFrom(run_id="dag-exec_1"), datetime.now(UTC))
    await transact(system.log, run.RUN, "dag-exec_2", lambda _: events, ORIGIN)

    await handle(system.executor(), await system.lease("dag-exec_2"))

    inference, report = scripted.requests[asked:]
    assert 'Rhyme on <data origin="Task 001">\nfacts\n</data>' in inference.body["messages"][1]["content"]
    assert (inference.body["model"], report.body["model"]) == ("newer", "newer")
    state = await system.state("dag-exec_2")
    assert state.status is run.Status.COMPLETED
    assert list(state.done) == ["001", "002", SYNTHESIS]
