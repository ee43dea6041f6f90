"""Misspelled settings in `.env` are found before they have no effect."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app
from deploy.local import env_file
from deploy.local.env_file import misspelled


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
    (warning,) = misspelled(tmp_path / ".env")
    assert warning.endswith(f" is not a setting; did you mean {meant}?")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LLM_PROVIDER=openai\nllm_model=m\nOPENAI_API_KEY_FILE=/run/key\n",
        "POSTGRES_USER=me\nFLAVOUR=1\n",
        "=\n",
    ],
)
def test_settings_and_variables_of_other_programs_are_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / ".env").write_text(text)
    assert list(misspelled(tmp_path / ".env")) == []
    assert list(misspelled(tmp_path / "missing")) == []


def test_every_line_of_the_example_is_a_setting(tmp_path: Path) -> None:
    example = Path(env_file.__file__).parents[2] / ".env.example"
    (tmp_path / ".env").write_text(example.read_text(encoding="utf-8").replace("# ", ""))
    assert list(misspelled(tmp_path / ".env")) == []


def test_a_service_that_is_run_by_hand_warns_before_it_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("scheduler.service.SERVICE", SimpleNamespace(main=lambda: None))
    (tmp_path / ".env").write_text("NATS_ULR=nats://127.0.0.1:1\n")
    result = CliRunner().invoke(app, ["run", "scheduler"])
    assert result.stderr == "async-agent: .env: NATS_ULR is not a setting; did you mean NATS_URL?\n"
