"""Logging: one line per event, as JSON or as console text, with secrets redacted."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.tracebacks import ExceptionDictTransformer

from contracts.runtime.process.settings import LogLevel, Settings
from contracts.settings.redactor import SECRETS

OURS = ("contracts", "gateway", "planner", "executor", "scheduler", "projector", "deploy")
"""Packages whose loggers use LOG_LEVEL. Other loggers log warnings and errors only."""


def configure_logging(service: str, settings: Settings) -> None:
    """Send all logs, warnings and uncaught exceptions to stderr, at `LOG_LEVEL`, in `LOG_FORMAT`."""
    level = _LEVELS[settings.log_level]
    as_json = settings.log_format == "json" or (not settings.log_format and settings.node_env == "production")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[*shared, ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    renderer = _json() if as_json else _console()
    processors = [ProcessorFormatter.remove_processors_meta, *renderer]
    handler.setFormatter(_Redacting(foreign_pre_chain=shared, processors=processors))
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.WARNING))
    for package in OURS:
        logging.getLogger(package).setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    structlog.contextvars.bind_contextvars(service=service, instance=settings.instance)


class _Redacting(ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return SECRETS.text(super().format(record))


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None, /) -> None:
    logging.getLogger(__name__).critical("uncaught exception", exc_info=(kind, error, trace))


def _json() -> list[structlog.typing.Processor]:
    """JSON lines. Tracebacks omit the values of variables, which may contain secrets or uploads."""
    tracebacks = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    return [tracebacks, structlog.processors.JSONRenderer()]


def _console() -> list[structlog.typing.Processor]:
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]


_LEVELS: dict[LogLevel, int] = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
