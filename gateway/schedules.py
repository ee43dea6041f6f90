"""Schedules as clients give them."""

from __future__ import annotations

from contracts.api.dags import CreateDag, DagPatch
from contracts.cron import Cron, InvalidCron, InvalidTimezone, parse_timezone
from contracts.scheduling import Schedule
from gateway.errors import Refusal


def schedule_of(body: CreateDag) -> Schedule | None:
    """The schedule a new DAG is to have.

    Raises:
        Refusal: the expression or the time zone is none.
    """
    checked = _checked(body.cron_schedule, body.timezone)
    if checked is None:
        return None
    return Schedule(cron=checked, timezone=body.timezone, active=body.schedule_active is not False)


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
    return Schedule(cron=cron, timezone=timezone, active=active)


def _checked(cron: str | None, timezone: str) -> str | None:
    """`cron`, known to be good; None for none."""
    try:
        if cron:
            Cron.parse(cron)
        parse_timezone(timezone)
    except InvalidCron as error:
        raise Refusal(400, "Invalid cron expression", details=str(error)) from error
    except InvalidTimezone as error:
        raise Refusal(400, "Invalid timezone", details=str(error)) from error
    return cron or None
