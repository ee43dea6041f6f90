"""Which tools there are, and where they come from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientSession

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.tool import Effect, Fill, OutputSpec, ToolSpec
from contracts.core.user_error import UserError
from executor.tools.guard import guarded_session
from executor.tools.inputs import ToolInput
from executor.tools.parsers import Parsers
from executor.tools.plugins import BrokenPlugin, plugged_in, search_backend
from executor.tools.registry import DuplicateTool, Registry, build_registry
from executor.tools.search import Ddgs
from executor.tools.settings import ToolSettings, webhook_key
from executor.tools.tool import CallContext, Tool


class Nothing(ToolInput):
    """No input."""


class Saved(ToolInput):
    """Some text."""

    text: str


async def nothing(request: ToolInput, call: CallContext) -> Json:
    return None


def tool(name: str, order: int = 1000) -> Tool[Nothing]:
    return Tool(name=name, description="", accepts=Nothing, effect=Effect.READ, run=nothing, order=order)


def settings(**given: Any) -> ToolSettings:
    return ToolSettings(_env_file=None, **given)


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with guarded_session(()) as session:
        yield session


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An importable module `plugin`, to be filled by the test."""
    module = ModuleType("plugin")
    monkeypatch.setitem(sys.modules, "plugin", module)
    return module


async def test_the_eight_built_in_tools_come_first_and_in_order(
    http: ClientSession, plugin: ModuleType
) -> None:
    plugin.__dict__["extra"] = tool("aaa")
    registry = build_registry(settings(tool_modules="plugin:extra"), http, Parsers())
    assert [spec.name for spec in registry.specs] == [
        "webSearch",
        "fetchPage",
        "fetchURLs",
        "writeFile",
        "readFile",
        "sendWebhook",
        "sendEmail",
        "askHuman",
        "aaa",
    ]
    assert [spec.order for spec in registry.specs] == [0, 1, 2, 3, 4, 5, 6, 7, 1000]


async def test_each_built_in_tool_declares_what_a_second_call_does(http: ClientSession) -> None:
    registry = build_registry(settings(), http, Parsers())
    assert {tool.name: tool.effect.value for tool in registry} == {
        "webSearch": "read",
        "fetchPage": "read",
        "fetchURLs": "read",
        "writeFile": "once",
        "readFile": "read",
        "sendWebhook": "idempotent",
        "sendEmail": "once",
        "askHuman": "read",
    }


async def test_a_plugin_declares_what_it_leaves_and_what_results_fill_as_built_in_tools_do(
    http: ClientSession, plugin: ModuleType
) -> None:
    leaves = OutputSpec(kind="file", fields=("name",))
    plugin.__dict__["save"] = Tool(
        name="save",
        description="",
        accepts=Saved,
        effect=Effect.IDEMPOTENT,
        run=nothing,
        output=leaves,
        filled_from_results={"text": Fill.TEXT},
    )
    spec = build_registry(settings(tool_modules="plugin:save"), http, Parsers()).get("save").spec
    assert spec.output == leaves
    assert spec.filled_from_results == {"text": Fill.TEXT}
    assert ToolSpec.model_validate_json(spec.model_dump_json()) == spec


def test_a_tool_cannot_fill_a_parameter_that_it_does_not_have() -> None:
    with pytest.raises(ValueError, match="filled_from_results names txet; its parameters are text"):
        Tool(
            name="save",
            description="",
            accepts=Saved,
            effect=Effect.READ,
            run=nothing,
            filled_from_results={"txet": Fill.TEXT},
        )


async def test_an_unknown_tool_is_rejected(http: ClientSession) -> None:
    with pytest.raises(Reject, match="Tool not found: web_search"):
        build_registry(settings(), http, Parsers()).get("web_search")


async def test_tools_refuse_a_session_without_the_address_guard() -> None:
    async with ClientSession() as unguarded:
        with pytest.raises(ValueError, match="guarded_session"):
            build_registry(settings(), unguarded, Parsers())


def test_importing_the_registry_does_not_import_what_only_some_calls_need() -> None:
    heavy = ["trafilatura", "lxml", "pypdf", "ddgs", "aiosmtplib"]
    code = f"import executor.tools.registry, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "attribute",
    [tool("extra"), [tool("extra")], lambda given: [tool(given.search_backend)], lambda _: tool("extra")],
)
def test_a_plugin_is_a_tool_or_a_list_or_a_function_of_the_settings(
    attribute: Any, plugin: ModuleType
) -> None:
    plugin.__dict__["attribute"] = attribute
    found = plugged_in(settings(tool_modules="plugin:attribute", search_backend="extra"), [])
    assert [(origin, made.name) for origin, made in found] == [("plugin:attribute", "extra")]


def test_installed_packages_bring_tools_by_entry_point(plugin: ModuleType) -> None:
    plugin.__dict__["tools"] = SimpleNamespace(mine=[tool("extra")])
    entry = EntryPoint(name="x", value="plugin:tools.mine", group="async_agent.tools")
    assert [made.name for _, made in plugged_in(settings(), [entry])] == ["extra"]


