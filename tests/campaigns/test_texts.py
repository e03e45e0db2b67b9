"""Texts: limits on templates, cleaning, and the gaps and marks that must not go out."""

import time

import pytest

from campaigns import texts
from campaigns.models import Channel

CONTEXT = {
    "lead": {"name": "Morning Show", "description": "x" * 20_000},
    "people": [{"name": "Mina"}, {"name": "Li"}],
    "word": "aaaaaaaaaa",
}

HOSTILE = {
    "a loop over a billion": "{% for i in (1..1000000000) %}x{% endfor %}",
    "nested loops": "{% for a in (1..1000) %}{% for b in (1..1000) %}{% for c in (1..1000) %}x"
    "{% endfor %}{% endfor %}{% endfor %}",
    "a text doubled by assigning": "{% assign a = 'xxxxxxxxxx' %}"
    + "{% assign a = a | append: a %}" * 40
    + "{{ a }}",
    "a text doubled by capturing": "{% capture a %}xxxxxxxxxx{% endcapture %}"
    + "{% capture a %}{{ a }}{{ a }}{% endcapture %}" * 40
    + "{{ a }}",
    "replace within replace": "{{ word" + " | replace: 'a', 'aaaaaaaaaa'" * 12 + " }}",
    "lists doubled by concat": "{% assign a = people %}"
    + "{% assign a = a | concat: a %}" * 40
    + "{{ a | size }}",
    "a long separator": "{{ lead.description | split: '' | join: '" + "y" * 2000 + "' }}",
    "numbers squared again and again": "{% assign n = 99999 %}"
    + "{% assign n = n | times: n %}" * 40
    + "{{ n }}",
    "a number of five thousand digits": "{{ " + "9" * 5000 + " | times: 9 }}",
    "a date padded to a gigabyte": "{{ 'now' | date: '%999999999Y' }}",
    "the clock": "{{ 'now' | date: '%Y' }}",
    "too long a template": "x" * 10_001,
    "too long an output": "{% for i in (1..1900) %}aaaaaaaaaaaaaaaaaaaaa{% endfor %}",
    "a thousand nested conditions": "{% if word %}" * 700 + "x" + "{% endif %}" * 20,
    "an include": "{% include 'settings' %}",
    "a render": "{% render 'settings' %}",
    "an unknown tag": "{% load static %}",
    "an unknown filter": "{{ word | safe }}",
    "unclosed braces": "{{ word",
    "an unclosed tag": "{% if word",
    "strip_html on many brackets": "{{ '" + "<" * 5000 + "' | strip_html }}",
    "division by zero": "{{ 1 | divided_by: 0 }}",
    "a loop over a text of a range": "{% for i in (1..'9999999999999') %}x{% endfor %}",
    "tables": "{% tablerow i in (1..100000000) %}x{% endtablerow %}",
    "the liquid tag": "{% liquid\nassign a = 1\n%}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_template_is_stopped_at_once(source):
    began = time.perf_counter()
    with pytest.raises(texts.TemplateError):
        texts.render(texts.parse(source), CONTEXT)
    assert time.perf_counter() - began < 0.1


@pytest.mark.parametrize(
    "path",
    [
        "lead.__class__", "lead.__class__.__mro__", "lead.items", "lead.pop", "people.append",
        "word.__len__", "word.format", "settings.SECRET_KEY", "lead._meta", "request.user",
    ],
)  # fmt: skip
def test_no_attribute_or_method_can_be_reached(path):
    text = texts.render(texts.parse("{{ " + path + " }}"), CONTEXT)
    assert texts.MISSING.fullmatch(text)


def test_a_value_is_never_rendered_again():
    value = "{{ word }} {% for i in (1..9) %}x{% endfor %}"
    assert texts.render(texts.parse("{{ bio }}"), {"bio": value, "word": "no"}) == value


@pytest.mark.req("S001-013", "S004-025")
def test_a_missing_value_is_visible_and_false_and_has_a_default():
    template = "{{ contact.first_name }}|{% if contact.first_name %}a{% else %}b{% endif %}|"
    template += "{{ nobody | default: 'you' }}|{% for x in list %}{{ x.name }}{% endfor %}"
    template += "|{{ list | size }}|{{ list.size }}"
    assert texts.render(texts.parse(template), {"contact": {"name": "x"}}) == (
        "⟨contact.first_name⟩|b|you|⟨list⟩|⟨list⟩|⟨list⟩"
    )


@pytest.mark.req("F 5", "S004-025")
@pytest.mark.parametrize(
    "gap",
    [
        "{{x}}", "{{ contact.name }}", "{% if x %}", "[Name]", "[insight]", "[specific value]",
        "{first_name}", "{First Name}", "%FIRST_NAME%", "*|FNAME|*", "${name}", "__NAME__",
        "INSERT COMPANY", "TODO", "Lorem ipsum",
    ],
)  # fmt: skip
def test_an_unfilled_gap_is_found_and_named(gap):
    found = texts.problems(Channel.EMAIL, "Subject", f"I liked {gap} very much.")
    assert [problem["code"] for problem in found] == ["placeholder"]
    assert gap.strip() in found[0]["detail"]


@pytest.mark.parametrize(
    "text",
    [
        "We met 3 of them (see below), and 5 < 7.",
        "Wer? Ich! [1] is a footnote, {1, 2} is a set.",
        "AT&T; R&D & more, <ada@example.com>, <https://example.com/?a=1&b=2>",
        "100 % of what you asked for",
        "I will insert the link, and todo lists are fine.",
    ],
)
def test_an_ordinary_text_has_no_problem(text):
    assert texts.problems(Channel.EMAIL, "Subject", text) == []


@pytest.mark.parametrize(
    "text", ["<b>bold</b>", "a <br/> b", "&nbsp;", "<script>x()", "<!-- x"]
)
def test_markup_in_a_text_is_found(text):
    [problem] = texts.problems(Channel.EMAIL, "Subject", text)
    assert problem["code"] == "markup"


@pytest.mark.parametrize(
    "subject", ["Re: your show", "RE : hello", "Fwd: a guest", "AW: Gast", "re[2]: you", "FW:x"]
)
def test_a_first_mail_may_not_look_like_an_answer(subject):
    [problem] = texts.problems(Channel.EMAIL, subject, "Hello.")
    assert problem["code"] == "misleading_subject"


def test_within_a_thread_re_is_the_truth():
    assert texts.problems(Channel.EMAIL, "Re: A guest", "Hi.", in_thread=True) == []


def test_words_that_only_begin_like_an_answer_are_fine():
    assert texts.problems(Channel.EMAIL, "Resilience: a subject for you", "Hello.") == []


def test_an_empty_text_and_an_absent_subject_are_told():
    found = [problem["code"] for problem in texts.problems(Channel.EMAIL, " ", " \n")]
    assert found == ["empty", "subject_missing"]
    assert [p["code"] for p in texts.problems(Channel.LINKEDIN_MESSAGE, "", "Hi")] == []


def test_a_text_is_cleaned_but_not_cut():
    dirty = "Cafe\u0301 \r\n\r\n\r\n\r\nfirst\x00\x1b[31m line\u202e end\u2028last   \n"
    assert texts.plain(dirty) == "Café\n\nfirst[31m line end\nlast"
    assert texts.plain("a" * 50_000) == "a" * 50_000
    assert texts.one_line(" two\nlines ") == "two lines"
