"""What an agent sends to a model is kept as it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.core.event import BlobRef
from contracts.domain import run
from contracts.settings.redactor import SECRETS
from tests.services.executor.goal.rules import ONE_CALL
from tests.services.executor.system import echo

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld, World

BUSY_ONCE = "[[rule]]\ntimes = 1\nanswer.status = 503\n"


async def kept(world: World, *kinds: type[Any]) -> list[Any]:
    """The requests to the model that the events of these kinds name."""
    refs = [BlobRef.of(event.prompt) for event in await world.events() if isinstance(event, kinds)]
    return [ref and await world.log.format.blobs.get_json(ref) for ref in refs]


async def test_each_turn_and_the_summary_keep_exactly_what_the_model_received(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.pursue()
    assert len(world.asked) == 3
    assert await kept(world, run.TurnTaken, run.Summarised) == world.asked
    assert {"model", "messages", "tools", "temperature"} <= world.asked[0].keys()


async def test_a_failed_attempt_keeps_what_it_sent_too(make_world: MakeWorld) -> None:
    world = await make_world(BUSY_ONCE + ONE_CALL)
    world.tool("echo", echo)
    await world.pursue()
    assert await kept(world, run.StepFailed) == world.asked[:1]


async def test_a_prompt_is_kept_without_secrets(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    lease = await world.request(objective="find canary-of-a-prompt")
    SECRETS.learn("CANARY", "canary-of-a-prompt")
    await world.handle(world.executor(), lease)
    assert "canary-of-a-prompt" in str(world.asked[0])
    first, *_ = await kept(world, run.TurnTaken)
    assert "canary-of-a-prompt" not in str(first)
    assert first["messages"][0]["role"] == "system"
