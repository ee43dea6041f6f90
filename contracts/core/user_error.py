"""The error that the operator can correct."""

from __future__ import annotations


class UserError(Exception):
    """An error that the operator can correct. The message says how; no stack trace is logged."""
