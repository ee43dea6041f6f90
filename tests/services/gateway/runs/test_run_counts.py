"""Numbers of executions and runs by status and time, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

from contracts.api.run_counts import RunCounts
from contracts.domain import run
from contracts.domain.run import RUN
from tests.jobs import task
from tests.services.gateway.executions.executions import requested
from tests.services.gateway.runs.runs import completed, pursue, wanted

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def counted(api: Api, query: str) -> RunCounts:
    answer = await api.get(f"/api/v1/runs/summary?{query}")
    assert answer.status == 200, answer.body
    return RunCounts.model_validate(answer.json)


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"


async def test_runs_are_counted_by_status_and_period(api: Api) -> None:
    await completed(api, "run_1")
    await pursue(api, "run_2", (run.Cancelled(reason="no"),))
    await api.write(RUN, "e1", requested(task("001")))

    for by in ("hour", "day"):
        answer = await api.get(f"/api/v1/runs/summary?groupBy={by}&from=1d")

        assert answer.status == 200
        counts = RunCounts.model_validate(answer.json)
        assert (counts.runs.completed, counts.runs.failed, counts.runs.total) == (1, 1, 2)
        assert (counts.executions.pending, counts.executions.total) == (1, 1)
        assert sum(one.runs.total for one in counts.summary) == 2
        first = datetime.fromtimestamp(counts.summary[0].date / 1000, UTC)
        assert (first.minute, first.second) == (0, 0)
    later = (datetime.now(UTC) + timedelta(days=1)).date()
    assert (await api.get(f"/api/v1/runs/summary?from={later}")).json["summary"] == []
    assert (await api.get("/api/v1/runs/summary?groupBy=week")).status == 400
    assert (await api.get("/api/v1/runs/summary?from=yesterday")).status == 400


async def test_runs_are_counted_exactly_from_any_millisecond_to_any_other(api: Api) -> None:
    minutes = (-0.5, 0, 29, 60 - 1 / 60_000, 60, 119, 120, 150)
    for number, minute in enumerate(minutes):
        await api.write(RUN, f"run_{number}", wanted(), at=after(minute))

    for start, end in combinations_with_replacement(minutes, 2):
        counts = await counted(api, f"from={iso(after(start))}&to={iso(after(end))}&groupBy=hour")
        hours = {
            after(minute).replace(minute=0, second=0, microsecond=0)
            for minute in minutes
            if start <= minute <= end
        }
        assert counts.runs.total == sum(start <= minute <= end for minute in minutes), (start, end)
        assert [one.date for one in counts.summary] == [hour.timestamp() * 1000 for hour in sorted(hours)]


async def test_a_run_counts_by_its_newest_status_until_it_is_deleted(api: Api) -> None:
    await api.write(RUN, "e1", requested(task("001")), at=after(70))
    whole_hours = f"from={iso(after(0))}&to={iso(after(180))}"

    assert (await counted(api, whole_hours)).executions.model_dump(exclude_defaults=True) == {
        "pending": 1,
        "total": 1,
    }
    await api.write(RUN, "e1", run.Cancelled(reason="no"))
    assert (await counted(api, whole_hours)).executions.model_dump(exclude_defaults=True) == {
        "failed": 1,
        "total": 1,
    }
    await api.write(RUN, "e1", run.Deleted())
    assert (await counted(api, whole_hours)).summary == []
