"""The scripted LLM: an OpenAI-compatible server that gives canned answers from a file of rules.

The demo and the tests use it to run without a model, an API key or a network.
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
