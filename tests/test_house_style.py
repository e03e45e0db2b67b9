"""How the code of this house looks: what may stand where, read from the source itself."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

BASE_DIR = Path(__file__).resolve().parent.parent
APPS = ["config", "campaigns", "prospects", "pitches", "crm_sync"]
SOURCES = [
    path
    for app in APPS
    for path in sorted((BASE_DIR / app).rglob("*.py"))
    if "migrations" not in path.parts
]
TREES = {str(p.relative_to(BASE_DIR)): ast.parse(p.read_text()) for p in SOURCES}
TEMPLATES = sorted((BASE_DIR / "templates").rglob("*.*"))


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted name it is made by."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def imported(tree: ast.AST) -> set[str]:
    """The modules that are imported, dotted."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return names


def where(found) -> set[str]:
    """The files in which ``found(tree)`` finds anything."""
    return {name for name, tree in TREES.items() if found(tree)}


# Names


TELL_NOTHING = "manager|handler|processor|service|helper|utils?|data|info|common|core|misc|base"


def test_no_module_has_a_name_that_tells_nothing():
    tells_nothing = re.compile(rf"({TELL_NOTHING}|.*_({TELL_NOTHING}))s?\.py")
    # Django looks for a backend's wrapper in a module of this name.
    named = {name for name in TREES if tells_nothing.fullmatch(Path(name).name)}
    assert named <= {"config/postgres/base.py"}


def test_no_class_has_a_name_that_tells_nothing():
    named = {
        f"{file}: {node.name}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        if re.search(r"(Manager|Handler|Processor|Service|Helper|Utils?)$", node.name)
    }
    assert named == set()


def test_no_lead_is_called_a_candidate():
    """``candidates = Lead.objects…`` would make two words of one."""
    wrong = {
        f"{file}:{node.lineno}"
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and "candidate" in ast.unparse(node.targets[0])
        if re.match(r"(\w+\.)?Lead\.objects", ast.unparse(node.value))
    }
    assert wrong == set()


def test_nothing_in_the_tree_is_left_for_later():
    unfinished = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError\(\)")
    files = [*SOURCES, *TEMPLATES, BASE_DIR / "Makefile", *(BASE_DIR / "docs").glob("*.md")]
    left = [str(f) for f in files if f.suffix in READ and unfinished.search(f.read_text())]
    assert left == []


READ = {".py", ".html", ".txt", ".md", ".liquid", ".js", ".css", ""}


# What may stand where


def test_only_commands_and_programs_talk_to_a_terminal():
    """A module that is also a program may; everything else logs."""

    def prints(tree):
        return any(name in ("print", "sys.stdout.write") for name, _ in calls(tree))

    allowed = {"config/first_run.py", "prospects/feed_reader.py"}
    assert {n for n in where(prints) if "/management/" not in n} <= allowed


DOORS = (
    "admin", "api", "portal", "public", "webhooks", "jobs", "management", "home", "viewer",
    "views",
)  # fmt: skip


def is_door(file: str) -> bool:
    parts = Path(file).with_suffix("").parts
    return parts[0] == "config" or any(
        part in DOORS or part.endswith("_views") for part in parts[1:]
    )


def test_the_clock_is_read_at_the_doors():
    """Everything behind them is told what time it is."""

    def reads_the_clock(tree):
        clocks = {"timezone.now", "datetime.now", "datetime.datetime.now", "date.today", "now"}
        return any(name in clocks for name, _ in calls(tree))

    assert {name for name in where(reads_the_clock) if not is_door(name)} == set()


# Slow or optional: they are imported by whoever needs them, when it does.
LATE = {"openai", "anthropic", "wordllama", "holidays"}


def test_imports_stand_at_the_top():
    hidden = {
        f"{file}:{node.lineno}"
        for file, tree in TREES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
        if not {name.split(".")[0] for name in imported(node)} <= LATE
    }
    # An app's ready() is where Django wants its receivers and checks to be imported.
    assert {place for place in hidden if "/apps.py:" not in place} == set()


@pytest.mark.req("REL-3")
def test_only_the_gate_hands_a_message_over():
    """The only code that makes a message ``handing`` is the gate."""

    def sets_handing(tree):
        for name, call in calls(tree):
            words = [*call.args[:1]] if name.endswith(".move") else []
            words += [k.value for k in call.keywords if k.arg == "status"]
            is_filter = name.split(".")[-1] in ("filter", "exclude", "get", "Q", "aggregate")
            if not is_filter and any(_says_handing(word) for word in words):
                yield f"{ast.unparse(call)[:60]}"

    places = {
        (file, function.name)
        for file, tree in TREES.items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef) and any(sets_handing(function))
    }
    assert {file for file, _ in places} == {"pitches/gate.py"}
    assert len(places) == 1, places


def _says_handing(node: ast.AST) -> bool:
    return ast.unparse(node).strip("'\"").rpartition(".")[2].lower() == "handing"


@pytest.mark.req("REL-3")
def test_only_channels_talk_to_mail_servers():
    def talks(tree):
        return imported(tree) & {"smtplib", "django.core.mail", "anymail"} or any(
            name.rpartition(".")[2]
            in ("send_mail", "get_connection", "send_message", "sendmail")
            for name, _ in calls(tree)
        )

    # it marks what the system says of itself, and sends no pitch
    of_the_system = {"config/mail.py"}
    assert {n for n in where(talks) if not n.startswith("pitches/channels/")} <= of_the_system


