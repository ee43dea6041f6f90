"""Secrets come from variables or from files, and no error shows one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr, field_validator

from contracts.llm import LlmSettings
from contracts.settings.environment import MAY_HOLD_A_SECRET, EnvironmentSettings, secret_names
from contracts.settings.redactor import REDACTED, SECRETS
from contracts.settings.secret_files import InvalidSettings
from executor.tools.settings import ToolSettings
from gateway.settings import GatewaySettings


class Example(EnvironmentSettings):
    api_key: SecretStr | None = None
    server_url: Annotated[str, MAY_HOLD_A_SECRET] = Field(default="https://x", pattern="^https://")
    size: int = 1

    @field_validator("api_key")
    @classmethod
    def _is_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key and not key.get_secret_value().startswith("sk-"):
            raise ValueError("must start with sk-")
        return key


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "key"
    file.write_text("sk-from-a-file\n")
    return file


def test_a_secret_is_read_from_its_file_without_the_final_line_break(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY_FILE", str(secret))
    assert Example(_env_file=None).api_key == SecretStr("sk-from-a-file")
    assert SECRETS.text("sk-from-a-file") == REDACTED


def test_env_files_name_files_too_and_the_environment_wins(
    secret: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"API_KEY_FILE={secret}")
    from_file = Example(_env_file=tmp_path / ".env").api_key
    monkeypatch.setenv("API_KEY", "sk-from-the-environment")
    from_environment = Example(_env_file=tmp_path / ".env").api_key
    assert from_file == SecretStr("sk-from-a-file")
    assert from_environment == SecretStr("sk-from-the-environment")


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff", "not UTF-8")],
    ids=["missing", "empty", "only a line break", "binary"],
)
def test_a_file_that_gives_no_secret_is_refused_by_name(
    content: bytes | None, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("API_KEY_FILE", str(file))
    with pytest.raises(InvalidSettings, match=f"API_KEY_FILE: .*{says}"):
        Example(_env_file=None)


def test_a_secret_and_its_file_are_not_both_set(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_KEY_FILE", str(secret))
    monkeypatch.setenv("API_KEY", "sk-from-the-environment")
    with pytest.raises(InvalidSettings, match="API_KEY_FILE: API_KEY is set too"):
        Example(_env_file=None)


def test_only_secrets_are_read_from_files(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIZE_FILE", str(secret))
    assert Example(_env_file=None).size == 1


def test_a_refused_setting_shows_its_value_unless_it_may_be_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("API_KEY", "my password"), ("SERVER_URL", "ftp://u:pw@h"), ("SIZE", "big")):
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidSettings) as refused:
        Example(_env_file=None)
    lines = dict(line.strip().split(": ", 1) for line in str(refused.value).splitlines())
    assert lines["API_KEY"] == "must start with sk-"
    assert lines["SIZE"].endswith("(given: 'big')")
    assert lines["SERVER_URL"].startswith("String should match")
    assert "pw" not in str(refused.value)
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("kind", "variable", "value"),
    [
        (ToolSettings, "WEBHOOK_SECRET", "not base64 at all!"),
        (GatewaySettings, "DATABASE_URL", "postgres://u:password-1@h/db"),
        (LlmSettings, "OPENAI_BASE_URL", "u:password-1@h"),
    ],
)
def test_no_service_prints_a_refused_secret(
    kind: type[EnvironmentSettings], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidSettings, match=variable) as refused:
        kind(_env_file=None)
    assert value not in str(refused.value)


def test_the_secrets_of_the_services_are_known_as_such() -> None:
    assert {"OPENAI_API_KEY", "OPENROUTER_API_KEY"} <= secret_names(LlmSettings)
    assert {"SMTP_PASS", "WEBHOOK_SECRET", "SEARCH_PROXY", "NATS_URL"} <= secret_names(ToolSettings)


def test_settings_teach_the_redactor_their_secrets_and_the_passwords_of_their_urls() -> None:
    ToolSettings(
        _env_file=None, smtp_pass=SecretStr("password-of-mail"), search_proxy="socks5://u:password-2@p"
    )
    GatewaySettings(_env_file=None, nats_url="nats://u:pw@one,nats://v:qw@two")
    said = SECRETS.text("password-of-mail password-2 nats://u:pw@one,nats://v:qw@two")
    assert said == f"{REDACTED} {REDACTED} nats://{REDACTED}@one,nats://{REDACTED}@two"
