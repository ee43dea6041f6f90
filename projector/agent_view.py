"""Folds events of agents."""

from __future__ import annotations

from sqlalchemy import delete, update

from contracts.domain import agent
from contracts.views import agents
from projector.changes import Changes
from projector.fold import EventMeta, Fold

fold = Fold()


@fold.on(agent.Created)
def created(changes: Changes, meta: EventMeta, event: agent.Created) -> None:
    """Insert a new, inactive version."""
    changes.insert(
        agents,
        {
            "id": meta.id,
            "name": event.name,
            "version": event.version_name,
            "prompt_template": event.prompt_template,
            "provider": event.provider,
            "model": event.model,
            "active": False,
            "metadata": event.metadata or {},
            "created_at": meta.at,
            "updated_at": meta.at,
        },
    )


@fold.on(agent.Updated)
def updated(changes: Changes, meta: EventMeta, event: agent.Updated) -> None:
    """Change the given fields. A renamed version is deactivated if its new name has an active version."""
    values = event.model_dump(exclude_none=True)
    if "version_name" in values:
        values["version"] = values.pop("version_name")
    if event.name is not None:
        _deactivate_if_name_taken(changes, meta.id, event.name)
    changes.update(agents, (meta.id,), {**values, "updated_at": meta.at})


@fold.on(agent.Activated)
def activated(changes: Changes, meta: EventMeta, event: agent.Activated) -> None:
    """Activate the version and deactivate all other versions of the name."""
    changes.execute(
        update(agents).where(agents.c.name == event.name, agents.c.id != meta.id).values(active=False)
    )
    changes.update(agents, (meta.id,), {"active": True, "updated_at": meta.at})


@fold.on(agent.Deleted)
def deleted(changes: Changes, meta: EventMeta, _: agent.Deleted) -> None:
    """Delete the row."""
    changes.execute(delete(agents).where(agents.c.id == meta.id))


def _deactivate_if_name_taken(changes: Changes, id_: str, name: str) -> None:
    other = agents.alias()
    taken = other.select().where(other.c.name == name, other.c.id != id_, other.c.active).exists()
    changes.execute(update(agents).where(agents.c.id == id_, taken).values(active=False))
