"""Parsing of schedules in request bodies."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from contracts.api.dags import CreateDag, DagPatch
from contracts.api.fields import Body
from contracts.api.schedules import ScheduleCreate, SchedulePatch
from contracts.core.event import Json
from contracts.core.timezones import InvalidTimezone, parse_timezone
from contracts.domain.schedule.cron import Cron
from contracts.domain.schedule.expression import InvalidCron, require_steps_within
from contracts.domain.schedule.schedule import Schedule
from gateway.http.errors import Refusal

NO_SCHEDULE = Schedule(cron="", active=False)
"""The schedule of a DAG for which the client sent none."""


def schedule_of(body: CreateDag) -> Schedule | None:
    """Return the schedule of a new DAG. With an expression, it is active by default.

    Raises:
        Refusal: the expression or the time zone is invalid.
    """
    wanted = _dag_schedule(body, NO_SCHEDULE.model_copy(update={"active": bool(body.cron_schedule)}))
    return None if wanted == NO_SCHEDULE else wanted


def changed_schedule(patch: DagPatch, current: Schedule | None) -> Schedule | None:
    """Return the schedule of a DAG after `patch`.

    Raises:
        Refusal: the expression or the time zone is invalid.
    """
    wanted = _dag_schedule(patch, current or NO_SCHEDULE)
    return None if current is None and wanted == NO_SCHEDULE else wanted


def goal_schedule(given: ScheduleCreate | SchedulePatch, current: Schedule | None = None) -> Schedule:
    """Return the schedule of a goal: `current` with the given changes.

    Raises:
        Refusal: the expression or the time zone is invalid.
    """
    before = current.model_dump() if current else {}
    wanted = Schedule.model_validate({**before, **_given_fields(given, {**_POLICY, **_OF_GOAL})})
    with _refusing_invalid():
        if current is None or current.cron != wanted.cron:
            require_steps_within(wanted.cron)
        return wanted.model_copy(update={"timezone": Cron.parse(wanted.cron, wanted.timezone).timezone})


def _dag_schedule(body: CreateDag | DagPatch, before: Schedule) -> Schedule:
    """Return `before` with the values that `body` has."""
    wanted = Schedule.model_validate({**before.model_dump(), **_given_fields(body, {**_POLICY, **_OF_DAG})})
    with _refusing_invalid():
        if wanted.cron:
            Cron.parse(wanted.cron)
            if before.cron != wanted.cron:
                require_steps_within(wanted.cron)
        return wanted.model_copy(update={"timezone": parse_timezone(wanted.timezone).key})


_POLICY = {"overlap": "overlap", "catch_up_seconds": "catch_up_s", "jitter_seconds": "jitter_s"}
_OF_GOAL = {"cron_expr": "cron", "timezone": "timezone", "paused": "paused"}
_OF_DAG = {"cron_schedule": "cron", "timezone": "timezone", "schedule_active": "active"}
"""Names of the fields of a schedule, by their names in a body."""


def _given_fields(body: Body, names: Mapping[str, str]) -> dict[str, Json]:
    """Return the fields that the client sent, by their names in a schedule."""
    given = body.model_dump(include=set(names), exclude_unset=True)
    return {names[name]: value for name, value in given.items()}


@contextmanager
def _refusing_invalid() -> Generator[None]:
    """Turn errors of a schedule into a Refusal."""
    try:
        yield
    except InvalidCron as error:
        raise Refusal(400, "Invalid cron expression", details=str(error)) from error
    except InvalidTimezone as error:
        raise Refusal(400, "Invalid timezone", details=str(error)) from error
