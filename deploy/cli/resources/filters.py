"""The options of commands that list executions, runs, goals or DAGs."""

from __future__ import annotations

from typing import TypedDict

from deploy.cli.options import Agent, Limit, MinCost, Offset, Since, Status, Tool, Until, Words


class ListOptions(TypedDict, total=False):
    """One option for each filter of `contracts.client.filters`, but for the cursor."""

    status: Status
    agent: Agent
    text: Words
    since: Since
    until: Until
    tool: Tool
    min_cost_usd: MinCost
    limit: Limit
    offset: Offset
