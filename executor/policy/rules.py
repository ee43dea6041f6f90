"""The settings of the policy about tool calls that send something to others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode
from yarl import URL

from contracts.core.text import by_commas
from contracts.domain.outward import OutwardCalls
from contracts.runtime.process.settings import Settings


def _recipient(text: str) -> str:
    """An e-mail address, or `@` and a domain, in lower case."""
    local, at, domain = text.rpartition("@")
    if not at or not domain or any(one.isspace() or one in "<>,;" for one in text) or "@" in local:
        raise ValueError(
            f"ALLOWED_RECIPIENTS: {text!r} is not an e-mail address such as ann@example.com, and not a "
            "domain such as @example.com"
        )
    return text.casefold()


def _host(text: str) -> str:
    """A host name, or `host:port`, in lower case."""
    try:
        url = URL(f"//{text}")
    except ValueError:
        url = URL()
    if not url.host or url.authority.casefold() != text.casefold() or url.user:
        raise ValueError(
            f"ALLOWED_WEBHOOK_HOSTS: {text!r} is not a host such as hooks.example.com, and not host:port"
        )
    return text.casefold()


Recipients = Annotated[
    tuple[Annotated[str, AfterValidator(_recipient)], ...], NoDecode, BeforeValidator(by_commas)
]
Hosts = Annotated[tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(by_commas)]


class PolicySettings(Settings):
    """Settings about tool calls that send something to others."""

    outward_calls: OutwardCalls = "ask-tainted"
    """What happens to them. Goals and plans can only be stricter."""
    allowed_recipients: Recipients = ()
    """E-mail addresses, and domains as `@example.com`, that may always be written to."""
    allowed_webhook_hosts: Hosts = ()
    """Hosts, or `host:port`, that webhooks may always be sent to."""

    @property
    def rules(self) -> Rules:
        """The rules by these settings."""
        return Rules(
            self.outward_calls, frozenset(self.allowed_recipients), frozenset(self.allowed_webhook_hosts)
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for tool calls that send something to others."""

    outward_calls: OutwardCalls = "ask-tainted"
    recipients: frozenset[str] = frozenset()
    """E-mail addresses and `@domain`s that may always be written to, in lower case."""
    webhook_hosts: frozenset[str] = frozenset()
    """Hosts and `host:port`s that webhooks may always be sent to, in lower case."""

    def allows_recipient(self, address: str) -> bool:
        """Whether the address, or its domain, may always be written to."""
        folded = address.strip().casefold()
        _, at, domain = folded.partition("@")
        return folded in self.recipients or at + domain in self.recipients

    def allows_url(self, address: str) -> bool:
        """Whether webhooks may always be sent to the host of the URL."""
        if not self.webhook_hosts:
            return False
        try:
            url = URL(address.strip())
        except ValueError:
            return False
        host = (url.host or "").casefold()
        return host in self.webhook_hosts or f"{host}:{url.port}" in self.webhook_hosts


DEFAULT_RULES = Rules()
