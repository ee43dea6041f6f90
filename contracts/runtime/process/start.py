"""Starts the process of a service."""

from __future__ import annotations

import gc
from importlib import import_module


def start(name: str) -> None:
    """Run the service of the package `name` as the process's main program; does not return.

    The garbage collector is off until the service has started. Imports create many objects and no garbage,
    and the collector would take a tenth of the start time.
    """
    gc.disable()
    import_module(f"{name}.service").SERVICE.main()
