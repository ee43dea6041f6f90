"""Logging: one line per event, as JSON or as console text."""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from contracts.runtime.process.settings import LogLevel, Settings


def configure_logging(service: str, settings: Settings) -> None:
    """Send structlog and the standard library's logs to stderr, at `LOG_LEVEL`, in `LOG_FORMAT`."""
    level = _LEVELS[settings.log_level]
    as_json = settings.log_format == "json" or (not settings.log_format and settings.node_env == "production")
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer = _json() if as_json else _console()
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in (
        "aiosqlite",
        "httpx",
        "httpcore",
        "openai",
        "nats",
        "primp",
        "urllib3",
        "trafilatura",
        "pypdf",
    ):
        logging.getLogger(chatty).setLevel(max(root.level, logging.WARNING))
    structlog.contextvars.bind_contextvars(service=service, instance=settings.instance)


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
