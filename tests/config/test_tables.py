"""Files that people bring: read, or refused with a sentence; never half read, never a crash."""

import csv
import io
import json
import zipfile
from datetime import date

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import tables, text, values
from config.imports import Field, UnknownColumn, map_columns, parse_choices
from config.tables import UnreadableFile, sheets
from config.values import ValueUnclear
from tests.clock import MONDAY

HEADER = "name,email\n"


def read(content, name="people.csv", **options):
    return tables.read(
        content if isinstance(content, bytes) else content.encode(), name, **options
    )


def cells(table):
    return [list(row.cells) for row in table.rows]


def sheet(*rows, name="Sheet"):
    book = openpyxl.Workbook()
    book.active.title = name
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


@pytest.mark.req("SEC-28")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_encodings_are_recognised(encoding):
    table = read("name,city\nJürgen,Köln\nZoë,Saint-Denis\n".encode(encoding))
    assert table.columns == ["name", "city"]
    assert cells(table) == [["Jürgen", "Köln"], ["Zoë", "Saint-Denis"]]


@pytest.mark.req("SEC-28")
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_recognised(delimiter):
    lines = [["name", "note"], ["Ada", "a, b; c"], ["Bob", 'said "no"']]
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows(lines)
    table = read(stream.getvalue())
    assert [table.columns, *cells(table)] == lines


def test_a_semicolon_file_with_umlauts_of_windows_is_read():
    table = read("Name;Straße\nMüller;Gänseweg 3, Hof\n".encode("cp1252"))
    assert cells(table) == [["Müller", "Gänseweg 3, Hof"]]
    assert "Read as Windows-1252." in table.notes


def test_a_line_that_names_the_delimiter_is_obeyed():
    assert cells(read("sep=;\nname;note\nAda;a,b,c\n")) == [["Ada", "a,b,c"]]


UNREADABLE = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\n", "is empty"),
    "only delimiters": (b",,,\n,,,\n", "is empty"),
    "a column twice": (b"name,email,Name\nx,y,z\n", "two columns .Name., the 1st and the 3rd"),
    "100,000 columns": (b",".join(b"c%d" % n for n in range(100_000)), "100,000 columns"),
    "binary": (bytes(range(256)) * 40, "not a text file|neither UTF-8"),
    "a web page": (b"<!doctype html><html></html>", "XML or HTML"),
    "old Excel": (b"\xd0\xcf\x11\xe0" + b"x" * 100, "old Excel"),
    "a broken XLSX": (b"PK\x03\x04" + b"x" * 100, "not a whole XLSX"),
    "values for a header": (b"ada@example.com,bob@example.com\n1,2\n", "needs a header row"),
    "a JSON list that ends": (b'[{"a": 1}', "is not JSON"),
}


