"""Rules of models that call tools."""

from __future__ import annotations

import orjson

from contracts.core.event import Json

ONE_CALL = """
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "I look it up."
answer.tool_calls = [{ name = "echo", arguments = { value = { n = 7 } } }]

[[rule]]
when.last_role = "tool"
answer.text = "It is 7."
"""


def calls_once(*calls: dict[str, Json], text: str = "I call.") -> str:
    """Rules: the first answer makes these calls, the second ends."""
    table = "\n".join(
        f"[[rule.answer.tool_calls]]\nname = {orjson.dumps(call['name']).decode()}\n"
        f"arguments = '''{orjson.dumps(call.get('arguments', {})).decode()}'''"
        for call in calls
    )
    return f"""
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "{text}"
{table}

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""
