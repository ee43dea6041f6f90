"""The default agents of every installation, with one prompt file each."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from contracts.core.event import Json
from contracts.domain.agent import DEFAULT_AGENT, PLANNER_AGENT, TITLE_AGENT

VERSION = "1.0.0"

_DESCRIPTIONS = {
    DEFAULT_AGENT: "Reaches a goal step by step with tools",
    PLANNER_AGENT: "Plans a goal as a DAG of sub-tasks",
    "DecomposerV7": "Plans a goal as a DAG of three to seven sub-tasks",
    TITLE_AGENT: "Names a plan in a few words",
    "inference": "Does one sub-task of a plan by thinking",
    "ParaphrasePro": "Rewrites a text more clearly without changing its meaning",
    "SketchMentor": "Gives friendly feedback on drawings",
    "Checker": "Judges whether a request is clear enough to be planned",
}


@dataclass(frozen=True, slots=True)
class DefaultAgent:
    """A default agent. It uses the provider and model of the settings."""

    name: str
    description: str
    prompt_template: str
    version: str = VERSION

    @property
    def metadata(self) -> dict[str, Json]:
        """The `metadata` of the agent."""
        return {"description": self.description, "createdBy": "system"}


def default_agents() -> list[DefaultAgent]:
    """All default agents, with their prompts."""
    folder = files(__package__)
    return [
        DefaultAgent(name, description, (folder / f"{name}.md").read_text(encoding="utf-8").strip())
        for name, description in _DESCRIPTIONS.items()
    ]
