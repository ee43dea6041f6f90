"""What a run may do: its budget, its policy about outward calls, and which calls need an approval. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from contracts.domain.budget import Budget
from contracts.domain.issues import Issue
from contracts.domain.outward import OutwardCalls, as_strict_as

M = TypeVar("M", bound=BaseModel)


class Limited(Protocol):
    """A goal, DAG or plan that says what its runs may do."""

    @property
    def budget(self) -> Budget | None: ...
    @property
    def outward_calls(self) -> OutwardCalls | None: ...
    @property
    def approvals(self) -> tuple[str, ...]: ...


class Limits(NamedTuple):
    """What a run may do."""

    budget: Budget | None = None
    """What it may spend; None: it has no limits."""
    outward_calls: OutwardCalls | None = None
    """What happens to tool calls that send something to others; None: the setting OUTWARD_CALLS."""
    approvals: tuple[str, ...] = ()
    """Names of the tools of which a person must approve each call."""

    @property
    def are_given(self) -> bool:
        """Whether anything is limited."""
        return self != Limits()

    @classmethod
    def of(cls, one: Limited) -> Limits:
        """The limits of the runs of a goal, DAG or plan."""
        return cls(one.budget, one.outward_calls, one.approvals)

    def applied_to(self, one: M) -> M:
        """`one` with these limits in place of its own."""
        return one.model_copy(update=self._asdict())

    def problems(self, wanted: Limits) -> Iterator[Issue]:
        """Why a single run cannot have the limits `wanted`; none if it can."""
        if self.outward_calls and wanted.outward_calls:
            allowed = as_strict_as(self.outward_calls)
            if wanted.outward_calls not in allowed:
                own = f"a run can only be stricter than its goal or plan, which has {self.outward_calls!r}"
                yield Issue(("outwardCalls",), f"{own}: give {' or '.join(map(repr, allowed))}")

    def narrowed(self, wanted: Limits) -> Limits:
        """The limits of a single run: its policy and the limits of its budget replace those here, and its
        approvals are added.
        """
        return Limits(
            self.budget.with_limits(wanted.budget) if self.budget else wanted.budget,
            wanted.outward_calls or self.outward_calls,
            tuple(dict.fromkeys((*self.approvals, *wanted.approvals))),
        )
