"""The views as the gateway reads them: whatever becomes of the file, no answer is wrong for long."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from contracts.domain import agent
from contracts.domain.agent import AGENT
from contracts.runtime.continuity import Mark
from contracts.runtime.stream import transact
from contracts.views import NEXT, VIEWS_VERSION, agents, checkpoint, metadata
from gateway import gateway as gateway_module
from gateway.views.reader import ViewsUnavailable
from projector.building import Building, build
from projector.database import Database, remove
from projector.projector import views_fold
from tests.services.conftest import ORIGIN
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.conftest import Api, StartGateway

AGENTS = "/api/v1/agents"
AN_AGENT = {"name": "A", "version": "1", "promptTemplate": "x"}


def created(name: str) -> agent.Created:
    return agent.Created(name=name, version_name="1", prompt_template="x")


async def names(api: Api) -> list[str] | None:
    """Names of all agents, None while there are no views."""
    answer = await api.get(AGENTS)
    return [row["name"] for row in answer.json] if answer.status == 200 else None


async def test_without_views_reading_is_503_and_says_why(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False)
    answer = await api.get(AGENTS)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.json == {"error": "the views are being rebuilt; try again in a moment"}


async def test_views_that_are_made_later_are_found(api: Api, start_gateway: StartGateway) -> None:
    other = await start_gateway(
        projector=False, log=api.log, data_dir=api.gateway.settings.data_dir / "other"
    )
    assert await names(other) is None
    async with Database.open(other.gateway.settings.views_file):
        assert await names(other) == []


async def test_views_deleted_while_running_come_back_the_same(api: Api, eventually: Eventually) -> None:
    await api.write(AGENT, "agent_1", created("A"))
    assert await names(api) == ["A"]
    remove(api.gateway.settings.views_file)
    assert await names(api) != []
    assert await eventually(lambda: names(api)) == ["A"]
    await api.write(AGENT, "agent_2", created("B"))
    assert await names(api) == ["B", "A"]


async def test_a_file_put_in_place_of_the_old_one_is_what_is_read(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False)
    path = api.gateway.settings.views_file
    row = {"version": "1", "prompt_template": "x", "active": False, "created_at": 0, "updated_at": 0}
    for name in ("A", "B"):
        fresh = path.with_name("fresh.db")
        async with Database.open(fresh) as database:
            with database.engine.begin() as connection:
                connection.execute(agents.insert().values(id=name, name=name, **row))
            await database.fold_log_into_file()
        remove(path)
        fresh.rename(path)
        assert await names(api) == [name]


async def test_tables_of_another_version_are_views_being_rebuilt(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False)
    async with Database.open(api.gateway.settings.views_file) as database:
        metadata.drop_all(database.engine, [agents])
    answer = await api.get(AGENTS)
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")


async def test_a_snapshot_sees_one_moment(api: Api) -> None:
    views = api.gateway.views
    async with views.snapshot() as reader:
        before = await reader.value(select(checkpoint.c.seq))
        await api.write(AGENT, "agent_1", created("A"))
        assert await reader.all(select(agents)) == []
        assert await reader.value(select(checkpoint.c.seq)) == before
    row = await views.first(select(agents))
    assert row is not None
    assert row["name"] == "A"
    assert await views.position() == before + 1


async def test_a_snapshot_that_is_cut_short_leaves_its_connection_fit(api: Api) -> None:
    """More of them than there are connections."""
    views = api.gateway.views
    entered = asyncio.Event()

    async def hold() -> None:
        async with views.snapshot() as reader:
            await reader.value(select(checkpoint.c.version))
            entered.set()
            await asyncio.Event().wait()

    for _ in range(12):
        entered.clear()
        task = asyncio.create_task(hold())
        await entered.wait()
        task.cancel()
        await asyncio.wait([task])
    assert await views.value(select(checkpoint.c.version)) == VIEWS_VERSION
    await api.write(AGENT, "agent_1", created("A"))
    assert await names(api) == ["A"]


async def test_the_gateway_cannot_write_views(api: Api) -> None:
    with pytest.raises(ViewsUnavailable) as refused:
        await api.gateway.views.value(checkpoint.update().values(seq=99).returning(checkpoint.c.seq))
    assert "readonly" in str(refused.value.__cause__)


async def test_waiting_for_a_position_that_never_comes_ends(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False)
    assert not await api.gateway.projected(1, timeout=0.01)
    api.gateway.progress.announce(1)
    assert not await api.gateway.projected(1, timeout=0.01)


async def test_an_announcement_that_got_lost_costs_a_moment_only(
    api: Api, start_gateway: StartGateway
) -> None:
    """The other gateway reads the same views and hears nobody."""
    deaf = await start_gateway(projector=False, log=api.log)
    seq = await api.write(AGENT, "agent_1", created("A"))
    assert await deaf.gateway.projected(seq, timeout=WAIT_S)


async def test_a_row_that_the_views_do_not_include_yet_is_503_and_not_404(
    start_gateway: StartGateway,
) -> None:
    """The log has it; only views at the head of the log can say that something does not exist."""
    api = await start_gateway(projector=False, views_wait_s=0)
    async with Database.open(api.gateway.settings.views_file):
        assert (await api.get(f"{AGENTS}/agent_1")).status == 404
        made = await api.post(AGENTS, AN_AGENT)
        answer = await api.get(f"{AGENTS}/{made.json['id']}")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert "do not include the whole log yet" in answer.json["error"]


async def test_a_read_finds_rows_that_the_views_receive_while_it_waits(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await start_gateway(projector=False)
    last_seq = api.log.last_seq

    async def when_it_is_in_the_views() -> int:
        monkeypatch.setattr(api.log, "last_seq", last_seq)
        newest = await last_seq()
        await build(api.log, api.gateway.settings.views_file, views_fold(), Building(newest))
        return newest

    async with Database.open(api.gateway.settings.views_file):
        await transact(api.log, AGENT, "agent_1", lambda _: [created("A")], ORIGIN)
        monkeypatch.setattr(api.log, "last_seq", when_it_is_in_the_views)
        answer = await api.get(f"{AGENTS}/agent_1")
    assert (answer.status, answer.json["name"]) == (200, "A")


async def test_views_of_a_replaced_log_answer_503_and_not_404(
    start_gateway: StartGateway,
) -> None:
    """They are ahead of the new log, so their position alone tells nothing."""
    api = await start_gateway(projector=False)
    views = api.gateway.settings.views_file
    async with Database.open(views):
        assert (await api.get("/health/ready")).json["problems"].keys() >= {"executor"}
        with closing(sqlite3.connect(views)) as other, other:
            other.execute("UPDATE checkpoint SET seq = 99, log_created = 'once'")
        missing = await api.get(f"{AGENTS}/agent_1")
        readiness = await api.get("/health/ready")
    assert missing.status == 503
    assert "earlier log" in readiness.json["error"]


async def test_a_read_that_finds_nothing_does_not_wait_long_for_a_log_that_is_away(
    start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = await start_gateway(projector=False)

    async def never(*_: str) -> int:
        await asyncio.Event().wait()
        return 0

    monkeypatch.setattr(api.log, "last_seq", never)
    monkeypatch.setattr(gateway_module, "ANSWER_S", 0.01)
    async with Database.open(api.gateway.settings.views_file):
        answer = await api.get(f"{AGENTS}/agent_1")
    assert answer.status == 503
    assert "the log did not answer" in answer.json["error"]


async def test_a_reader_that_meets_damage_makes_the_projector_look(api: Api, eventually: Eventually) -> None:
    await api.write(AGENT, "agent_1", created("A"))
    path = api.gateway.settings.views_file
    assert await names(api) == ["A"]
    async with Database.open(path) as database:
        await database.fold_log_into_file()
    stamp = path.stat()
    with path.open("r+b") as file:
        for offset in range(4096, stamp.st_size, 4096):
            file.seek(offset)
            file.write(b"\xff" * 64)
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    await eventually(lambda: list(path.parent.glob(f"{path.name}.damaged-*")))
    assert await eventually(lambda: names(api)) == ["A"]


async def test_views_that_are_being_built_say_how_far_they_are(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, views_wait_s=0)
    path = api.gateway.settings.views_file
    await api.post(AGENTS, AN_AGENT)
    async with Database.open(path.with_name(path.name + NEXT)) as database:
        await database.write([], Mark(seq=7), after=0)
        assert api.gateway.views.building() == 7
        answer = await api.get("/health/ready")
    assert answer.json["database"] == "building the views: 7 of 1"
