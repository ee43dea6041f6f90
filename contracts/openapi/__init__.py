"""Operations of an HTTP API, read from its OpenAPI document: input as JSON Schema, and requests."""

from contracts.openapi.operation import InvalidArguments, Operation, Request
from contracts.openapi.reading import Unreadable, operations

__all__ = ["InvalidArguments", "Operation", "Request", "Unreadable", "operations"]
