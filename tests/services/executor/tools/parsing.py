"""One pool of parsers for all tests of tools: starting a process takes a second."""

from __future__ import annotations

from executor.tools.parsers import Parsers

PARSERS = Parsers()
