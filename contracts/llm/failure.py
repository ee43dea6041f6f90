"""Failures of calls: the error of the provider, and whether a retry can help."""

from __future__ import annotations

import re
from collections.abc import Mapping

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.core.text import clean_text
from contracts.llm.bill import Bill
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.fields import any_text, as_name, as_object

PASSING_STATUSES = frozenset({408, 409, 425, 429})
"""The 4xx statuses that are retried. All 5xx statuses are retried too."""
MAX_DETAIL = 500
"""Maximum characters of a provider's message in our message."""
_TIMEOUTS_BEHIND = frozenset({504, 524})
"""Statuses of a gateway that did not wait for the answer: the model may have written it nevertheless."""
_BROKEN_UPSTREAM = 502
"""The status of an error in a 200 response without a status."""

_PAGE = re.compile(r"\A\s*(?:<!doctype|<html|<head|<\?xml)", re.IGNORECASE)
_TITLE = re.compile(r"<(?:title|h1)[^>]*>\s*([^<]{1,200})", re.IGNORECASE)


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
        without_bill: bool = False,
    ) -> None:
        super().__init__(clean_text(message))
        self.passing = passing
        """Whether another attempt may succeed."""
        self.status = status
        self.after = after
        """Seconds to wait, as the provider asked."""
        self.parameter = parameter
        """The request parameter that the error is about, if the provider names it."""
        self.without_bill = without_bill
        """Whether the provider may charge for the attempt, although its bill has not arrived."""
        self.bill: Bill | None = None
        """The bill of an unusable answer."""

    @property
    def may_be_charged(self) -> bool:
        """Whether the provider charges for the attempt, or may do so."""
        return self.without_bill or (self.bill is not None and self.bill.is_given)

    def billed(self, bill: Bill) -> CallFailed:
        """This failure, with the bill of the unusable answer."""
        self.bill = bill
        return self

    def as_outcome(self, spent: Spent | None = None) -> Retry | Reject:
        """The exception for callers of the client. `spent`: usage and cost of the whole call."""
        if self.passing:
            return Retry(str(self), after=self.after, spent=spent)
        return Reject(str(self), spent=spent)


def refusal(endpoint: Endpoint, status: int, error: Json, after: float | None = None) -> CallFailed:
    """The failure for a response of `status` with the body or error `error`.

    Aggregators report errors of their providers in a 200 response, with the status as `code`.
    """
    if isinstance(error, str) and _PAGE.search(error):
        return not_an_answer(endpoint, status, error, "")
    details = _details(error)
    code = as_name(details.get("code")) or ""
    answered = str(status)
    if status < 400:
        answered = code if re.fullmatch(r"[45]\d\d", code) else f"{status} with an error"
        status = int(code) if answered == code else _BROKEN_UPSTREAM
    used_up = "insufficient_quota" in (code, as_name(details.get("type")))
    passing = not used_up and (status in PASSING_STATUSES or status >= 500)
    advice = "the quota is used up, check plan and billing" if used_up else _advice(endpoint, status)
    message = f"{endpoint.provider} answered {answered} for model {endpoint.model}"
    said = _provider_message(details)
    return CallFailed(
        message + (f" ({advice})" if advice else "") + (f": {said}" if said else ""),
        passing=passing,
        status=status,
        after=after,
        parameter=as_name(details.get("param")),
        without_bill=status in _TIMEOUTS_BEHIND,
    )


def unusable(message: str, *, passing: bool) -> CallFailed:
    """The failure for an answer of the model that cannot be used. The provider charges for it."""
    return CallFailed(message, passing=passing, status=200, without_bill=True)


def not_an_answer(endpoint: Endpoint, status: int, body: str, why: str) -> CallFailed:
    """The failure for a body that is not from this API: a web page, text, or other JSON."""
    title, is_page = _TITLE.search(body), _PAGE.search(body) is not None
    if is_page:
        what = "a web page" + (f" ({title[1].strip()!r})" if title else "")
    else:
        what = f"something that is not a chat completion ({why}): {body[:200]!r}"
    return CallFailed(
        f"{endpoint.address} answered {status} with {what}; {_check_address(endpoint)}",
        passing=status == 200 or status in PASSING_STATUSES or status >= 500,
        status=status,
        without_bill=status in _TIMEOUTS_BEHIND or (status == 200 and not is_page),
    )


def answer_of_other_api(endpoint: Endpoint, document: Mapping[str, Json]) -> CallFailed | None:
    """The failure for an answer in the format of another API; None for other documents.

    Another attempt gets the same format, and the provider charges for it.
    """
    if document.get("object") == "response":
        api, advice = "OpenAI's Responses API", _check_address(endpoint)
    elif "candidates" in document:
        name = f"{endpoint.provider.upper()}_BASE_URL"
        api, advice = "Gemini's own API", f"set {name} to the address of its chat completions, /v1beta/openai"
    else:
        return None
    message = f"{endpoint.address} answered in the format of {api}, but only chat completions can be read"
    return unusable(f"{message}; {advice}", passing=False)


def _details(error: Json) -> Mapping[str, Json]:
    """The error object, without the objects and lists around it."""
    if isinstance(error, list) and error:
        error = error[0]
    if not isinstance(error, Mapping):
        return {"message": error}
    inner = error.get("error") or error.get("errors") or error.get("detail")
    if isinstance(inner, list) and inner:
        inner = inner[0]
    if isinstance(inner, Mapping):
        return inner
    return {**error, "message": inner} if inner else error


def _provider_message(details: Mapping[str, Json]) -> str:
    """The message of the provider, and that of the upstream provider (OpenRouter's `metadata.raw`)."""
    behind = as_object(details.get("metadata")).get("raw")
    words = (details.get("message") or details.get("msg"), behind)
    return ": ".join(filter(None, (_as_text(one) for one in words)))[:MAX_DETAIL]


def _as_text(value: Json) -> str:
    if value is None or value == "":
        return ""
    return value if isinstance(value, str) else any_text(value) or str(value)


def _check_address(endpoint: Endpoint) -> str:
    name = f"{endpoint.provider.upper()}_BASE_URL"
    if endpoint.provider is Provider.OPENAI and not endpoint.base_url.rstrip("/").endswith("/v1"):
        return f"check {name}: for most servers it ends in /v1"
    return f"check {name}"


def _advice(endpoint: Endpoint, status: int) -> str | None:
    name = endpoint.provider.upper()
    if status in (401, 403):
        return f"check {name}_API_KEY"
    if status == 402:
        return "buy credit or choose a cheaper model"
    if status == 404 and endpoint.provider is Provider.OLLAMA:
        return f"run `ollama pull {endpoint.model}`, or check {name}_MODEL and {name}_BASE_URL"
    if status in (404, 405):
        models = f"check {name}_MODEL, LLM_MODEL or the model of the agent"
        return f"{models}, and the address {endpoint.address}: {_check_address(endpoint)}"
    return None
