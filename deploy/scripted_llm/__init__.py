"""A stand-in for an LLM: an OpenAI-compatible server whose every answer is canned, read from a file of rules.

It understands nothing. It is there so that the demo and the tests run without a model, a key or a network.
"""

from __future__ import annotations

from deploy.scripted_llm.rules import (
    Rule,
    ScriptedAnswer,
    ScriptedCall,
    When,
    default_rules,
    load_rules,
    parse_rules,
)
from deploy.scripted_llm.script import Script
from deploy.scripted_llm.server import Received, ScriptedLlm, create_app, environment, serve

__all__ = [
    "ScriptedLlm",
    "Received",
    "create_app",
    "serve",
    "environment",
    "Rule",
    "When",
    "ScriptedAnswer",
    "ScriptedCall",
    "Script",
    "default_rules",
    "load_rules",
    "parse_rules",
]
