"""A system that asks for keys, as whoever runs it meets it: from the first key to the audit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from deploy.local.system import Options, local_system, private

if TYPE_CHECKING:
    from tests.system.conftest import RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

OBJECTIVE = "Look after the old windmill"


@pytest.mark.usefixtures("forked_services")
async def test_a_team_works_with_keys_from_the_first_one_to_the_audit(
    command: RunCli, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    options = Options(data, env={"AUTH": "keys", **private(data)})
    async with local_system(options, lambda *_: None) as system:
        at = ("--url", system.url)
        stranger = await command("goals", "list", *at)
        assert (stranger.status, "ASYNC_AGENT_KEY" in stranger.errors) == (1, True)

        first = await command("keys", "create", "root", "--scope", "admin", "--data", data)
        assert first.status == 0, first.errors
        assert "not shown again" in first.errors
        root = ("--key", first.output.strip(), *at)

        made = await command("keys", "create", "ci", "--scope", "run", "--days", 1, "--json", *root)
        ci = ("--key", json.loads(made.output)["key"], *at)
        goal = await command("goals", "create", OBJECTIVE, "--json", *ci)
        assert goal.status == 0, goal.errors
        refused = await command("keys", "list", *ci)
        assert (refused.status, "needs the scope admin" in refused.errors) == (1, True)

        budget = ("--usd-per-day", "2.50", "--usd-per-month", "none")
        limited = await command("keys", "budget", "ci", *budget, "--json", *root)
        assert json.loads(limited.output)["budgetUsdPerDay"] == "2.5", limited.errors
        shown = await command("budget", "show", *ci)
        assert "2.5" in shown.output, shown.errors

        again = await command("keys", "create", "ci", "--scope", "admin", "--data", data)
        assert (again.status, "rotate" in again.errors) == (2, True)
        rotated = await command("keys", "rotate", "ci", *root)
        assert (await command("goals", "list", *ci)).status == 1
        renewed = ("--key", rotated.output.strip(), *at)
        assert (await command("goals", "list", *renewed)).status == 0
        assert (await command("keys", "revoke", "ci", *root)).status == 0
        assert "ci is revoked" in (await command("goals", "list", *renewed)).errors

        audit = (await command("audit", *root)).output.splitlines()
        told = [tuple(line.split()[3:5]) for line in audit]
        assert told == [
            ("service:operator", "key.created"),
            ("key:root", "key.created"),
            ("key:ci", "goal.created"),
            ("key:root", "key.budget_set"),
            ("key:root", "key.rotated"),
            ("key:root", "key.revoked"),
        ]
        of_ci = await command("audit", "--actor", "key:ci", "--json", *root)
        (event,) = map(json.loads, of_ci.output.splitlines())
        assert event["subject"] == json.loads(goal.output)["id"]
