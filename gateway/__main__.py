"""`python -m gateway` runs the gateway as a process."""

from __future__ import annotations

from contracts.runtime.process.start import start

if __name__ == "__main__":
    start("gateway")