@pytest.mark.parametrize("attribute", ["text", 7, [tool("a"), "b"], lambda _: None])
def test_a_plugin_that_is_not_a_tool_stops_the_start(attribute: Any, plugin: ModuleType) -> None:
    plugin.__dict__["attribute"] = attribute
    with pytest.raises(BrokenPlugin, match=r"^TOOL_MODULES: plugin:attribute is neither a Tool"):
        list(plugged_in(settings(tool_modules="plugin:attribute"), []))


@pytest.mark.parametrize("reference", ["no_such_module:x", "plugin:missing", "not a reference"])
def test_a_plugin_that_cannot_be_loaded_stops_the_start(reference: str, plugin: ModuleType) -> None:
    with pytest.raises(BrokenPlugin, match=r"^TOOL_MODULES: cannot load"):
        list(plugged_in(settings(tool_modules=reference), []))


def test_a_reference_in_another_form_is_told_the_right_form(plugin: ModuleType) -> None:
    with pytest.raises(
        BrokenPlugin, match=r"cannot load 'not a reference': write it as package\.module:attribute"
    ):
        list(plugged_in(settings(tool_modules="not a reference"), []))


@pytest.mark.parametrize("attribute", ["fails", "fails_in_several_lines"])
def test_a_plugin_that_fails_when_it_is_made_stops_the_start_with_one_line(
    attribute: str, plugin: ModuleType
) -> None:
    def fails(_: ToolSettings) -> None:
        raise KeyError("WEATHER_KEY")

    def fails_in_several_lines(_: ToolSettings) -> None:
        Saved.model_validate({})

    plugin.__dict__.update(fails=fails, fails_in_several_lines=fails_in_several_lines)
    with pytest.raises(UserError, match="cannot call 'plugin:") as told:
        list(plugged_in(settings(tool_modules=f"plugin:{attribute}"), []))
    assert len(str(told.value).splitlines()) == 1
    with pytest.raises(UserError, match="cannot call 'plugin:"):
        search_backend(settings(search_backend=f"plugin:{attribute}"))


async def test_the_tool_in_the_readme_works(http: ClientSession, plugin: ModuleType) -> None:
    readme = (Path(__file__).parents[4] / "README.md").read_text(encoding="utf-8")
    section = readme.partition("## Write a tool")[2]
    exec(section.partition("```python\n")[2].partition("```")[0], plugin.__dict__)
    weather = build_registry(settings(tool_modules="plugin:tool"), http, Parsers()).get("weather")
    answer = await weather.invoke({"city": "Paris"}, CallContext("run_1/001"))
    assert answer == {"city": "Paris", "weather": "sunny"}


def test_two_tools_of_one_name_stop_the_start_and_say_where_they_come_from() -> None:
    tools: Iterable[tuple[str, Tool[Any]]] = [("built in", tool("a")), ("plugin:a", tool("a"))]
    with pytest.raises(DuplicateTool, match="two tools are called 'a': built in and plugin:a"):
        Registry.of(tools)


def test_the_search_backend_is_ddgs_or_one_of_your_own(plugin: ModuleType) -> None:
    assert search_backend(settings(search_backend="bing", search_proxy="socks5://p:1")) == Ddgs(
        "bing", "socks5://p:1"
    )
    plugin.__dict__["mine"] = lambda given: SimpleNamespace(search=given.data_dir.exists)
    assert callable(search_backend(settings(search_backend="plugin:mine")).search)
    plugin.__dict__["broken"] = 7
    with pytest.raises(BrokenPlugin, match=r"^SEARCH_BACKEND: .* not a search backend"):
        search_backend(settings(search_backend="plugin:broken"))


def test_lists_in_the_environment_are_comma_separated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_PRIVATE_HOSTS", "localhost:8080, 10.0.0.0/8,")
    monkeypatch.setenv("TOOL_MODULES", "a:b,c:d")
    found = settings()
    assert [host.port for host in found.allowed_private_hosts] == [8080, None]
    assert found.tool_modules == ("a:b", "c:d")


def test_a_webhook_secret_is_base64_with_or_without_its_prefix() -> None:
    assert webhook_key(settings(webhook_secret="whsec_c2VjcmV0").webhook_secret) == b"secret"
    assert webhook_key(settings(webhook_secret="c2VjcmV0").webhook_secret) == b"secret"
    assert webhook_key(settings().webhook_secret) == b""
    with pytest.raises(ValueError, match="WEBHOOK_SECRET must be base64"):
        settings(webhook_secret="my secret")


def test_secrets_do_not_show() -> None:
    shown = repr(settings(webhook_secret="c2VjcmV0", smtp_pass="hunter2"))
    assert "c2VjcmV0" not in shown
    assert "hunter2" not in shown
