"""How a call fails: what the provider said, and whether asking again can help."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.core.text import clean_text
from contracts.llm.bill import Bill
from contracts.llm.endpoint import Endpoint, Provider

PASSING_STATUSES = frozenset({408, 409, 425, 429})
"""Of the 4xx, those that another try may get past; all 5xx are too."""
MAX_DETAIL = 500
"""Characters of a provider's message that we repeat."""


class CallFailed(Exception):
    """One attempt failed."""

    def __init__(
        self,
        message: str,
        *,
        passing: bool,
        status: int | None = None,
        after: float | None = None,
        parameter: str | None = None,
    ) -> None:
        super().__init__(clean_text(message))
        self.passing = passing
        """Whether another attempt may succeed."""
        self.status = status
        self.after = after
        """Seconds the provider asked us to wait."""
        self.parameter = parameter
        """The request parameter the provider complains about, when it says so."""
        self.bill: Bill | None = None
        """Of an answer that came and is of no use."""

    def billed(self, bill: Bill) -> CallFailed:
        """The same failure, of an answer that is to be paid for."""
        self.bill = bill
        return self

    def as_outcome(self, spent: Spent | None = None) -> Retry | Reject:
        """The failure as the callers of the client see it, with what the whole call has cost."""
        if self.passing:
            return Retry(str(self), after=self.after, spent=spent)
        return Reject(str(self), spent=spent)


def refusal(endpoint: Endpoint, status: int, error: Json, after: float | None = None) -> CallFailed:
    """The failure that an answer of `status` with the error object (or text) `error` means."""
    details = error if isinstance(error, Mapping) else {"message": error}
    used_up = details.get("code") == "insufficient_quota"
    passing = not used_up and (status in PASSING_STATUSES or status >= 500)
    advice = "the quota is used up, check plan and billing" if used_up else _advice(endpoint, status)
    message = f"{endpoint.provider} answered {status} for model {endpoint.model}"
    said = _said(details)
    parameter = details.get("param")
    return CallFailed(
        message + (f" ({advice})" if advice else "") + (f": {said}" if said else ""),
        passing=passing,
        status=status,
        after=after,
        parameter=parameter if isinstance(parameter, str) else None,
    )


def _said(details: Mapping[str, Json]) -> str:
    """The provider's words, and those of the provider behind it (OpenRouter's `metadata.raw`)."""
    metadata = details.get("metadata")
    behind = metadata.get("raw") if isinstance(metadata, Mapping) else None
    return ": ".join(str(part) for part in (details.get("message"), behind) if part)[:MAX_DETAIL]


def _advice(endpoint: Endpoint, status: int) -> str | None:
    name = endpoint.provider.upper()
    if status in (401, 403):
        return f"check {name}_API_KEY"
    if status == 402:
        return "buy credit or choose a cheaper model"
    if status == 404 and endpoint.provider is Provider.OLLAMA:
        return f"run `ollama pull {endpoint.model}`, or check {name}_MODEL and {name}_BASE_URL"
    if status == 404:
        return f"check {name}_MODEL, LLM_MODEL or the model of the agent"
    return None
