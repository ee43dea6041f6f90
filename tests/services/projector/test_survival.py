"""What may become of the log and of the views file, and what the projector makes of it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import AsyncMock

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from contracts.core.commit import Recorded
from contracts.domain import agent
from contracts.domain.agent import AGENT
from contracts.runtime.continuity import LogRegressed
from contracts.runtime.log import Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.views import VIEWS_VERSION, agents, checkpoint
from projector import building
from projector.building import Building, build, discard_if_unusable
from projector.database import Database
from projector.file_errors import Damaged
from projector.projector import BuildFailed, views_fold
from projector.verify import verify
from tests.any_source import CODEC
from tests.services.projector.following import Views, projecting

if TYPE_CHECKING:
    from tests.conftest import Eventually


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(MemoryLog(CODEC), tmp_path / "views.db")


async def write_agents(views: Views, *numbers: int) -> None:
    for number in numbers:
        created = agent.Created(name=f"A{number}", version_name="1", prompt_template="p" * 5000)
        await views.write(AGENT, f"agent_{number}", created)


async def names(views: Views) -> list[str]:
    return [row["name"] for row in await views.rows(agents)]


def kept(views: Views, why: str) -> list[Path]:
    """The files that were put aside."""
    return [path for path in views.path.parent.glob(f"views.db.{why}-*") if path.suffix[-4:] not in SIDE]


SIDE = ("-wal", "-shm")


async def project_agents(views: Views, *numbers: int) -> None:
    """Write agents, project them and stop."""
    async with projecting(views):
        await write_agents(views, *numbers)
        await views.caught_up()


def another_stream(log: MemoryLog) -> MemoryLog:
    return MemoryLog(CODEC)


def shorter(log: MemoryLog) -> MemoryLog:
    log.cut(2)
    return log


class CountingLog(MemoryLog):
    """Another log's equal that notes where it was read from."""

    def __init__(self, other: MemoryLog) -> None:
        super().__init__(CODEC)
        self.__dict__ |= other.__dict__
        self.asked: list[int] = []

    async def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        self.asked.append(after)
        async for batch in super().tail(*filters, after=after):
            yield batch


REGRESSIONS = pytest.mark.parametrize("regress", [shorter, another_stream])


@REGRESSIONS
async def test_views_are_not_rebuilt_onto_a_log_that_lacks_what_they_include(
    views: Views, eventually: Eventually, regress: Callable[[MemoryLog], MemoryLog]
) -> None:
    await project_agents(views, 1, 2, 3)
    again = Views(regress(views.log), views.path)
    before = views.path.read_bytes()
    async with projecting(again):

        async def halted() -> str:
            return (await again.log.state()).halted

        assert "regressed at seq 3" in await eventually(halted)
        assert "async-agent log accept" in (await again.projector.not_ready() or "")
        with pytest.raises(LogRegressed, match="seq 3"):
            await verify(again.log, again.path)
    assert views.path.read_bytes() == before
    with pytest.raises(LogRegressed, match="seq 3"):
        await again.projector.rebuild()
    assert views.path.read_bytes() == before


@REGRESSIONS
async def test_an_accepted_log_is_projected_and_the_old_views_are_kept(
    views: Views, eventually: Eventually, regress: Callable[[MemoryLog], MemoryLog]
) -> None:
    await project_agents(views, 1, 2, 3)
    again = Views(regress(views.log), views.path)
    async with projecting(again):

        async def halted() -> str:
            return (await again.log.state()).halted

        await eventually(halted)
        await again.log.accept()
        await write_agents(again, 4)
        assert "A4" in await names(again)
        assert "A3" not in await names(again)
    (aside,) = kept(views, "regressed-3")
    assert [row["name"] for row in await Views(views.log, aside).rows_as_they_are(agents)] == [
        "A1",
        "A2",
        "A3",
    ]
    assert (await verify(again.log, again.path)).differences == ()


async def test_another_commit_at_the_checkpoint_is_noticed(views: Views, eventually: Eventually) -> None:
    """The log lost some and has grown again since: it is not shorter."""
    await project_agents(views, 1, 2, 3)
    views.log.cut(2)
    await write_agents(views, 4, 5)
    again = Views(views.log, views.path)
    async with projecting(again):

        async def halted() -> str:
            return (await again.log.state()).halted

        assert "it has a different commit there now" in await eventually(halted)


