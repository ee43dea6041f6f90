"""Schedules as clients give them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from contracts.api.dags import CreateDag, DagPatch
from contracts.api.fields import Body
from contracts.api.schedules import ScheduleCreate, SchedulePatch
from contracts.cron import Cron, InvalidCron, InvalidTimezone, parse_timezone
from contracts.event import Json
from contracts.scheduling import Schedule
from gateway.http.errors import Refusal


def schedule_of(body: CreateDag) -> Schedule | None:
    """The schedule a new DAG is to have.

    Raises:
        Refusal: the expression or the time zone is none.
    """
    checked = _checked(body.cron_schedule, body.timezone)
    if checked is None:
        return None
    active = body.schedule_active is not False
    return Schedule(cron=checked, timezone=body.timezone, active=active, **_given(body, _POLICY))


def changed_schedule(patch: DagPatch, current: Schedule | None) -> Schedule | None:
    """The schedule a DAG is to have after `patch`.

    Raises:
        Refusal: the expression or the time zone is none, or there is nothing to activate.
    """
    before = current or Schedule(cron="")
    timezone = before.timezone if patch.timezone is None else patch.timezone
    given = before.cron if patch.cron_schedule is None else patch.cron_schedule
    cron = _checked(given, timezone)
    if cron is None:
        if patch.schedule_active and patch.cron_schedule is None:
            raise Refusal(400, "There is no schedule to activate: send cronSchedule too")
        return None
    active = before.active if patch.schedule_active is None else patch.schedule_active
    changes = {"cron": cron, "timezone": timezone, "active": active, **_given(patch, _POLICY)}
    return Schedule.model_validate({**before.model_dump(), **changes})


def goal_schedule(given: ScheduleCreate | SchedulePatch, current: Schedule | None = None) -> Schedule:
    """The schedule that a goal is to have: `current` with what is given.

    Raises:
        Refusal: the expression or the time zone is none.
    """
    before = current.model_dump() if current else {}
    wanted = Schedule.model_validate({**before, **_given(given, {**_POLICY, **_OF_GOAL})})
    with _telling():
        Cron.parse(wanted.cron, wanted.timezone)
    return wanted


_POLICY = {"overlap": "overlap", "catch_up_seconds": "catch_up_s", "jitter_seconds": "jitter_s"}
_OF_GOAL = {"cron_expr": "cron", "timezone": "timezone", "paused": "paused"}
"""What schedules call the fields of a body."""


def _given(body: Body, names: Mapping[str, str]) -> dict[str, Json]:
    """Those of the named fields that the client gave, by the names that schedules have for them."""
    given = body.model_dump(include=set(names), exclude_unset=True)
    return {names[name]: value for name, value in given.items()}


def _checked(cron: str | None, timezone: str) -> str | None:
    """`cron`, known to be good; None for none."""
    with _telling():
        if cron:
            Cron.parse(cron)
        parse_timezone(timezone)
    return cron or None


@contextmanager
def _telling() -> Generator[None]:
    """Tell the client what is wrong with a schedule."""
    try:
        yield
    except InvalidCron as error:
        raise Refusal(400, "Invalid cron expression", details=str(error)) from error
    except InvalidTimezone as error:
        raise Refusal(400, "Invalid timezone", details=str(error)) from error
