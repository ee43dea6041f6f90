"""The shared budget over HTTP: who sees what, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import FormData
from prometheus_client import REGISTRY

from contracts.core.scopes import Scope
from contracts.domain import agent, key
from contracts.domain.agent import AGENT
from contracts.domain.key import KEY
from contracts.domain.shared_budget import BUDGET, PeriodBudget, Reserved, Settled, month_of
from contracts.llm import LlmSettings
from deploy.scripted_llm import ScriptedLlm, parse_rules
from gateway.state.budget_gauges import BudgetGauges
from tests.services.gateway.access.conftest import Guarded

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

BUDGET_PATH = "/api/v1/budget"
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
TODAY = NOON.date()
ANSWERS = '[[rule]]\nanswer.text = "Done."\nanswer.cost = 0.02'


async def spend(api: Api, usd: str, name: str | None = None, *, reserved: str = "0") -> None:
    """One call that has cost so much, and one that is not settled."""
    api.gateway.clock = lambda: NOON
    api.gateway.shared.clock = lambda: NOON
    by = {"by": "run_1/1", "key": name, "day": TODAY}
    first = Reserved(call=f"a{usd}{name}", usd=usd, at=NOON, **by)
    settled = Settled(call=first.call, usd=usd, **by)
    await api.write(
        BUDGET, month_of(NOON), first, settled, Reserved(call=f"b{usd}{name}", usd=reserved, at=NOON, **by)
    )


async def limited(guarded: Guarded, name: str, *scopes: Scope, **budget: str) -> dict[str, str]:
    """The header of a key with a budget."""
    header = await guarded.key(name, *scopes)
    await guarded.api.write(KEY, key.key_id(name), key.BudgetSet(budget=PeriodBudget(**budget)))
    await guarded.api.gateway.keys_current()
    return header


def use(spent: str, allowed: str | None = None, left: str | None = None, **more: Any) -> dict[str, Any]:
    usual = {"reserved": "0", "warned": False}
    return {"allowed": allowed, "spent": spent, "left": left, **usual, **more}


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_budget_of_the_system_says_what_is_allowed_spent_reserved_and_left(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(budget_usd_per_day="5")
    await spend(api, "4", reserved="0.5")
    answer = await api.get(BUDGET_PATH)
    assert answer.json == {
        "system": {
            "name": None,
            "day": use("4", "5", "0.5", reserved="0.5", warned=True, endsAt="2026-11-30T00:00:00.000Z"),
            "month": use("4", reserved="0.5", endsAt="2026-12-01T00:00:00.000Z"),
        },
        "key": None,
        "keys": [],
    }


async def test_a_key_sees_its_own_budget_and_only_an_administrator_those_of_all_keys(
    guarded: Guarded,
) -> None:
    ci = await limited(guarded, "ci", Scope.READ, usd_per_day="2")
    root = await guarded.key("root", Scope.ADMIN)
    await spend(guarded.api, "1", "ci")
    await spend(guarded.api, "3", "other")
    seen = (await guarded.api.get(BUDGET_PATH, headers=ci)).json
    assert "keys" not in seen
    assert (seen["key"]["name"], seen["key"]["day"]["spent"], seen["key"]["day"]["left"]) == ("ci", "1", "1")
    assert seen["system"]["day"]["spent"] == "4"
    of_root = (await guarded.api.get(BUDGET_PATH, headers=root)).json
    assert [(one["name"], one["month"]["spent"]) for one in of_root["keys"]] == [("ci", "1"), ("other", "3")]
    assert of_root["key"]["day"] == use("0", endsAt="2026-11-30T00:00:00.000Z")


async def test_a_month_in_which_nothing_was_spent_is_empty(api: Api) -> None:
    answer = await api.get(BUDGET_PATH)
    assert answer.json["system"]["month"]["spent"] == "0"


async def test_the_metrics_have_every_limit_with_what_is_spent_and_left(guarded: Guarded) -> None:
    await limited(guarded, "ci", Scope.READ, usd_per_day="2")
    await spend(guarded.api, "0.5", "ci", reserved="0.25")
    gateway = guarded.api.gateway
    gauges = BudgetGauges(gateway.shared, PeriodBudget(usd_per_month="10"), gateway.keys, lambda: NOON)
    await gauges.update()
    assert gauge("left", "key:ci", "day") == 1.25
    assert gauge("allowed", "system", "month") == 10
    assert gauge("spent", "system", "month") == 0.75
    assert gauge("left", "system", "day") is None


def gauge(what: str, holder: str, period: str) -> float | None:
    return REGISTRY.get_sample_value(f"budget_{what}_usd", {"holder": holder, "period": period})


# ── single tasks ────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def model() -> AsyncGenerator[ScriptedLlm]:
    async with ScriptedLlm(parse_rules(ANSWERS)) as server:
        yield server


async def asking(start_gateway: StartGateway, model: ScriptedLlm, **settings: Any) -> Api:
    """A gateway with an agent for tasks. A call may cost about 0.1 dollars."""
    llm = LlmSettings(
        _env_file=None, llm_provider="openai", llm_model="gpt-4o", openai_base_url=model.base_url
    )
    api = await start_gateway(llm=llm, **settings)
    await api.write(AGENT, "a1", agent.Created(name="Poet", version_name="1", prompt_template="Rhyme."))
    await api.write(AGENT, "a1", agent.Activated(name="Poet"))
    return api


async def ask(api: Api, **options: Any) -> Any:
    return await api.call("POST", "/api/v1/task", data=form(), **options)


def form() -> FormData:
    data = FormData(default_to_multipart=True)
    data.add_field("taskName", "Poet")
    data.add_field("prompt", "Rhyme.")
    return data


async def test_a_task_that_could_exceed_the_budget_is_refused_until_the_day_ends(
    start_gateway: StartGateway, model: ScriptedLlm
) -> None:
    api = await asking(start_gateway, model, budget_usd_per_day="0.15")
    await spend(api, "0.1")
    answer = await ask(api)
    assert answer.status == 402
    assert answer.json["error"].startswith("budget of the system: 0.1 of 0.15 US dollars per day are spent")
    assert answer.json["error"].endswith("then send the task again")
    assert answer.json["details"]["budget"] == "system/day"
    assert answer.headers["retry-after"] == str(12 * 3600)
    assert not model.requests


async def test_a_task_is_paid_by_its_key(start_gateway: StartGateway, model: ScriptedLlm) -> None:
    guarded = Guarded(await asking(start_gateway, model, auth="keys"))
    ci = await limited(guarded, "ci", Scope.RUN, usd_per_month="0.11")
    assert (await ask(guarded.api, headers=ci)).status == 200
    refused = await ask(guarded.api, headers=ci)
    assert (refused.status, refused.json["details"]["budget"]) == (402, "key:ci/month")
    assert (await ask(guarded.api, headers=await guarded.key("rich", Scope.RUN))).status == 200
    seen = (await guarded.api.get(BUDGET_PATH, headers=ci)).json
    assert seen["key"]["month"]["spent"] == "0.02"


# ── budgets of keys ─────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_is_made_with_a_budget_that_can_be_changed_and_removed(guarded: Guarded) -> None:
    root = await guarded.key("root", Scope.ADMIN)
    body = {"name": "ci", "scopes": ["run"], "budgetUsdPerDay": 5}
    made = await guarded.api.post("/api/v1/keys", body, headers=root)
    assert (made.json["budgetUsdPerDay"], made.json["budgetUsdPerMonth"]) == ("5", None)
    path = f"/api/v1/keys/{made.json['id']}"
    changed = await guarded.api.patch(path, {"budgetUsdPerMonth": "100.50"}, headers=root)
    assert (changed.json["budgetUsdPerDay"], changed.json["budgetUsdPerMonth"]) == ("5", "100.5")
    removed = await guarded.api.patch(path, {"budgetUsdPerDay": None}, headers=root)
    assert (removed.json["budgetUsdPerDay"], removed.json["budgetUsdPerMonth"]) == (None, "100.5")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "give at least one limit"),
        ({"budgetUsdPerDay": -1}, "from 0 to"),
        ({"budgetUsdPerDay": "much"}, "not an amount of money"),
        ({"budgetUsdPerWeek": 1}, "budgetUsdPer"),
    ],
)
async def test_a_wrong_budget_of_a_key_is_refused(guarded: Guarded, body: dict[str, Any], told: str) -> None:
    root = await guarded.key("root", Scope.ADMIN)
    answer = await guarded.api.patch(f"/api/v1/keys/{key.key_id('root')}", body, headers=root)
    assert answer.status == 400
    assert told in answer.body.decode()


async def test_a_revoked_key_gets_no_budget(guarded: Guarded) -> None:
    await guarded.revoked("old")
    root = await guarded.key("root", Scope.ADMIN)
    answer = await guarded.api.patch(
        f"/api/v1/keys/{key.key_id('old')}", {"budgetUsdPerDay": 1}, headers=root
    )
    assert answer.status == 409
