"""Lines of `.env` that would have no effect are found."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from contracts.llm import LlmSettings
from contracts.settings.secret_files import InvalidSettings
from deploy.cli.execute import Status
from deploy.cli.main import app
from deploy.local import env_file
from deploy.local.env_file import without_effect


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("OPENAI_APIKEY=k", "OPENAI_API_KEY"),
        ("openai-model=gpt-4o", "OPENAI_MODEL"),
        ("export LLM_PROVIDR=openai", "LLM_PROVIDER"),
        ("MAX_CONCURENT_RUNS=3", "MAX_CONCURRENT_RUNS"),
        ("OPENAI_API_KEY_FIL=/run/key", "OPENAI_API_KEY_FILE"),
        ("TOOL_MODULE=mine", "TOOL_MODULES"),
    ],
)
def test_a_misspelled_setting_is_named_with_the_one_that_is_meant(
    tmp_path: Path, line: str, meant: str
) -> None:
    (tmp_path / ".env").write_text(f"# comment\n{line}\n")
    (warning,) = without_effect(tmp_path / ".env")
    assert warning.endswith(f" is not a setting; did you mean {meant}?")


@pytest.mark.parametrize("line", ["=", "some words", "LLM_MODEL 'm'", 'OPENAI_API_KEY="sk-secret'])
def test_a_line_that_cannot_be_parsed_is_named_by_its_number_without_its_text(
    tmp_path: Path, line: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text(f"# comment\n{line}\nLLM_MODEL=m\n")
    (warning,) = without_effect(tmp_path / ".env")
    assert ".env: line 2 has no effect: write NAME=value" in warning
    assert "secret" not in warning

    assert LlmSettings(_env_file=tmp_path / ".env").llm_model == "m"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LLM_PROVIDER=openai\nllm_model=m\nOPENAI_API_KEY_FILE=/run/key\n",
        "POSTGRES_USER=me\nFLAVOUR=1\n",
    ],
)
def test_settings_and_variables_of_other_programs_are_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text)
    assert list(without_effect(tmp_path / ".env")) == []
    assert list(without_effect(tmp_path / "missing")) == []


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LLM_MODEL=café\n", encoding=encoding)
    for command in ("up", "demo"):
        shown = CliRunner().invoke(app, [command])
        assert shown.exit_code == Status.UNUSABLE, command
        assert "cannot read .env: it is not UTF-8 text; save it as UTF-8" in shown.stderr
    assert list(without_effect()) == []
    with pytest.raises(InvalidSettings, match="it is not UTF-8 text"):
        LlmSettings()


def test_every_line_of_the_example_is_a_setting(tmp_path: Path) -> None:
    example = Path(env_file.__file__).parents[2] / ".env.example"
    text = re.sub("(?m)^# (?=[A-Z_]+=)", "", example.read_text(encoding="utf-8"))
    (tmp_path / ".env").write_text(text)
    assert list(without_effect(tmp_path / ".env")) == []


def test_a_service_that_is_run_by_hand_warns_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scheduler.service.SERVICE", SimpleNamespace(main=lambda: None))
    (tmp_path / ".env").write_text("NATS_ULR=nats://127.0.0.1:1\n")
    result = CliRunner().invoke(app, ["run", "scheduler"])
    assert result.stderr == "async-agent: .env: NATS_ULR is not a setting; did you mean NATS_URL?\n"
