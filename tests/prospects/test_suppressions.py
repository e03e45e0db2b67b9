"""Suppressions: no way to write an address gets past them, and nobody can read them back."""

import random

import pytest

from prospects import suppressions
from prospects.addresses import AddressError
from prospects.models import Suppression
from prospects.suppressions import Kind, Reason
from tests.clock import MONDAY

pytestmark = pytest.mark.django_db


def add(value, kind=Kind.EMAIL, reason=Reason.UNSUBSCRIBED):
    return suppressions.add(kind, value, reason=reason, source="test", now=MONDAY)


def another_spelling(email, chance):
    """One of the ways in which people and lists write the same address."""
    local, _, domain = email.partition("@")
    if domain == "gmail.com":
        domain = chance.choice(["gmail.com", "googlemail.com"])
        dots = chance.sample(range(1, len(local)), chance.randrange(0, 3))
        local = "".join(f".{c}" if at in dots else c for at, c in enumerate(local))
    if "xn--" in domain and chance.random() < 0.7:
        domain = domain.encode().decode("idna")
    if chance.random() < 0.5:
        local += f"+{chance.choice(['news', 'a.b', 'x+y', '2026', 'MiXed'])}"
    written = f"{local}@{domain}"
    written = "".join(chance.choice([str.upper, str.lower, str])(c) for c in written)
    written = chance.choice(
        ["{}", " {}", "{}\t", "<{}>", "mailto:{}", "\ufeff{}", "{}\u00a0"]
    ).format(written)
    if chance.random() < 0.2:
        at = chance.randrange(len(written))
        invisible = chance.choice(["\u200b", "\u200d", "\u202e", "\x00"])
        written = written[:at] + invisible + written[at:]
    return written


@pytest.mark.req("LAW-6")
def test_five_thousand_spellings_of_suppressed_people_are_caught():
    chance = random.Random(6)
    people = [f"person{n}@gmail.com" for n in range(40)]
    people += [f"first.last{n}@example.com" for n in range(40)]
    people += [f"name{n}@xn--bcher-kva.example" for n in range(20)]
    for person in people:
        add(person)
    spellings = list({another_spelling(chance.choice(people), chance) for _ in range(20_000)})
    spellings = spellings[:5_000]
    assert len(spellings) == 5_000
    caught = suppressions.suppressed(spellings)
    assert len(caught) >= 0.99 * len(spellings), set(spellings) - set(caught)


def test_people_who_only_look_alike_are_not_caught():
    add("ada@example.com")
    others = ["bada@example.com", "ada@example.org", "a.da@example.com", "ada@sub.example.com"]
    assert suppressions.suppressed(others) == {}


@pytest.mark.req("LAW-6")
def test_the_value_itself_is_nowhere_in_the_row():
    add("ada.lovelace@example.com")
    row = Suppression.objects.values().get()
    assert not any("lovelace" in str(value) for value in row.values())
    assert row["hint"] == "a***@e***.com"


@pytest.mark.req("LAW-6")
def test_another_key_makes_other_hashes(settings):
    first = suppressions.hashes(Kind.EMAIL, "ada@example.com")
    settings.SECRET_KEY = "another"
    assert suppressions.hashes(Kind.EMAIL, "ada@example.com") == first
    settings.SUPPRESSION_KEY = "another"
    assert suppressions.hashes(Kind.EMAIL, "ada@example.com") != first


def test_the_kind_is_part_of_the_hash():
    assert suppressions.hashes(Kind.DOMAIN, "example.com") != suppressions.hashes(
        Kind.ORGANIZATION, "example.com"
    )


def test_a_domain_covers_everybody_below_it():
    add("https://www.example.com/", Kind.DOMAIN, Reason.DO_NOT_CONTACT)
    asked = ["a@example.com", "b@mail.EXAMPLE.com", "c@notexample.com", "d@example.org"]
    assert suppressions.suppressed(asked) == {
        "a@example.com": "do_not_contact",
        "b@mail.EXAMPLE.com": "do_not_contact",
    }


def test_the_gravest_reason_is_told():
    add("ada@example.com", reason=Reason.BOUNCED)
    add("example.com", Kind.DOMAIN, Reason.COMPLAINED)
    assert suppressions.suppressed(["ada@example.com"]) == {"ada@example.com": "complained"}


def test_a_value_is_on_the_list_once_and_only_a_graver_reason_changes_it():
    assert add("ada@example.com", reason=Reason.BOUNCED)
    assert not add("ADA@example.com", reason=Reason.UNSUBSCRIBED)
    assert not add("ada@example.com", reason=Reason.BOUNCED)
    assert Suppression.objects.get().reason == Reason.UNSUBSCRIBED


def test_telephones_pages_and_companies_can_be_suppressed_too():
    add("+49 170 1234567", Kind.PHONE)
    add("linkedin.com/in/ada", Kind.LINKEDIN)
    add("Example, Inc.", Kind.ORGANIZATION)
    ask = suppressions.suppressed_values
    assert ask(Kind.PHONE, ["+491701234567", "+491701234568", "x"]) == {
        "+491701234567": "unsubscribed"
    }
    assert ask(Kind.LINKEDIN, ["https://de.linkedin.com/in/Ada/"])
    assert ask(Kind.ORGANIZATION, ["EXAMPLE", "Another"]) == {"EXAMPLE": "unsubscribed"}


def test_what_is_no_address_cannot_be_suppressed_and_is_never_in_the_answer():
    with pytest.raises(AddressError):
        add("nobody")
    with pytest.raises(AddressError):
        add("x", "planet")
    assert suppressions.suppressed(["nobody", ""]) == {}


def test_the_number_of_queries_does_not_grow_with_the_addresses(django_assert_num_queries):
    add("ada@example.com")
    with django_assert_num_queries(2):
        suppressions.suppressed(["ada@example.com"])
    with django_assert_num_queries(2):
        suppressions.suppressed([f"p{n}@example.com" for n in range(1_500)])
