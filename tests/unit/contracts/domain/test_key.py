"""Keys: what a key's text must be, how long it is valid, and what may be decided about it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.core.scopes import Scope, granted
from contracts.core.unread import Unread
from contracts.domain import key
from contracts.domain.key import KEY, InvalidKey, State
from contracts.domain.keys import Keys
from contracts.domain.shared_budget import PeriodBudget

NOW = datetime(2026, 11, 23, 16, tzinfo=UTC)
HOUR = timedelta(hours=1)
ID = key.key_id("ci")
OLD, NEW = "a" * 64, "b" * 64
CREATED = key.Created(name="ci", scopes=(Scope.RUN,), secret_sha256=key.hashed(OLD))


def keys_of(*events: Event) -> Keys:
    """All keys after these events of one key."""
    keys = Keys()
    keys.fold([Recorded(1, commit_of(events))])
    return keys


def commit_of(events: Sequence[Event]) -> Commit:
    return Commit(
        id="c",
        aggregate="key",
        aggregate_id=ID,
        state="active",
        version=1,
        time=NOW,
        source="/test/1",
        events=tuple(events),
        correlation_id="c",
    )


def rotated(until: datetime | None = None) -> key.Rotated:
    return key.Rotated(secret_sha256=key.hashed(NEW), previous_until=until)


def test_the_text_of_a_key_leads_to_its_id_and_the_hash_of_its_secret() -> None:
    assert key.parts_of(key.text_of(ID, OLD)) == (ID, key.hashed(OLD))


@pytest.mark.parametrize(
    "text",
    ["", "aa_", OLD, f"aa_{OLD}", key.text_of(ID, OLD)[:-1], key.text_of(ID, OLD) + "a", f" aa_{ID}_{OLD}"],
)
def test_another_text_is_refused_with_the_form_of_a_key(text: str) -> None:
    with pytest.raises(InvalidKey, match="aa_<id>_<secret>"):
        key.parts_of(text)


def test_the_events_of_a_key_have_no_secret() -> None:
    assert OLD not in CREATED.model_dump_json()
    assert key.text_of(ID, OLD) not in CREATED.model_dump_json()


def test_a_key_is_valid_with_its_own_secret_only() -> None:
    keys = keys_of(CREATED)
    assert keys.holding(ID, key.hashed(OLD), NOW).state.name == "ci"
    with pytest.raises(InvalidKey, match="unknown"):
        keys.holding(ID, key.hashed(NEW), NOW)
    with pytest.raises(InvalidKey, match="unknown"):
        keys.holding(key.key_id("other"), key.hashed(OLD), NOW)


def test_a_rotated_key_is_valid_with_its_new_secret_only() -> None:
    keys = keys_of(CREATED, rotated())
    assert keys.holding(ID, key.hashed(NEW), NOW).id == ID
    with pytest.raises(InvalidKey, match="unknown"):
        keys.holding(ID, key.hashed(OLD), NOW)


def test_the_previous_secret_is_valid_until_the_overlap_ends() -> None:
    keys = keys_of(CREATED, rotated(until=NOW + HOUR))
    assert keys.holding(ID, key.hashed(OLD), NOW).id == ID
    with pytest.raises(InvalidKey, match="unknown"):
        keys.holding(ID, key.hashed(OLD), NOW + HOUR)
    assert keys.holding(ID, key.hashed(NEW), NOW + HOUR).id == ID


def test_a_key_is_valid_until_it_expires() -> None:
    keys = keys_of(CREATED.model_copy(update={"expires_at": NOW + HOUR}))
    assert keys.holding(ID, key.hashed(OLD), NOW).id == ID
    with pytest.raises(InvalidKey, match="ci has expired"):
        keys.holding(ID, key.hashed(OLD), NOW + HOUR)


def test_a_revoked_key_is_not_valid_with_any_secret() -> None:
    keys = keys_of(CREATED, rotated(until=NOW + HOUR), key.Revoked())
    with pytest.raises(InvalidKey, match="ci is revoked"):
        keys.holding(ID, key.hashed(NEW), NOW)
    with pytest.raises(InvalidKey, match="unknown"):
        keys.holding(ID, key.hashed(OLD), NOW)


def test_a_key_with_an_event_of_a_newer_version_is_not_valid() -> None:
    """The event may have revoked it."""
    newer = Unread(type="key.limited", dataschema="/schemas/key.limited/1", data={}, reason="new", newer=True)
    with pytest.raises(InvalidKey, match="unknown"):
        keys_of(CREATED, newer).holding(ID, key.hashed(OLD), NOW)


def test_a_key_keeps_its_budget_when_an_event_of_it_cannot_be_read() -> None:
    newer = Unread(type="key.limited", dataschema="/schemas/key.limited/1", data={}, reason="new", newer=True)
    budget = PeriodBudget(usd_per_day="1")
    keys = keys_of(CREATED, key.BudgetSet(budget=budget), newer)
    assert keys.budget("ci") == budget


def test_a_key_may_start_work_while_it_is_valid() -> None:
    assert keys_of(CREATED).refusal("ci", NOW) is None
    assert keys_of(CREATED, key.Revoked()).refusal("ci", NOW) == "the key ci is revoked"
    short = CREATED.model_copy(update={"expires_at": NOW})
    assert keys_of(short).refusal("ci", NOW) == "the key ci has expired"
    assert keys_of(CREATED).refusal("other", NOW) == "the key other is unknown"


def test_a_name_has_one_key_until_that_is_revoked() -> None:
    state = KEY.fold([CREATED])
    with pytest.raises(key.KeyExists):
        key.create(state, CREATED, NOW)
    again = key.create(KEY.fold([CREATED, key.Revoked()]), CREATED, NOW)
    assert KEY.fold(again, KEY.fold([CREATED, key.Revoked()])) == state


def test_a_key_that_would_have_expired_is_refused() -> None:
    past = {"expires_at": NOW}
    with pytest.raises(key.ExpiresInPast, match="expiresAt"):
        key.create(State(), CREATED.model_copy(update=past), NOW)
    with pytest.raises(key.ExpiresInPast):
        key.rotate(KEY.fold([CREATED.model_copy(update=past)]), rotated(), NOW)


def test_a_rotated_key_expires_when_it_did_before() -> None:
    state = KEY.fold([CREATED.model_copy(update={"expires_at": NOW + HOUR})])
    (event,) = key.rotate(state, rotated(), NOW)
    assert KEY.fold([event], state).expires_at == NOW + HOUR


def test_only_a_key_that_exists_is_rotated_or_revoked() -> None:
    with pytest.raises(key.UnknownKey):
        key.rotate(State(), rotated(), NOW)
    with pytest.raises(key.UnknownKey):
        key.revoke(State())
    with pytest.raises(key.KeyRevoked):
        key.rotate(KEY.fold([CREATED, key.Revoked()]), rotated(), NOW)


def test_revoking_a_revoked_key_changes_nothing() -> None:
    assert key.revoke(KEY.fold([CREATED, key.Revoked()])) == []


@pytest.mark.parametrize(
    ("scope", "included"),
    [
        (Scope.READ, {Scope.READ}),
        (Scope.RUN, {Scope.READ, Scope.RUN}),
        (Scope.APPROVE, {Scope.READ, Scope.APPROVE}),
        (Scope.ADMIN, set(Scope)),
    ],
)
def test_scopes_include_what_they_need(scope: Scope, included: set[Scope]) -> None:
    assert granted((scope,)) == included


# ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_key_is_created_with_a_budget_and_its_limits_are_changed_one_by_one() -> None:
    events = key.create(State(), CREATED, NOW, PeriodBudget(usd_per_day="5"))
    state = KEY.fold(events)
    assert state.budget == PeriodBudget(usd_per_day="5")
    state = KEY.fold(key.set_budget(state, {"usd_per_month": 100}), state)
    assert state.budget == PeriodBudget(usd_per_day="5", usd_per_month="100")
    assert key.set_budget(state, {"usd_per_month": "100"}) == []
    assert KEY.fold(key.set_budget(state, {"usd_per_day": None}), state).budget.usd_per_day is None


def test_a_key_without_a_budget_is_created_as_ever() -> None:
    assert key.create(State(), CREATED, NOW) == [CREATED]


def test_a_key_that_is_created_again_has_no_budget_of_before() -> None:
    history = [CREATED, key.BudgetSet(budget=PeriodBudget(usd_per_day="5")), key.Revoked(), CREATED]
    assert KEY.fold(history).budget == PeriodBudget()


@pytest.mark.parametrize(
    ("history", "error"), [([], key.UnknownKey), ([CREATED, key.Revoked()], key.KeyRevoked)]
)
def test_only_a_key_that_is_in_use_has_a_budget(history: list[Event], error: type[Exception]) -> None:
    with pytest.raises(error):
        key.set_budget(KEY.fold(history), {"usd_per_day": 1})


def test_the_budget_of_a_key_is_found_by_its_name() -> None:
    keys = keys_of(CREATED, key.BudgetSet(budget=PeriodBudget(usd_per_day="5")))
    assert keys.budget("ci") == PeriodBudget(usd_per_day="5")
    assert keys.budget("other") == PeriodBudget()
