"""The base class of all settings: from the environment, `.env`, and files for secrets."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contracts.settings.redactor import SECRETS
from contracts.settings.secret_files import InvalidSettings, read_secrets, unreadable

MAY_HOLD_A_SECRET: Final = "may hold a secret"
"""Marks a setting that may contain a password, such as a URL: `Annotated[str, MAY_HOLD_A_SECRET]`."""

# It warns of a line at every read of `.env`, without its name. `deploy.local.env_file` warns once, with it.
logging.getLogger("dotenv.main").setLevel(logging.ERROR)

_USERINFO = re.compile(r"//([^\s/?#]+)@")


class EnvironmentSettings(BaseSettings):
    """Settings by the names of their variables. SECRETS learns their secret values.

    A setting that is a SecretStr or marked MAY_HOLD_A_SECRET can also be read from a file: `<NAME>_FILE` is
    its path. The environment takes precedence over `.env`.

    Raises:
        InvalidSettings: a setting is invalid, or `.env` cannot be read. The message does not contain the
            values of secrets.
    """

    model_config = SettingsConfigDict(
        env_file=".env", extra="ignore", frozen=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise InvalidSettings("\n".join(_problems(error, type(self)))) from None
        except (OSError, UnicodeDecodeError) as error:
            file = given.get("_env_file") or self.model_config["env_file"]
            raise unreadable("the settings", file, error) from None
        for name in type(self).model_fields:
            _learn(name.upper(), getattr(self, name))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  another mechanism for files
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the files that the environment names, and those that `.env` names."""
        return (
            init_settings,
            env_settings,
            _from_files(settings_cls, env_settings),
            dotenv_settings,
            _from_files(settings_cls, dotenv_settings),
        )


def is_secret(field: FieldInfo) -> bool:
    """Whether the setting is, or may contain, a secret."""
    kinds = (field.annotation, *get_args(field.annotation))
    return SecretStr in kinds or MAY_HOLD_A_SECRET in field.metadata


def secret_names(settings: type[BaseSettings]) -> frozenset[str]:
    """Names of the variables of `settings` that are, or may contain, secrets."""
    return frozenset(name.upper() for name, field in settings.model_fields.items() if is_secret(field))


def _from_files(
    settings: type[BaseSettings], variables: PydanticBaseSettingsSource
) -> PydanticBaseSettingsSource:
    assert isinstance(variables, EnvSettingsSource | DotEnvSettingsSource)
    return InitSettingsSource(settings, read_secrets(secret_names(settings), variables.env_vars))


def _learn(name: str, value: object) -> None:
    if isinstance(value, SecretStr):
        SECRETS.learn(name, value.get_secret_value())
    for text in _texts(value):
        for userinfo in _USERINFO.findall(text):
            SECRETS.learn_userinfo(name, userinfo)


def _texts(value: object) -> Iterator[str]:
    match value:
        case SecretStr():
            yield value.get_secret_value()
        case str():
            yield value
        case tuple():
            for one in value:
                yield from _texts(one)


def _problems(error: ValidationError, settings: type[BaseSettings]) -> Iterator[str]:
    """One line for each invalid setting, with its value unless it may be a secret."""
    for problem in error.errors(include_url=False, include_context=False):
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = settings.model_fields.get(name)
        text = problem["msg"].removeprefix("Value error, ")
        given = f" (given: {problem['input']!r})" if field and not is_secret(field) else ""
        yield f"  {name.upper()}: {text}{given}" if name else f"  {text}"