@pytest.mark.req("REL-3")
def test_only_sending_uses_a_channel_to_deliver():
    """Whoever may deliver could go around the gate."""

    def delivers(tree):
        return any(name.endswith((".hand_over", ".deliver")) for name, _ in calls(tree))

    users = {n for n in where(delivers) if not n.startswith("pitches/channels/")}
    # samples go to the user who asks for one; tests/pitches/test_samples.py holds them to it
    assert users <= {"pitches/sending.py", "pitches/samples.py"}


WEB = {
    "requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client", "ftplib",
    "feedparser", "openai", "anthropic",
}  # fmt: skip
# Each with what it may use, and why.
MAY_FETCH = {
    "config/http.py": {"requests", "urllib3"},  # the one door to the web
    "config/management/commands/up.py": {"urllib.request"},  # asks its own web process
    "campaigns/ai/providers.py": {"openai", "anthropic"},  # the vendors' own clients
    "prospects/feed_reader.py": {"feedparser"},  # reads bytes, in a process of its own
}


@pytest.mark.req("SEC-19")
def test_there_is_one_door_to_the_web():
    for file, tree in TREES.items():
        used = {web for web in WEB if any(_is_in(web, name) for name in imported(tree))}
        assert used <= MAY_FETCH.get(file, set()), file


def _is_in(package: str, name: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.req("SEC-19")
def test_a_feed_is_parsed_from_bytes_and_never_from_an_address():
    for file, tree in TREES.items():
        for name, call in calls(tree):
            if name == "feedparser.parse":
                given = ast.unparse(call.args[0])
                assert not re.search(r"url|address|http", given, re.IGNORECASE), file


@pytest.mark.req("S000-005", "S001-055", "S003-071", "SEC-16")
def test_the_environment_is_read_in_one_place():
    """Settings read it; what starts processes hands it on; nobody else looks."""

    def reads(tree):
        names = {ast.unparse(n) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        return names & {"os.environ", "os.getenv"} or "environ" in imported(tree)

    assert {name for name in where(reads) if not name.startswith("config/")} == set()


@pytest.mark.req("S000-005", "S001-055", "SEC-16")
def test_no_key_lies_in_the_code():
    """Long random words, and the beginnings by which vendors mark their keys."""
    key = re.compile(
        r"\b(sk-|xox[bp]-|AKIA|ghp_|SG\.)[\w-]{12,}"
        r"|['\"](?=\S*\d)(?=\S*[A-Z])[\w+/-]{40,}={0,2}['\"]"
    )
    folders = [*APPS, "templates", "fixtures", "docs"]
    files = [
        p for folder in folders for p in (BASE_DIR / folder).rglob("*") if p.suffix in READ
    ]
    found = {
        str(path.relative_to(BASE_DIR)): match[0]
        for path in files
        if path.is_file() and (match := key.search(path.read_text()))
    }
    assert found == {}


@pytest.mark.req("S000-014")
def test_there_is_a_license():
    text = (BASE_DIR / "LICENSE").read_text()
    assert text.startswith("MIT License")
    assert 'license = "MIT"' in (BASE_DIR / "pyproject.toml").read_text()


@pytest.mark.req("S000-006")
def test_nobody_sets_up_a_log_of_its_own():
    """Settings do, once, for web, worker and commands."""

    def sets_up(tree):
        names = {name for name, _ in calls(tree)}
        return names & {"logging.basicConfig", "logging.config.dictConfig"} or any(
            name.endswith((".addHandler", ".setFormatter")) for name in names
        )

    assert where(sets_up) == set()


# Texts that others wrote


# Python that calls a string safe, each because it escapes what it puts together.
MAKES_SAFE: set[str] = set()


@pytest.mark.req("SEC-25")
def test_no_code_calls_foreign_text_safe():
    def makes_safe(tree):
        return any(
            name.rpartition(".")[2] in ("mark_safe", "SafeString", "SafeText", "html_safe")
            for name, _ in calls(tree)
        )

    assert where(makes_safe) == MAKES_SAFE


@pytest.mark.req("SEC-25")
def test_no_template_shows_text_unescaped():
    unescaped = re.compile(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off|mark_safe")
    shown = [
        str(path.relative_to(BASE_DIR))
        for app in ["templates", *APPS]
        for path in (BASE_DIR / app).rglob("*.html")
        if unescaped.search(path.read_text())
    ]
    assert shown == []


@pytest.mark.req("SEC-25")
def test_html_is_never_formatted_into_a_marked_string():
    """``format_html(f"…")`` would escape nothing that is already in it."""
    for file, tree in TREES.items():
        for name, call in calls(tree):
            if name.rpartition(".")[2] in ("format_html", "format_html_join") and call.args:
                template = call.args[0 if name.endswith("format_html") else 1]
                assert not isinstance(template, ast.JoinedStr | ast.BinOp), file


# How long things are: told, not judged


def test_the_lengths_of_functions_and_files_are_known(record_property, capsys):
    functions = sorted(
        node.end_lineno - node.lineno + 1
        for tree in TREES.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    files = [len(path.read_text().splitlines()) for path in SOURCES]
    most = functions[len(functions) * 95 // 100]
    told = (
        f"{len(functions)} functions, median {statistics.median(functions):.0f} lines,"
        f" 95 % up to {most}; {len(files)} files, median {statistics.median(files):.0f} lines,"
        f" longest {max(files)}"
    )
    record_property("lengths", told)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201
