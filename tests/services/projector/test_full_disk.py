"""A projector whose disk is full: no file of its process can grow."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.domain import agent
from contracts.domain.agent import AGENT
from contracts.runtime.memory_log import MemoryLog
from contracts.views import agents
from projector import projector
from projector.projector import BuildFailed
from tests.any_source import CODEC
from tests.services.projector.following import Views, projecting

if TYPE_CHECKING:
    from tests.conftest import Eventually

SMALL = 32 * 1024
"""Bytes: more than the test's own output takes, less than the views."""


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(MemoryLog(CODEC), tmp_path / "views.db")


@pytest.fixture
def fill_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Lets no file of this process grow above SMALL, or lets them grow again."""
    monkeypatch.setattr(projector, "ACCESS_S", 0.05)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(full: bool) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL if full else soft, hard))

    yield fill
    fill(False)


async def write_agents(views: Views, *numbers: int) -> None:
    for number in numbers:
        created = agent.Created(name=f"A{number}", version_name="1", prompt_template="p" * 5000)
        await views.write(AGENT, f"agent_{number}", created)


async def test_it_waits_for_room_and_then_goes_on(
    views: Views, fill_disk: Callable[[bool], None], eventually: Eventually
) -> None:
    async def says(what: str) -> bool:
        return what in (await views.projector.not_ready() or "ready")

    async with projecting(views):
        await write_agents(views, 1)
        await views.caught_up()
        fill_disk(True)
        await write_agents(views, *range(2, 20))
        await eventually(lambda: says("cannot be written"))
        fill_disk(False)
        assert len(await views.rows(agents)) == 19
        await eventually(lambda: says("ready"))
    assert not list(views.path.parent.glob("*damaged*"))


async def test_a_rebuild_without_room_leaves_the_old_views_as_they_are(
    views: Views, fill_disk: Callable[[bool], None]
) -> None:
    async with projecting(views):
        await write_agents(views, 1)
        await views.caught_up()
    before = views.path.read_bytes()

    fill_disk(True)
    with pytest.raises(BuildFailed, match="Make room"):
        await views.projector.rebuild()
    fill_disk(False)

    assert views.path.read_bytes() == before
