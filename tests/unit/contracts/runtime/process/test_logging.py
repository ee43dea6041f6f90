"""What logs say of an error."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog

from contracts.runtime.process.logging import configure_logging
from contracts.runtime.process.settings import Settings


@pytest.fixture(autouse=True)
def _configuration_is_put_back() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_names_places_and_no_values(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    configure_logging("test", Settings(_env_file=None, log_format=log_format))

    def fail() -> None:
        token = "a secret"
        raise KeyError(len(token))

    try:
        fail()
    except KeyError:
        structlog.get_logger("json").exception("it failed")
        logging.getLogger("library").exception("it failed, too")

    written = capsys.readouterr().err
    assert written.count("test_logging.py") >= 2
    assert "a secret" not in written.replace('token = "a secret"', "")
