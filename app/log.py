"""Logging: text for people or JSON for machines, with the ids of the request and the tenant."""

from __future__ import annotations

import logging
import sys

import structlog

# Names of fields whose values never reach a log.
REDACTED = frozenset({"password", "secret", "token", "community", "authorization", "cookie", "secret_key"})


def configure(log_format: str, level: str = "INFO") -> None:
    """Send all logging to standard error in one form; call once in the main of a process."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        _redact,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
        structlog.processors.format_exc_info,
    ]
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="ts")
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _redact(_logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    for name in event.keys() & REDACTED:
        event[name] = "***"
    return event
