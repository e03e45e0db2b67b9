"""What the documents say is true: commands parse, paths resolve, tables equal the code."""

import re
import shlex
import tomllib

import pytest
from django.core.management import get_commands, load_command_class
from django.urls import Resolver404, resolve

from config.schedules import PLANNED
from tests.config.environment import documented_names
from tests.documents import BASE_DIR, BLOCK, BLOCKS, DOCUMENTS, rewritten

TEXTS = {str(path.relative_to(BASE_DIR)): path.read_text() for path in DOCUMENTS}


def found(pattern: str, *, flags: int = 0) -> list:
    """Every match of a pattern outside the written tables, with the document it stands in."""
    return [
        pytest.param(match, id=f"{name}: {match[:70]}")
        for name, text in TEXTS.items()
        for match in sorted(set(re.findall(pattern, BLOCK.sub("", text), flags)))
    ]


# A command stands in a line of code or between backticks, and ends with either. Without
# arguments it may be just its name.
COMMANDS = found(r"manage\.py ([a-z_]+[^`\n]*?)(?:\s+#[^`\n]*)?(?=`|$)", flags=re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_that_is_shown_is_understood(line):
    name, *arguments = shlex.split(line.split(" | ")[0].split(" > ")[0])
    known = get_commands()
    assert name in known, name
    if not arguments:
        return  # it is only spoken of
    parser = load_command_class(known[name], name).create_parser("manage.py", name)
    parser.parse_args(arguments)


@pytest.mark.parametrize(
    "target", found(r"\bmake ([a-z]+)\b(?=`|\s+#|\s*$| [A-Z]+=)", flags=re.M)
)
def test_every_make_target_that_is_shown_exists(target):
    assert re.search(rf"^{target}:", (BASE_DIR / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("path", found(r"(?<![\w.])(/api/(?!v1`)[\w{}/<>-]*)"))
def test_every_api_path_that_is_shown_is_there(path):
    """The last route answers what is not there; a path must not end up with it."""
    filled = re.sub(r"[{<][^}>]*[}>]", "1", path)
    try:
        view = resolve(filled).func
    except Resolver404:
        pytest.fail(f"{path} resolves to nothing")
    assert getattr(getattr(view, "cls", None), "__name__", "") != "Missing", path


@pytest.mark.parametrize("name", [name for name, text in TEXTS.items() if BLOCK.search(text)])
def test_the_tables_say_what_the_code_says(name):
    assert TEXTS[name] == rewritten(TEXTS[name]), "make docs writes them anew"


def test_every_table_of_the_code_stands_in_a_document():
    assert {m[2] for text in TEXTS.values() for m in BLOCK.finditer(text)} == set(BLOCKS)


@pytest.mark.req("S003-067", "S003-068")
def test_the_cron_lines_are_the_schedules():
    shown = re.findall(r'^([\d*/ ]+) +cd .*manage\.py tick "?([\w -]+?)"?$', cron_lines(), re.M)
    planned = {p.name: p for p in PLANNED}
    assert {name for _, name in shown} == set(planned)
    for when, name in shown:
        job = planned[name]
        every = "* * * * *" if job.minutes == 1 else f"*/{job.minutes} * * * *"
        assert when.strip() == (job.cron or every), name


def cron_lines() -> str:
    return TEXTS["docs/operations.md"]


@pytest.mark.parametrize("link", found(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)"))
def test_every_link_inside_the_project_leads_somewhere(link):
    """Links are written from the root or from docs/, as the document lies."""
    target, _, anchor = link.partition("#")
    places = [BASE_DIR / target, BASE_DIR / "docs" / target]
    existing = [place.resolve() for place in places if place.exists()]
    assert existing, link
    if anchor:
        heads = re.findall(r"^#+ (.+)$", existing[-1].read_text(), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
        assert anchor in slugs, link


def test_the_newest_heading_of_the_changelog_is_the_version():
    project = tomllib.loads((BASE_DIR / "pyproject.toml").read_text())["project"]
    first = re.search(r"^## v(\S+)", TEXTS["CHANGELOG.md"], re.MULTILINE)
    assert first[1] == project["version"]


@pytest.mark.parametrize("name", found(r"(?<![\w$])([A-Z][A-Z_]{3,})=(?!=)"))
def test_every_setting_that_is_shown_is_one(name):
    made_by_make = set(re.findall(r"^([A-Z]+) \?=", (BASE_DIR / "Makefile").read_text(), re.M))
    of_tests = {"OVERTURE_DATA", "OVERTURE_SOAK", "OVERTURE_SOAK_MESSAGES"}
    assert name in documented_names() | made_by_make | of_tests


def test_no_document_speaks_of_where_it_was_written():
    for name, text in TEXTS.items():
        assert not re.search(r"/(work|tmp|root)/", text), name


@pytest.mark.parametrize("name", TEXTS)
def test_no_document_names_the_id_of_a_requirement(name):
    """docs/promises.toml has them; whoever reads how to use the desk does not know them."""
    if name != "CONTRIBUTING.md":
        assert not re.search(r"\bS\d{3}-\d{3}\b", TEXTS[name])