async def test_the_second_projector_of_a_file_waits(views: Views, eventually: Eventually) -> None:
    second = Views(views.log, views.path)
    async with projecting(views):
        await write_agents(views, 1)
        assert await names(views) == ["A1"]
        async with projecting(second):
            await write_agents(views, 2)
            assert await names(views) == ["A1", "A2"]
            assert "another projector" in (await second.projector.not_ready() or "")
    async with projecting(second):
        await write_agents(views, 3)
        assert await names(second) == ["A1", "A2", "A3"]


async def test_the_checkpoint_moves_only_from_where_this_projector_left_it(views: Views) -> None:
    await project_agents(views, 1)
    async with Database.open(views.path) as database:
        mark = (await database.position()).mark
        await database.write([], mark, after=mark.seq)
        with pytest.raises(Damaged, match="checkpoint is not at 7"):
            await database.write([], mark, after=7)


async def test_the_checkpoints_of_its_own_writes_are_not_taken_for_writes_of_others(views: Views) -> None:
    """SQLite may move its log into the file at any commit. Here it does so at each."""
    await project_agents(views, 1)
    async with Database.open(views.path) as database:
        mark = (await database.position()).mark
        for _ in range(50):
            with database.engine.connect() as connection:
                connection.execute(text("PRAGMA wal_autocheckpoint = 1"))
            writing = asyncio.create_task(database.write([], mark, after=mark.seq))
            while not writing.done():
                database.check()
                await asyncio.wait([writing], timeout=0)
            await writing


