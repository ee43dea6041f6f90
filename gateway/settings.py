"""Settings of the gateway from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
)

from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.core.text import by_commas
from contracts.domain.run_requests import GoalSettings
from contracts.runtime.process.browsers import BrowserRules
from contracts.runtime.process.settings import Auth, ViewsSettings, access_warning, auth_of, require_private
from contracts.settings.environment import EnvironmentSettings
from contracts.spending import SharedBudgetSettings

LOCAL_ORIGINS = ("http://localhost:5173", "http://localhost:5174")
"""Origins of the web app during development."""
LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_MAY_BE_EMPTY = frozenset({"rate_limit_exempt", "trusted_proxies"})
"""Settings for which an empty value differs from an unset one."""
_ORIGIN = re.compile(r"https?://[^/\s*]+|null")


def _lower_case(text: Json) -> Json:
    return text.lower() if isinstance(text, str) else text


class OidcSettings(EnvironmentSettings):
    """The issuer of tokens, for AUTH=oidc."""

    oidc_issuer: str | None = None
    """URL of the issuer, as in the claim `iss` of its tokens. It begins with https://."""
    oidc_audience: str | None = None
    """The claim `aud` that tokens for this system have."""
    oidc_roles_claim: str = Field(default="roles", min_length=1)
    """Claim with the roles of a user; dots lead into objects: `realm_access.roles`."""
    oidc_roles: Annotated[tuple[str, ...], NoDecode, BeforeValidator(by_commas)] = ()
    """Scopes of roles, separated by commas: `operators=run,auditors=read,leads=run+approve`. Default: a role
    with the name of a scope has that scope."""

    @field_validator("oidc_issuer")
    @classmethod
    def _is_private(cls, issuer: str | None) -> str | None:
        return issuer and require_private(issuer)

    @field_validator("oidc_roles")
    @classmethod
    def _have_scopes(cls, roles: tuple[str, ...]) -> tuple[str, ...]:
        for role in roles:
            scopes_of_role(role)
        return roles

    @property
    def role_scopes(self) -> Mapping[str, frozenset[Scope]]:
        """The scopes of each role."""
        roles = self.oidc_roles or tuple(f"{scope}={scope}" for scope in Scope)
        return dict(map(scopes_of_role, roles))


def scopes_of_role(text: str) -> tuple[str, frozenset[Scope]]:
    """Parse `<role>=<scope>+<scope>`.

    Raises:
        ValueError: it has another form, or there is no such scope.
    """
    role, _, scopes = text.rpartition("=")
    if not role:
        raise ValueError(f"{text!r} is not of the form <role>=<scope>+<scope>")
    try:
        return role.strip(), frozenset(Scope(scope.strip()) for scope in scopes.split("+"))
    except ValueError:
        raise ValueError(f"{text!r} has an unknown scope; there are {', '.join(Scope)}") from None


class GatewaySettings(ViewsSettings, GoalSettings, SharedBudgetSettings, OidcSettings):
    """Address, access and limits of the API."""

    host: str = "127.0.0.1"
    port: int = Field(default=3000, ge=0, le=65535)
    """Port of the API. 0 chooses a free port and logs it."""
    auth: Annotated[Auth | None, BeforeValidator(_lower_case)] = None
    """Who may use the API. Default: `off` on a loopback address; required on any other."""
    cors_origins: Annotated[tuple[str, ...], NoDecode, BeforeValidator(by_commas)] = ()
    """Origins whose pages may call the API, separated by commas, in addition to LOCAL_ORIGINS."""
    cors_credentials: bool = False
    """Whether pages of CORS_ORIGINS may send cookies and other credentials."""
    rate_limit_max: int = Field(default=0, ge=0)
    """Maximum requests per minute of one key or user, or from one address without a key. 0: no limit. Health
    is never limited."""
    rate_limit_exempt: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(by_commas)
    ] = LOOPBACK
    """Networks from which requests without a key are not limited, separated by commas. Empty: none."""
    trusted_proxies: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(by_commas)
    ] = LOOPBACK
    """Networks of proxies whose `X-Forwarded-For` is trusted, separated by commas."""
    max_connections: int = Field(default=0, ge=0)
    """Maximum open connections; further ones get 503. 0: the limit of open files minus 256."""
    max_streams: int = Field(default=2000, ge=1)
    """Maximum open streams of server-sent events; further ones get 503."""

    views_wait_s: float = Field(default=2.0, ge=0)
    """Maximum seconds that the answer to a write waits until the views include it."""
    planning_wait_s: float = Field(default=300.0, gt=0)
    """Maximum seconds that a request waits for a plan. Then it gets 202, and planning continues."""

    experiments_parallel: int = Field(default=4, ge=1)
    """Maximum number of plans that one experiments request makes at the same time."""

    max_message_length: int = Field(default=10_000, ge=10)
    """Maximum number of characters of a goal's objective."""

    @model_validator(mode="after")
    def _is_protected(self) -> GatewaySettings:
        if self.auth_mode is Auth.OIDC and not (self.oidc_issuer and self.oidc_audience):
            raise ValueError("AUTH=oidc needs OIDC_ISSUER and OIDC_AUDIENCE")
        return self

    @property
    def auth_mode(self) -> Auth:
        """Who may use the API."""
        return auth_of(self.auth, self.host)

    @property
    def warnings(self) -> dict[str, str]:
        """What is dangerous in these settings, by the name of the setting. The system serves nevertheless."""
        warning = access_warning(self.auth_mode, self.host)
        return {"auth": warning} if warning else {}

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"{origin!r} is not an origin: write scheme://host[:port] without a path or a *"
                )
        return origins

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add empty values of each source for settings in which they have a meaning."""
        given, env, env_files, dotenv, dotenv_files = super().settings_customise_sources(
            settings_cls, init_settings, env_settings, dotenv_settings, file_secret_settings
        )
        file = dotenv_settings.env_file if isinstance(dotenv_settings, DotEnvSettingsSource) else None
        emptied = (
            EnvSettingsSource(settings_cls, env_ignore_empty=False),
            DotEnvSettingsSource(settings_cls, file, env_ignore_empty=False),
        )
        of_env, of_file = (InitSettingsSource(settings_cls, _emptied(source.env_vars)) for source in emptied)
        return given, env, env_files, of_env, dotenv, dotenv_files, of_file

    @property
    def allowed_origins(self) -> frozenset[str]:
        """All origins whose pages may call the API."""
        return frozenset((*LOCAL_ORIGINS, *self.cors_origins))

    @property
    def credentialed_origins(self) -> frozenset[str]:
        """Origins whose pages may send credentials."""
        return self.allowed_origins if self.cors_credentials else frozenset(LOCAL_ORIGINS)

    @property
    def browser_rules(self) -> BrowserRules:
        """The hosts and origins that are allowed in requests from browsers."""
        return BrowserRules(frozenset((*self.allowed_hosts, self.host.lower())), self.allowed_origins)


def _emptied(variables: Mapping[str, str | None]) -> dict[str, Json]:
    """The settings with the value "" in `variables`, whose names are in lower case."""
    return {name: "" for name in _MAY_BE_EMPTY if variables.get(name) == ""}
