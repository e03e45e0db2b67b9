"""The list of promises is complete, and calls nothing done that no test proves."""

import re

import pytest

from tests import promises
from tests.promises import Promise, expected_ids, marked_ids, read_list, with_tests

pytest_plugins = ["pytester"]


@pytest.mark.req("F-24")
def test_the_list_names_every_id_once():
    assert sorted(read_list()) == sorted(expected_ids())


def test_ids_are_spelled_as_everybody_writes_them():
    ids = expected_ids()
    assert {"S003-032", "REL-1", "SEC-40", "AB-6", "H000-01", "C01", "C45", "F-24"} <= set(ids)
    assert len(ids) == len(set(ids))


def test_every_line_has_a_status_and_a_title():
    for promise in read_list().values():
        assert promise.status in promises.STATUSES, promise.id
        assert re.fullmatch(r"[A-Za-z/\d-].{7,99}[^.]", promise.title), promise.id


@pytest.mark.req("F-24")
def test_every_marker_names_a_promise():
    unknown = {name: files for name, files in marked_ids().items() if name not in read_list()}
    assert unknown == {}


@pytest.mark.req("F-24")
def test_what_is_called_done_or_part_carries_a_marked_test():
    called = {key for key, promise in read_list().items() if promise.status != "open"}
    assert called - set(marked_ids()) == set()


@pytest.mark.parametrize(
    ("outcomes", "proven"),
    [
        ([], False),
        (["not run"], False),
        (["passed"], True),
        (["passed", "not run"], True),
        (["passed", "failed"], False),
    ],
)
def test_only_a_test_that_passed_proves_and_one_that_failed_disproves(outcomes, proven):
    tests = {f"t{n}": {"ids": ["X-1"], "outcome": it} for n, it in enumerate(outcomes)}
    promise = with_tests({"X-1": Promise("X-1", "done", "…")}, tests)["X-1"]
    assert promise.is_proven is proven
    assert promise.is_broken is not proven


@pytest.fixture
def session(pytester, monkeypatch):
    """A project of its own with one promise, run by pytest with this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(promises.BASE_DIR))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments, test, status="done"):
        listed = pytester.path / promises.LIST
        listed.parent.mkdir()
        listed.write_text(f'[x]\nX-1 = ["{status}", "The first of all promises"]\n')
        pytester.makeini("[pytest]\nmarkers = req(id): x\ntestpaths = .\n")
        pytester.makepyfile(test_it=f"import pytest\n\n@pytest.mark.req('X-1')\n{test}")
        result = pytester.runpytest_subprocess("-p", "tests.promises", *arguments)
        tests = promises.read_notes(pytester.path)["tests"]
        return result.ret, {nodeid: noted["outcome"] for nodeid, noted in tests.items()}

    return run


NAME = "test_it.py::test_x"


@pytest.mark.req("F-24")
def test_a_suite_that_proves_its_promises_passes(session):
    assert session(test="def test_x(): pass") == (0, {NAME: "passed"})


@pytest.mark.req("F-24")
@pytest.mark.parametrize(
    ("test", "outcome"),
    [
        ("def test_x(): pytest.skip('no browser')", "not run"),
        ("@pytest.mark.skip\ndef test_x(): pass", "not run"),
        ("@pytest.mark.xfail\ndef test_x(): assert 0", "not run"),
    ],
    ids=["skipping itself", "skipped", "expected to fail"],
)
def test_a_suite_fails_that_skips_what_is_called_done(session, test, outcome):
    assert session(test=test) == (1, {NAME: outcome})


def test_a_test_that_breaks_in_its_teardown_proves_nothing(session):
    test = "def test_x(request): request.addfinalizer(lambda: 1 / 0)"
    assert session(test=test) == (1, {NAME: "failed"})


def test_what_is_open_may_be_skipped(session):
    assert session(status="open", test="def test_x(): pytest.skip()") == (0, {NAME: "not run"})


def test_a_run_of_some_tests_judges_nothing(session):
    ret, noted = session("-k", "test_x", test="def test_x(): pytest.skip()")
    assert (ret, noted) == (0, {NAME: "not run"})


def test_the_program_names_what_is_not_proven(monkeypatch, capsys):
    monkeypatch.setattr(promises, "read_list", lambda: {"X-1": Promise("X-1", "done", "First")})
    monkeypatch.setattr(promises, "read_notes", lambda: {"noted_at": "now", "tests": {}})
    assert promises.main([]) == 1
    assert "X-1       done  First  NOT PROVEN" in capsys.readouterr().out