def garbage(path: Path, _: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def truncated(path: Path, _: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


def flipped(path: Path, _: Path) -> None:
    """Every page but the first is damaged in its head."""
    with path.open("r+b") as file:
        for offset in range(4096, path.stat().st_size, 4096):
            file.seek(offset)
            file.write(b"\xff" * 16)


def older(path: Path, copy: Path) -> None:
    """An older copy is written over the file, whose name leads to the same place as before."""
    with path.open("r+b") as file:
        file.write(copy.read_bytes())
        file.truncate()


DAMAGES = pytest.mark.parametrize("damage", [garbage, truncated, flipped, older])


@DAMAGES
async def test_views_damaged_under_a_projector_come_back_by_themselves(
    views: Views, damage: Callable[[Path, Path], None], tmp_path: Path, eventually: Eventually
) -> None:
    await project_agents(views, 1)
    copy = tmp_path / "copy"
    shutil.copyfile(views.path, copy)
    await project_agents(views, *range(2, 30))
    again = Views(views.log, views.path)
    async with projecting(again):
        await again.caught_up()
        damage(views.path, copy)
        await eventually(lambda: kept(views, "damaged"))
        await write_agents(again, 30)
        assert len(await names(again)) == 30
    assert (await verify(views.log, views.path)).differences == ()


@pytest.mark.parametrize("damage", [garbage, truncated, flipped])
async def test_views_damaged_before_the_start_come_back_by_themselves(
    views: Views, damage: Callable[[Path, Path], None], eventually: Eventually
) -> None:
    await project_agents(views, *range(30))
    damage(views.path, views.path)
    again = Views(views.log, views.path)
    async with projecting(again):
        await eventually(lambda: kept(views, "damaged"))
        assert len(await names(again)) == 30
    assert (await verify(views.log, views.path)).differences == ()


async def test_a_table_that_lacks_a_column_is_damage(views: Views) -> None:
    await project_agents(views, 1)
    async with Database.open(views.path) as database:
        with database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE agents DROP COLUMN prompt_template"))
    with pytest.raises(Damaged, match="agents lacks prompt_template"):
        async with Database.open(views.path):
            pass


async def test_a_removed_message_at_the_end_holds_nothing_up(views: Views) -> None:
    await project_agents(views, 1, 2)
    views.log.remove(2)
    again = Views(views.log, views.path)
    async with projecting(again):
        await again.caught_up()
        assert await again.projector.not_ready() is None
    assert (await verify(views.log, views.path)).seq == 2
    await again.projector.rebuild()
    assert [row["name"] for row in await again.rows_as_they_are(agents)] == ["A1"]


async def test_a_build_that_broke_off_goes_on_where_it_was(views: Views) -> None:
    await write_agents(views, *range(6))
    fresh = views.path.with_name("views.db.next")
    await build(views.log, fresh, views_fold(), Building(4))
    log = CountingLog(views.log)
    await Views(log, views.path).projector.rebuild()
    assert log.asked == [4]
    assert [row["name"] for row in await views.rows_as_they_are(agents)] == [f"A{n}" for n in range(6)]


async def test_a_build_that_fails_leaves_the_old_views_as_they_are(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    await project_agents(views, 1)
    before = views.path.read_bytes()

    async def fail(*_: object, **__: object) -> None:
        raise Damaged("no")

    monkeypatch.setattr(Database, "write", fail)
    with pytest.raises(BuildFailed):
        await views.projector.rebuild()
    assert views.path.read_bytes() == before
    assert not views.path.with_name("views.db.next").exists()


async def test_only_the_newest_damaged_file_is_kept(views: Views, eventually: Eventually) -> None:
    async with projecting(views):
        await write_agents(views, 1)
        await views.caught_up()
        seen: set[Path] = set()
        for _ in range(2):
            await views.announced_again(lambda: spoil_and_wait(views, seen, eventually))
        assert len(kept(views, "damaged")) == 1
        assert len(seen) == 2


async def spoil_and_wait(views: Views, seen: set[Path], eventually: Eventually) -> None:
    garbage(views.path, views.path)
    await eventually(lambda: set(kept(views, "damaged")) - seen)
    seen.update(kept(views, "damaged"))


@pytest.mark.parametrize("spoil", ["version", "log", "file"])
async def test_a_build_of_something_else_is_not_gone_on_with(views: Views, spoil: str) -> None:
    await write_agents(views, *range(3))
    fresh = views.path.with_name("views.db.next")
    await build(views.log, fresh, views_fold(), Building(3))
    log = views.log
    match spoil:
        case "version":
            async with Database.open(fresh) as database:
                with database.engine.begin() as connection:
                    connection.execute(checkpoint.update().values(version=VIEWS_VERSION - 1))
        case "log":
            log = MemoryLog(CODEC)
        case "file":
            garbage(fresh, fresh)
    await discard_if_unusable(log, fresh)
    assert not fresh.exists()


async def test_a_build_says_how_far_it_is(views: Views, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "BUILD_COMMITS", 2)
    await write_agents(views, *range(3))
    progress = Building(3)
    await build(views.log, views.path, views_fold(), progress)
    assert str(progress) == "building the views: 3 of 3"


async def test_every_kind_of_difference_is_counted(views: Views) -> None:
    await project_agents(views, *range(5))
    async with Database.open(views.path) as database:
        with database.engine.begin() as connection:
            connection.execute(text("DELETE FROM agents WHERE id IN ('agent_0', 'agent_4')"))
            connection.execute(text("UPDATE agents SET name = 'other' WHERE id = 'agent_2'"))
            connection.execute(text("UPDATE agents SET id = 'agent_9' WHERE id = 'agent_3'"))
    (difference,) = (await verify(views.log, views.path)).differences
    assert (difference.table, difference.only_in_views, difference.only_in_log) == ("agents", 2, 4)


async def test_readiness_tells_a_log_that_is_away_and_one_that_is_shorter(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with projecting(views):
        await write_agents(views, 1, 2)
        await views.caught_up()
        assert await views.projector.not_ready() is None
        measured = [REGISTRY.get_sample_value(f"projector_{name}") for name in ("position", "log_head")]
        assert measured == [2, 2]

        async def away(*_: str) -> int:
            raise Unavailable("gone")

        with monkeypatch.context() as patched:
            patched.setattr(views.log, "last_seq", away)
            assert await views.projector.not_ready() == "the log does not answer"
        views.log.cut(1)
        assert "regressed at seq 2: it now ends at 1" in (await views.projector.not_ready() or "")


async def test_replicas_of_the_log_that_lag_behind_are_counted_and_stop_nothing(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with projecting(views):
        await views.caught_up()
        state = await views.log.state()
        for behind in (1, 0):
            degraded = replace(state, replicas_behind=behind)
            monkeypatch.setattr(views.log, "state", AsyncMock(return_value=degraded))
            assert await views.projector.not_ready() is None
            assert REGISTRY.get_sample_value("projector_log_replicas_behind") == behind
