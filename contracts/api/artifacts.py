"""Artifacts over HTTP."""

from __future__ import annotations

from contracts.api.fields import Query


class ArtifactQuery(Query):
    """Which files to list."""

    recursive: bool = False
    """Include files in sub-folders, as paths."""
