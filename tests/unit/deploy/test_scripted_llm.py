from __future__ import annotations

import json
from typing import Any

import pytest

from contracts.domain.dag import Clarified
from contracts.domain.plan import Job
from deploy.scripted_llm import Script, ScriptedAnswer, default_rules, parse_rules
from deploy.scripted_llm.script import Request, completion

PLANNER = "… one JSON object with the keys intent, entities, sub_tasks …"
SYNTHESIS = "You merge the results of several tasks into one well-formed Markdown report."


def ask(system: str, user: str, **body: Any) -> Request:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return Request({"model": "scripted", "messages": messages, **body})


def said(script: Script, request: Request) -> str:
    answer = script.answer(request)
    assert answer is not None
    return str(completion(request, answer, 1)["choices"][0]["message"]["content"])


def test_the_first_rule_whose_conditions_all_hold_answers() -> None:
    script = Script(
        parse_rules("""
            [[rule]]
            when = { system = "pirate", user = "(?P<word>hello|bye)" }
            answer.text = "Arr, $word."
            [[rule]]
            when.has = ["tools"]
            answer.text = "tools"
            [[rule]]
            when.lacks = ["seed"]
            answer.text = "no seed"
            """)
    )

    assert said(script, ask("You are a pirate", "oh hello")) == "Arr, hello."
    assert said(script, ask("You are a pirate", "good day", tools=[])) == "tools"
    assert said(script, ask("You are a clerk", "hello")) == "no seed"
    assert script.answer(ask("You are a clerk", "hello", seed=1)) is None


def test_a_rule_may_apply_only_so_often_or_only_later() -> None:
    script = Script(
        parse_rules("""
            [[rule]]
            times = 2
            answer.text = "first two"
            [[rule]]
            when.after_calls = 3
            answer.text = "from the fourth"
            [[rule]]
            answer.text = "between"
            """)
    )

    answers = [said(script, ask("", "x")) for _ in range(5)]

    assert answers == ["first two", "first two", "between", "from the fourth", "from the fourth"]


def test_captures_are_escaped_where_they_land_in_json() -> None:
    script = Script(parse_rules('[[rule]]\nanswer.job.goal = "$user"'))

    assert json.loads(said(script, ask("", 'say "hi" for $5')).split("```")[1].removeprefix("json")) == {
        "goal": 'say "hi" for $5'
    }


def test_text_parts_of_a_message_are_searched_and_images_are_not() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:,"}}]
    script = Script(parse_rules('[[rule]]\nwhen.user = "look"\nanswer.text = "seen"'))

    assert said(script, Request({"messages": [{"role": "user", "content": parts}]})) == "seen"


@pytest.mark.parametrize(
    "toml", ["[[rule]]\nwhen.sytem = 'x'", "[[rules]]\nname = 'x'", "[[rule]]\nwhen.user = '('", "not toml"]
)
def test_a_mistake_in_the_rules_is_an_error(toml: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rules(toml)


@pytest.mark.parametrize(
    "goal",
    [
        "Compare solar and wind power for a small farm and write a report",
        'Plan a "surprise" party {for} $5\n\nand 10 guests',
        "漢字",
    ],
)
def test_the_demo_has_a_plan_for_any_goal(goal: str) -> None:
    """With real files, two branches side by side, and results handed on."""
    plan = json.loads(said(Script(default_rules()), ask(PLANNER, goal)).split("```")[1].removeprefix("json"))

    tasks = {task["id"]: task for task in plan["sub_tasks"]}
    assert goal.startswith(plan["original_request"])
    assert plan["validation"]["coverage"] == "high"
    assert {task["tool_or_prompt"]["name"] for task in tasks.values()} == {
        "writeFile",
        "readFile",
        "inference",
    }
    assert tasks["3"]["dependencies"] == tasks["4"]["dependencies"] == ["2"]
    assert all(needed in {*tasks, "none"} for task in tasks.values() for needed in task["dependencies"])


def test_the_demo_asks_back_about_an_unclear_goal_until_it_has_been_told() -> None:
    script, goal = Script(default_rules()), "Say what that would cost"
    told = f"{goal}{Clarified(answer='A roof of solar panels, in euros').addition}"

    asked, planned = (
        Job.model_validate_json(said(script, ask(PLANNER, text)).split("```")[1].removeprefix("json"))
        for text in (goal, told)
    )

    assert (asked.original_request, asked.clarification_needed) == (goal, True)
    assert asked.clarification_query
    assert not planned.clarification_needed


@pytest.mark.parametrize("goal", ["Compare solar and wind power", "Open a bakery"])
@pytest.mark.parametrize("order", [(1, 2, 3, 4, 5, 6), (6, 5, 4, 3, 2, 1)])
def test_the_demos_report_holds_the_results_of_the_steps(goal: str, order: tuple[int, ...]) -> None:
    results = "\n\n".join(f"Task 00{n} result:\nfound in step {n}" for n in order)
    prompt = f"Write a Markdown report that answers: {goal}\n\n{results}\n\nWrite the final report."

    report = said(Script(default_rules()), ask(SYNTHESIS, prompt))

    assert report.startswith("# ")
    assert "found in step 3" in report
    assert "found in step 4" in report
    assert "result:" not in report


def test_the_demo_knows_every_step_it_plans() -> None:
    """No step of its own plans falls through to the answer for unknown steps."""
    script = Script(default_rules())
    for goal in ("Compare solar and wind power", "Open a bakery"):
        plan = json.loads(said(script, ask(PLANNER, goal)).split("```")[1].removeprefix("json"))
        steps = [task["description"] for task in plan["sub_tasks"] if task["action_type"] == "inference"]
        answers = [
            said(script, ask("", f"# Current Task [3/6]\n**Description:** {step}\n")) for step in steps
        ]
        assert len(set(answers)) == len(steps) >= 2
        assert not any("scripted" in answer for answer in answers)


def test_the_demo_answers_an_unknown_step_with_its_description() -> None:
    step = said(Script(default_rules()), ask("", "# Current Task [1/1]\n**Description:** Feed the cat\n"))

    assert "Feed the cat" in step


def test_the_demos_title_has_five_words_at_most() -> None:
    title = said(Script(default_rules()), ask("Return a very short title.", "Open a bakery in the old town"))

    assert title == "Open a bakery in the"


def test_a_rule_may_ask_for_tools_and_for_a_turn() -> None:
    script = Script(
        parse_rules("""
            [[rule]]
            when = { tools = ["a", "b"], turn = 2 }
            answer.text = "both, the second time"
            [[rule]]
            when.tools = ["a"]
            answer.text = "one of them"
            [[rule]]
            answer.text = "neither"
            """)
    )

    assert said(script, conversation("You", "Go", tools=("a", "b"), turns=1)) == "both, the second time"
    assert said(script, conversation("You", "Go", tools=("a", "b"))) == "one of them"
    assert said(script, conversation("You", "Go", tools=("b",), turns=1)) == "neither"


def test_a_captured_text_becomes_a_file_name() -> None:
    script = Script(parse_rules("[[rule]]\nwhen.user = 'on (?P<what>.+)'\nanswer.text = '$what_slug'"))

    assert said(script, ask("", 'notes on "Solar & Wind": 1/2')) == "solar-wind-1-2"


OBJECTIVE = "Find out what solar power costs"
SYSTEM = f"You are an agent.\n\n# Objective\n{OBJECTIVE}\n\n# Tools\nfetchPage: its title and text"
START = "This is the start."
LEFT = "# What earlier runs of this goal left\n- fact: The notes on this objective are in a-folder (2 files)."


def conversation(system: str, user: str, *, tools: tuple[str, ...], turns: int = 0) -> Request:
    """One in which the model has answered `turns` times already, each time with one call of a tool."""
    offered = [{"type": "function", "function": {"name": name}} for name in tools]
    request = ask(system, user, tools=offered)
    past = [{"role": "assistant", "content": ""}, {"role": "tool", "content": "{}"}]
    return Request({**request.body, "messages": [*request.messages, *past * turns]})


def calls(script: Script, request: Request) -> list[str]:
    answer = script.answer(request)
    assert isinstance(answer, ScriptedAnswer)
    return [call.name for call in answer.tool_calls]


@pytest.mark.parametrize(
    ("user", "tools", "called"),
    [
        (START, ("writeFile", "readFile", "remember"), ["writeFile", "writeFile"]),
        (START, ("writeFile",), ["writeFile", "writeFile"]),
        (START, ("webSearch",), []),
        (f"{START}\n\n{LEFT}", ("writeFile", "readFile"), ["readFile", "readFile"]),
        (f"{START}\n\n{LEFT}", ("writeFile",), ["writeFile", "writeFile"]),
    ],
)
def test_the_demos_agent_begins_with_the_tools_it_has(
    user: str, tools: tuple[str, ...], called: list[str]
) -> None:
    assert calls(Script(default_rules()), conversation(SYSTEM, user, tools=tools)) == called


@pytest.mark.parametrize("turns", [1, 2, 5])
def test_the_demos_agent_ends_whatever_a_tool_has_answered(turns: int) -> None:
    tools = ("writeFile", "readFile", "remember")
    assert calls(Script(default_rules()), conversation(SYSTEM, START, tools=tools, turns=turns)) == []


def test_the_demos_summary_of_any_other_run_is_what_the_agent_said_last() -> None:
    steps = "Step 1: I call it.\n[sendWebhook] {}\n\nStep 2: Done: it\n\nhas answered."
    prompt = (
        "The work on this objective has ended. Sum it up for the person who set it.\n\n"
        f"# Objective\n{OBJECTIVE}\n\n# Steps\n{steps}\n\nWrite a plain final summary: what was done."
    )
    request = Request({"messages": [{"role": "user", "content": prompt}]})

    assert said(Script(default_rules()), request) == "Done: it\n\nhas answered."
