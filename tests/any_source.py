"""The codec of the system for tests that write the commits of all services themselves."""

from __future__ import annotations

from dataclasses import replace

from contracts.domain.registry import CODEC as RESTRICTED

CODEC = replace(RESTRICTED, writers={})
