"""How a service's process begins."""

from __future__ import annotations

import gc
from importlib import import_module


def start(name: str) -> None:
    """Run the service of the package `name` as the process's main program; does not return.

    Importing makes many objects and no garbage, and looking for it takes a tenth of a start's time, so the
    collector is off until the service stands.
    """
    gc.disable()
    import_module(f"{name}.service").SERVICE.main()
