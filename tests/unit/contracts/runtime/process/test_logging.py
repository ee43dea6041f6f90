"""What logs say of an error."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Iterator

import pytest
import structlog

from contracts.runtime.process.logging import OURS, configure_logging
from contracts.runtime.process.settings import Settings
from contracts.settings.redactor import REDACTED, SECRETS

SECRET = 'key-with-quote"-and-\\-backslash'


@pytest.fixture(autouse=True)
def _configuration_is_put_back() -> Iterator[None]:
    handlers, level, hook = logging.root.handlers[:], logging.root.level, sys.excepthook
    levels = {name: logging.getLogger(name).level for name in OURS}
    yield
    sys.excepthook = hook
    logging.captureWarnings(capture=False)
    for name, its in levels.items():
        logging.getLogger(name).setLevel(its)
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


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_line_holds_a_secret_whoever_logs_it(capsys: pytest.CaptureFixture[str], log_format: str) -> None:
    """A library, an exception, a warning, or the end of the process."""
    SECRETS.learn("KEY", SECRET)
    configure_logging("test", Settings(_env_file=None, log_format=log_format))
    structlog.get_logger().warning("ours", error=f"refused: {SECRET}")
    logging.getLogger("openai").warning("request options: %s", {"headers": {"Authorization": SECRET}})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit(f"do not use {SECRET}", UserWarning, "module.py", 1)
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        structlog.get_logger("handler").exception("it failed")
        sys.excepthook(type(error), error, error.__traceback__)
    written = capsys.readouterr().err
    assert written.count(REDACTED) >= 5
    assert "key-with-quote" not in written


def test_libraries_are_quiet_at_every_level(capsys: pytest.CaptureFixture[str]) -> None:
    """Also those that are not known yet: the SDK of a provider may change its HTTP client."""
    configure_logging("test", Settings(_env_file=None, log_level="debug"))
    for name in ("httpx2", "openai._base_client", "some.new.library"):
        logging.getLogger(name).info("a request")
    structlog.get_logger("executor.tools").debug("ours")
    written = capsys.readouterr().err
    assert "ours" in written
    assert "a request" not in written
