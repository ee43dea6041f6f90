"""An MCP server of its own making, which does not follow the protocol exactly. Run it as a program."""

from __future__ import annotations

import json
import sys
from typing import Any

OBJECT = {"type": "object"}
PICTURE = {"type": "image", "data": "iVBORw==", "mimeType": "image/png"}
PDF = {"uri": "file:///report.pdf", "mimeType": "application/pdf", "blob": "JVBERi0="}
TOOLS: list[dict[str, Any]] = [
    {"name": "no_schema"},
    {"name": "null_schema", "inputSchema": None},
    {"name": "empty_schema", "inputSchema": {}},
    {"name": "null_properties", "inputSchema": {"type": "object", "properties": None, "required": None}},
    {"name": "list_of_properties", "inputSchema": {"type": "object", "properties": []}},
    {"name": "one_of", "inputSchema": {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}},
    {"name": "odd_title", "title": 7, "inputSchema": OBJECT},
    {
        "name": "pattern",
        "inputSchema": {"properties": {"p": {"type": "string", "pattern": "^(?<x>\\\\p{L})$"}}},
    },
    {"name": "bound", "inputSchema": {"properties": {"n": {"minimum": 0, "exclusiveMinimum": True}}}},
    {"name": "dangling", "inputSchema": {"properties": {"p": {"$ref": "#/$defs/Missing"}}}},
    {"name": "a_b", "inputSchema": OBJECT},
    {"name": "a.b", "inputSchema": OBJECT},
    {"name": "promised", "inputSchema": OBJECT, "outputSchema": OBJECT},
]
RESULTS: dict[str, Any] = {
    "null_content": {"content": None},
    "text_as_content": {"content": "hello"},
    "unknown_part": {"content": [{"type": "video", "data": "x"}]},
    "part_without_text": {"content": [{"type": "text"}]},
    "structured_list": {"structuredContent": [1]},
    "null": None,
    "half_a_character": {"content": [{"type": "text", "text": "Hi \ud83d"}]},
    "structured_and_picture": {"content": [PICTURE], "structuredContent": {"n": 1}},
    "file": {"content": [{"type": "resource", "resource": PDF}]},
    "structured_error": {"content": [], "structuredContent": {"error": "quota used up"}, "isError": True},
}
TOOLS += [{"name": name, "inputSchema": OBJECT} for name in (*RESULTS, "detailed_error")]


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """The result or the error of a request."""
    name = params.get("name")
    if method == "initialize":
        about = {"protocolVersion": "2024-11-05", "serverInfo": {"name": "odd", "version": "1"}}
        return {"result": {**about, "capabilities": {"tools": {}}}}
    if method == "tools/list":
        return {"result": {"tools": TOOLS}}
    if method == "tools/call" and name == "detailed_error":
        return {"error": {"code": -32000, "message": "refused", "data": {"left": 0}}}
    if method == "tools/call":
        return {"result": RESULTS.get(str(name), {"content": [{"type": "text", "text": f"called {name}"}]})}
    return {"error": {"code": -32601, "message": f"no {method}"}}


if __name__ == "__main__":
    sys.stdout.write("Listening on stdio\n")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" in request:
            said = answer(request["method"], request.get("params") or {})
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": request["id"], **said}) + "\n")
            sys.stdout.flush()
