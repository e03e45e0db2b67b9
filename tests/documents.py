"""The tables of docs/ that say what the code says: written from it, and held against it.

Between ``<!-- written from the code: NAME -->`` and ``<!-- end -->`` stands what
``BLOCKS[NAME]`` returns. ``make docs`` writes them anew; a test fails while one differs.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django

BASE_DIR = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    BASE_DIR / "README.md",
    BASE_DIR / "CONTRIBUTING.md",
    BASE_DIR / "CHANGELOG.md",
    *sorted((BASE_DIR / "docs").glob("*.md")),
]
BLOCK = re.compile(r"(<!-- written from the code: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
OURS = ["config", "campaigns", "prospects", "pitches", "crm_sync"]
# What every command of Django has; said once, not twenty times.
COMMON = {
    "help", "version", "verbosity", "settings", "pythonpath", "traceback", "no_color",
    "force_color", "skip_checks",
}  # fmt: skip
# Django's own, in our place only to be quiet.
SILENT = {"makemigrations"}


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', '/') for cell in line)} |\n" for line in lines
    )


def lifecycles() -> str:
    """Every status of every lifecycle, and from where it is reached."""
    from django.apps import apps

    from config.db import Stateful

    parts = []
    for app in OURS:
        for model in apps.get_app_config(app).get_models():
            if not issubclass(model, Stateful):
                continue
            first = model._meta.get_field("status").default
            rows = []
            for status in model.Status.values:
                origins = model.MOVES.get(status, ())
                order = [f"`{s}`" for s in model.Status.values if s in origins]
                came = ", ".join(order) or "nowhere"
                rows.append([f"`{status}`", f"{came} (the first)" if status == first else came])
            parts.append(f"**{model.__name__}**\n\n{table(['status', 'reached from'], rows)}")
    return "\n".join(parts)


def reasons() -> str:
    """The closed list of reasons a decision can have, with their sentences."""
    from pitches.decisions import Reason

    rows = [
        [f"`{reason.value}`", re.sub(r"\{(\w+)\}", r"*\1*", reason.label)] for reason in Reason
    ]
    return table(["reason", "sentence"], rows)


def schedules() -> str:
    """The jobs, as the workers run them and as cron would."""
    from config.schedules import PLANNED

    rows = [[f"`{cron(p)}`", f'`manage.py tick "{p.name}"`', p.about] for p in PLANNED]
    return table(["when (UTC)", "command", "what it does"], rows)


def cron(planned: Any) -> str:
    """When a job runs, as cron says it."""
    if planned.cron:
        return planned.cron
    if planned.minutes == 1:
        return "* * * * *"
    assert planned.minutes < 60
    return f"*/{planned.minutes} * * * *"


def commands() -> str:
    """Every command of ours with its arguments."""
    from django.core.management import get_commands, load_command_class

    parts = []
    for name, app in sorted(get_commands().items()):
        if app not in OURS or name in SILENT:
            continue
        command = load_command_class(app, name)
        parser = command.create_parser("manage.py", name)
        actions = [a for a in parser._actions if a.dest not in COMMON]
        words = [_placeholder(a) for a in actions if not a.option_strings]
        about = " ".join((command.help or "").split())
        parts.append(f"### `{' '.join([name, *words])}`\n\n{about}\n")
        rows = list(_options(parser, actions))
        if rows:
            parts.append(table(["argument", "meaning"], rows))
    return "\n".join(parts)


def _placeholder(action: argparse.Action) -> str:
    word = action.metavar or action.dest.upper()
    return f"[{word}]" if action.nargs in ("?", "*") else str(word)


def _options(parser: Any, actions: list[argparse.Action]) -> Iterator[list[str]]:
    formatter = parser._get_formatter()
    for action in actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        shown = ", ".join(action.option_strings) or _placeholder(action)
        if action.option_strings and action.nargs != 0:
            metavar = action.metavar or action.dest.upper()
            shown += f" {metavar if isinstance(metavar, str) else ' '.join(metavar)}"
        about = formatter._expand_help(action) if action.help else ""
        if action.choices and not action.help:
            about = "one of: " + ", ".join(str(choice) for choice in action.choices)
        yield [f"`{shown}`", " ".join(about.split())]


def routes() -> str:
    """Every route of the API; methods that do the same thing to one path share a line."""
    from drf_spectacular.generators import SchemaGenerator

    rows: dict[tuple[str, str], list[str]] = {}
    for path, methods in SchemaGenerator().get_schema(public=True)["paths"].items():
        for method, operation in methods.items():
            about = operation.get("summary") or operation.get("description", "")
            first = about.strip().partition("\n")[0]
            rows.setdefault((path, first), []).append(method.upper())
    return table(
        ["route", "methods", "what it does"],
        [[f"`{path}`", ", ".join(names), about] for (path, about), names in rows.items()],
    )


BLOCKS: dict[str, Callable[[], str]] = {
    "lifecycles": lifecycles,
    "reasons": reasons,
    "schedules": schedules,
    "commands": commands,
    "routes": routes,
}


def rewritten(text: str) -> str:
    """A document with its tables as the code has them now."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{BLOCKS[m[2]]()}\n{m[4]}", text)


def main() -> int:
    """Write the tables anew; tell which documents changed."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for path in DOCUMENTS:
        text = path.read_text()
        if text != (new := rewritten(text)):
            path.write_text(new)
            sys.stdout.write(f"{path.relative_to(BASE_DIR)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
