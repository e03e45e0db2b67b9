"""There is one way out of this house, and it leads through the gate."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parents[2]
APPS = ("campaigns", "config", "crm_sync", "pitches", "prospects")


def modules() -> Iterator[tuple[str, ast.Module]]:
    for app in APPS:
        for path in sorted((BASE_DIR / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(BASE_DIR)), ast.parse(path.read_text())


def functions_with(found) -> set[tuple[str, str]]:
    """Where a node is found: file and innermost function."""
    places = set()
    for name, tree in modules():
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                inner = {
                    id(node)
                    for nested in ast.walk(function)
                    if isinstance(nested, ast.FunctionDef) and nested is not function
                    for node in ast.walk(nested)
                }
                if any(found(node) for node in ast.walk(function) if id(node) not in inner):
                    places.add((name, function.name))
    return places


def _is_handing(node: ast.expr) -> bool:
    return ast.unparse(node).strip("'\"").rpartition(".")[2].lower() == "handing"


@pytest.mark.req("REL-3")
def test_only_the_gate_sets_handing():
    def sets_handing(node) -> bool:
        if isinstance(node, ast.Assign):
            return _is_handing(node.value)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            return False
        told = [*node.args, *(word.value for word in node.keywords if word.arg == "status")]
        writes = node.func.attr in {"update", "move", "create", "update_or_create"}
        return writes and any(map(_is_handing, told))

    assert functions_with(sets_handing) == {("pitches/gate.py", "pass_through")}


@pytest.mark.req("REL-3")
def test_only_sending_hands_a_letter_to_a_channel_after_the_gate():
    def hands_over(node) -> bool:
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        return called and node.func.attr == "hand_over"

    # a sample is no message: it goes to the user who asks for it, and to nobody else
    to_oneself = ("pitches/samples.py", "_send")
    assert functions_with(hands_over) == {("pitches/sending.py", "_hand_over"), to_oneself}


@pytest.mark.req("REL-3")
def test_only_the_channel_speaks_smtp():
    speaking = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and "smtplib" in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    assert speaking == {"pitches/channels/smtp.py"}


@pytest.mark.req("S003-054")
def test_a_database_that_does_not_answer_is_a_sentence_and_an_exit_code():
    environment = os.environ | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"}
    ended = subprocess.run(
        [sys.executable, "manage.py", "run_outreach_automation", "--dry-run"],
        cwd=BASE_DIR,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "The database does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr
