"""What the client asks of models, tasks and experiments, by a real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from contracts.api.experiments import ExperimentsCompleted
from contracts.api.tasks import TaskParams
from contracts.client import Attachment, Client, Refused, Unreachable
from contracts.core.event import Json
from contracts.domain import agent, dag
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.llm import LlmSettings
from deploy.scripted_llm import ScriptedLlm, parse_rules

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

RULES = """
[[rule]]
when.user = "hang"
answer.hang = true
[[rule]]
answer.text = "Done."
"""
PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
JOB = Job.model_validate(
    {
        "original_request": "do it",
        "intent": {"primary": "do", "sub_intents": []},
        "entities": [],
        "sub_tasks": [],
        "validation": {"coverage": "high"},
    }
)


@dataclass(frozen=True, slots=True)
class Lab:
    """A gateway with an agent, the model that it asks, and a client."""

    api: Api
    model: ScriptedLlm
    client: Client

    @property
    def prompt(self) -> Json:
        """What the model was told last by its user."""
        return self.model.requests[-1].body["messages"][1]["content"]


@pytest.fixture
async def lab(start_gateway: StartGateway) -> AsyncGenerator[Lab]:
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ScriptedLlm(parse_rules(RULES)))
        settings = LlmSettings(
            _env_file=None,
            llm_provider="openai",
            llm_model="gpt-4o-mini",
            llm_retries=0,
            openai_base_url=model.base_url,
        )
        api = await start_gateway(llm=settings)
        made = agent.Created(name="Teacher", version_name="2.1", prompt_template="Teach.")
        await api.write(AGENT, "a1", made)
        await api.write(AGENT, "a1", agent.Activated(name="Teacher"))
        yield Lab(api, model, await stack.enter_async_context(Client(str(api.url))))


async def test_a_task_is_done_with_files_as_they_are(lab: Lab) -> None:
    result = await lab.client.tasks.run(
        "Teacher",
        "Look.",
        files=[
            Attachment('größe "1"\n.md', "# Größe".encode()),
            Attachment("p.png", PNG),
            Attachment("LIES MICH", b"text", "text/plain"),
        ],
        params=TaskParams(temperature=0, max_tokens=50),
    )
    assert (result.response, result.agent_version, result.params.temperature) == ("Done.", "2.1", 0)
    assert result.params.max_tokens == lab.model.requests[-1].body["max_tokens"] == 50
    assert [(file.filename, file.mime_type) for file in result.input_files] == [
        ('größe "1"%0A.md', "text/markdown"),
        ("p.png", "image/png"),
        ("LIES MICH", "text/plain"),
    ]
    text, image = lab.prompt
    assert text["text"].startswith('Look.\n\n--- File: größe "1"%0A.md ---\n# Größe\n\n--- File: LIES MICH')
    assert image["type"] == "image_url"


async def test_a_task_needs_no_files(lab: Lab) -> None:
    result = await lab.client.tasks.run("Teacher", "Look.")
    assert (result.input_files, lab.prompt) == ([], "Look.")


async def test_a_task_that_cannot_be_done_says_why(lab: Lab) -> None:
    with pytest.raises(Refused, match="No active agent found with name: Nobody"):
        await lab.client.tasks.run("Nobody", "Look.")
    with pytest.raises(Refused, match="'x' is neither UTF-8 text nor an image"):
        await lab.client.tasks.run("Teacher", "Look.", files=[Attachment("x", b"\x00")])


async def test_waiting_for_a_task_ends_after_the_timeout(lab: Lab) -> None:
    with pytest.raises(Unreachable, match="no answer in time"):
        await lab.client.tasks.run("Teacher", "hang", timeout_s=0.05)


async def test_an_experiment_has_the_result_of_each_combination(lab: Lab) -> None:
    """Asked again with its key, nothing is planned again."""

    async def ask() -> ExperimentsCompleted:
        return await lab.client.experiments.run(
            "do it",
            agent="Teacher",
            provider="openai",
            models=["small", "large"],
            temperatures=[0, 1],
            seed=7,
            key="k",
        )

    planner = asyncio.create_task(_plan(lab.api))
    try:
        told = await ask()
        assert await ask() == told
    finally:
        planner.cancel()
        with suppress(asyncio.CancelledError):
            await planner
    assert (told.total_experiments, told.success_count, told.failure_count) == (4, 2, 2)
    assert [(one.model, one.temperature, one.error) for one in told.results] == [
        ("small", 0, None),
        ("small", 1, "too hot"),
        ("large", 0, None),
        ("large", 1, "too hot"),
    ]
    planned = await lab.client.dags.get(told.results[0].dag_id or "")
    assert (planned.params or {})["seed"] == 7


async def test_an_experiment_with_nothing_is_refused(lab: Lab) -> None:
    with pytest.raises(Refused, match="models"):
        await lab.client.experiments.run("do it", provider="openai", models=[], temperatures=[0])


async def _plan(api: Api) -> None:
    """Answer every request for a plan, for ever: what is asked for coolly gets one."""
    async with aclosing(api.log.tail("evt.dag.*.requested")) as batches:
        async for batch in batches:
            for recorded in batch:
                (wanted,) = recorded.commit.events
                assert isinstance(wanted, dag.Requested)
                cool = wanted.temperature == 0
                came = dag.Planned(job=JOB) if cool else dag.Rejected(http_status=500, error="too hot")
                await api.write(DAG, recorded.commit.aggregate_id, came)