@pytest.mark.req("SEC-28")
@pytest.mark.parametrize(("content", "sentence"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_what_cannot_be_used_is_refused_with_a_sentence(content, sentence):
    name = "people.json" if content[:1] == b"[" else "people.csv"
    with pytest.raises(UnreadableFile, match=sentence):
        read(content, name)


@pytest.mark.req("SEC-28")
def test_a_file_above_20_mb_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(100 * 1024**2)
    with pytest.raises(UnreadableFile, match="has 100 MB; 20 MB are allowed"):
        tables.load(path)


@pytest.mark.req("SEC-28")
def test_more_than_100_000_rows_are_refused():
    with pytest.raises(UnreadableFile, match="more than 100,000 rows"):
        read(HEADER + "a,b\n" * 100_001)


def test_no_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(UnreadableFile, match="There is no file"):
        tables.load(tmp_path / "none.csv")
    with pytest.raises(UnreadableFile, match="is a folder"):
        tables.load(tmp_path)


def test_an_unclosed_quote_costs_its_own_line_only():
    table = read(HEADER + 'Ada,a@x\n"Bob,b@x\nCy,c@x\nDee,d@x\n')
    assert [row[0] for row in cells(table)] == ["Ada", "Cy", "Dee"]
    assert [tuple(each) for each in table.problems] == [
        (3, "a quote is opened and never closed")
    ]


def test_an_unclosed_quote_that_a_later_quote_closes_swallows_nothing():
    table = read(HEADER + 'Ada,a@x\n"Bob,b@x\nCy,c@x\n"Dee, of X",d@x\nEve,e@x\n')
    assert [row[0] for row in cells(table)] == ["Ada", "Cy", "Dee, of X", "Eve"]
    assert [each.line for each in table.problems] == [3]


def test_a_file_of_broken_quotes_is_refused():
    with pytest.raises(UnreadableFile, match="never closed"):
        read(HEADER + 'a,"b\n' * 61)


def test_text_over_several_lines_in_quotes_is_one_cell():
    table = read(HEADER + '"Ada\nLovelace",a@x\nBob,b@x\n')
    assert cells(table) == [["Ada\nLovelace", "a@x"], ["Bob", "b@x"]]
    assert [row.line for row in table.rows] == [2, 4]


def test_rows_of_another_width_are_reported_by_their_line():
    table = read(HEADER + "Ada,a@x,extra\nBob,b@x,,,\nCy\n")
    assert cells(table) == [["Bob", "b@x"], ["Cy", ""]]
    assert [tuple(each) for each in table.problems] == [(2, "3 cells where the header has 2")]


def test_a_row_that_is_cut_off_is_reported():
    table = read("name,email,note\nAda,a@x,n\nBob,b@")
    assert [each.reason for each in table.problems] == ["the file ends in the middle of a row"]


def test_a_second_header_is_no_row():
    table = read(HEADER + "Ada,a@x\n" + HEADER + "Bob,b@x\n")
    assert [row[0] for row in cells(table)] == ["Ada", "Bob"]
    assert [tuple(each) for each in table.problems] == [(3, "repeats the header")]


def test_a_title_above_the_header_is_left_out():
    table = read("Our people as of May,\nname,email\nAda,a@x\n")
    assert table.columns == ["name", "email"]
    assert table.notes == ["Line 1 is a title and was left out."]


def test_a_cell_of_ten_megabytes_costs_its_own_row():
    table = read(HEADER + "x" * 10_000_000 + ",a@x\nBob,b@x\n")
    assert cells(table) == [["Bob", "b@x"]]
    assert "10,000,000 characters" in table.problems[0].reason


def test_nul_bytes_do_not_break_a_file():
    table = read(b"name,email\nA\0da,a@x\n")
    assert text.clean_line(table.rows[0].cells[0]) == "Ada"


def test_lines_end_where_files_say_and_nowhere_else():
    table = read("name,email\rAda\u2028L,a@x\r\nBob\x0c,b@x\n")
    assert [row.line for row in table.rows] == [2, 3]


def test_a_bare_list_needs_no_header():
    table = read("ada@example.com\nbob@example.com\n", only_column="value")
    assert table.columns == ["value"]
    assert cells(table) == [["ada@example.com"], ["bob@example.com"]]


def test_a_sheet_is_read_as_a_person_sees_it():
    rows = [date(2026, 3, 2), MONDAY.replace(tzinfo=None), 12.0, 1.5, True, None, "#N/A"]
    table = read(sheet(list("abcdefg"), rows), "people.xlsx")
    assert cells(table) == [["2026-03-02", "2026-06-01T09:00:00", "12", "1.5", "true", "", ""]]


def test_a_formula_in_a_sheet_is_not_carried_out():
    table = read(sheet(["a", "b"], ["x", "=1+1"]), "people.xlsx")
    assert cells(table) == [["x", ""]]  # no program has computed it


def test_a_sheet_that_unfolds_too_far_is_refused(monkeypatch):
    monkeypatch.setattr(sheets, "UNFOLDED_LIMIT", 1_000)
    with pytest.raises(UnreadableFile, match="unfolds to"):
        read(sheet(["a"], ["x"]), "people.xlsx")


def test_a_zip_that_is_no_sheet_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(UnreadableFile, match="not a whole XLSX"):
        read(stream.getvalue(), "people.xlsx")


def test_json_lines_may_differ_in_what_they_name():
    lines = [{"name": "Ada", "tags": ["a", "b"]}, {"name": "Bob", "age": 30}]
    content = "\n".join(json.dumps(line) for line in lines)
    table = read(f'{content}\n{{"name": "Cy", "name": "Dy"}}\nnot json\n[1]\n', "people.jsonl")
    assert table.columns == ["name", "tags", "age"]
    assert cells(table) == [["Ada", "a | b", ""], ["Bob", "", "30"]]
    assert [each.line for each in table.problems] == [3, 4, 5]


def test_deep_json_is_a_bad_row_and_no_crash():
    table = read('{"a": ' + "[" * 100_000 + "\n" + '{"a": 1}\n', "x.jsonl")
    assert cells(table) == [["1"]]
    assert len(table.problems) == 1


# Text


@pytest.mark.req("SEC-27")
@pytest.mark.parametrize(
    ("value", "cell"),
    {
        "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
        "@SUM(1)": "'@SUM(1)",
        "\t=1+1": "'\t=1+1",
        "＝1+1": "'＝1+1",  # noqa: RUF001
        "-2+3+cmd": "'-2+3+cmd",
        "+49 170 1234567": "+49 170 1234567",
        "-5": "-5",
        "'t is": "'t is",
        "'=x": "''=x",
        "plain": "plain",
    }.items(),
)
def test_a_cell_is_quoted_only_where_it_would_be_a_formula(value, cell):
    assert text.quote_cell(value) == cell
    assert text.unquote_cell(cell) == value


@pytest.mark.req("SEC-27")
@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\0＝ab1 "), max_size=8) | st.text())  # noqa: RUF001
def test_every_value_comes_back_from_a_quoted_cell(value):
    cell = text.quote_cell(value)
    assert text.unquote_cell(cell) == value
    assert cell[:1] not in tuple("=@\t\r\0＝＠")  # noqa: RUF001


@pytest.mark.req("SEC-27")
def test_an_import_strips_exactly_the_quote_of_an_export():
    table = read("name,note\nAda,'=1+1\nBob,'t is\n")
    assert cells(table) == [["Ada", "=1+1"], ["Bob", "'t is"]]


@pytest.mark.req("SEC-21")
@given(st.text(st.characters(codec=None)))
def test_no_control_character_passes_the_boundary(value):
    line, several = text.clean_line(value), text.clean_text(value)
    forbidden = [*map(chr, range(32)), "\x7f", "\x85", "\u202e", "\u2066", "\u200b", "\ud800"]
    assert not any(c in line for c in forbidden)
    assert not any(c in several for c in set(forbidden) - {"\n", "\t", "\u200b"})
    line.encode()
    several.encode()
    assert len(line) <= text.NAME
    assert text.clean_line(line) == line


@pytest.mark.req("SEC-21")
def test_marks_that_hide_or_turn_text_are_gone_from_a_line():
    assert text.clean_line("Ada\u202e\u200b\r\nBcc: x\u2028y") == "Ada Bcc: x y"
    assert text.clean_line("e\u0301") == "é"
    assert text.clean_text("a\r\nb\rc\u2029d") == "a\nb\nc\nd"


# Values


@pytest.mark.parametrize(
    ("written", "expected"),
    {
        "2026-03-02": date(2026, 3, 2),
        "2.3.2026": date(2026, 3, 2),
        "02.03.2026": date(2026, 3, 2),
        "2 March 2026": date(2026, 3, 2),
        "Mar 2, 2026": date(2026, 3, 2),
        "25/03/2026": date(2026, 3, 25),
        "03/25/2026": date(2026, 3, 25),
        "05/05/2026": date(2026, 5, 5),
        "20260302": date(2026, 3, 2),
        "2026-03-02T10:00:00Z": date(2026, 3, 2),
        "": None,
    }.items(),
)
def test_dates_are_read_as_they_are_written(written, expected):
    assert values.day(written) == expected


@pytest.mark.parametrize(
    "written", ["03/04/2026", "32 Foo", "2026-02-30", "1601-01-01", "9999"]
)
def test_dates_that_are_unclear_or_impossible_are_refused(written):
    with pytest.raises(ValueUnclear):
        values.day(written)


@pytest.mark.parametrize(
    ("written", "number"),
    {
        "1,200": 1200,
        "1.200": 1200,
        "1.5k": 1500,
        "51-200": 51,
        "12": 12,
        "2m": 2_000_000,
    }.items(),
)
def test_numbers_are_read_as_they_are_written(written, number):
    assert values.number(written) == number


# Columns


def test_columns_are_guessed_by_their_headers_and_each_serves_once():
    table = read("Contact E-Mail,Podcast Name,url,Other\na,b,c,d\n")
    fields = [
        Field("name", "", ("podcast name",)),
        Field("website", "", ("url",)),
        Field("page", "", ("url",)),
        Field("email", "", ("contact e mail",)),
    ]
    columns = map_columns(table, fields)
    assert columns.by_field == {
        "name": "Podcast Name",
        "website": "url",
        "email": "Contact E-Mail",
    }
    assert columns.ignored == ["Other"]
    assert map_columns(table, fields, {"page": "URL", "website": ""}).by_field["page"] == "url"


def test_a_mapping_of_what_does_not_exist_is_a_sentence():
    table, fields = read(HEADER + "a,b\n"), [Field("name", "")]
    with pytest.raises(UnknownColumn, match=r"no field .nmae.\. Known are name"):
        map_columns(table, fields, {"nmae": "name"})
    with pytest.raises(UnknownColumn, match=r"no column .mail.\. It has name, email"):
        map_columns(table, fields, {"name": "mail"})
    with pytest.raises(UnknownColumn, match="is not field=column"):
        parse_choices(["name"])
