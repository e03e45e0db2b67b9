"""The way out in every mail: its token, its page, and what a use of it does."""

from __future__ import annotations

import pytest

from pitches import unsubscribing
from pitches.unsubscribing import BadToken, Opened
from tests.factories import MessageFactory

ID = f"{'0123456789abcdef' * 2}01234567@mail.example.com"
LONG = f"{'l' * 64}@{'.'.join(['d' * 60] * 3)}.example.com"


# -- the token


@pytest.mark.req("LAW-3")
@pytest.mark.parametrize("address", ["anna@example.com", "a.b+c@example.co.uk", LONG])
def test_a_token_opens_to_the_message_and_the_address_it_went_to(address):
    token = unsubscribing.seal(ID, address)
    assert unsubscribing.opened(token) == Opened(address, ID[:40])
    assert unsubscribing.seal(ID, address) == token
    assert len(token) < unsubscribing.LONGEST


def test_a_token_tells_nobody_else_whose_it_is():
    a = unsubscribing.seal(ID, "anna@example.com")
    b = unsubscribing.seal(ID, "bert@example.com")
    assert "anna" not in a
    # no part of one can be taken into the other
    assert not any(a[at : at + 12] in b for at in range(len(a) - 12))


@pytest.mark.req("LAW-3", "SEC-17")
def test_no_change_of_another_key_touches_a_token(settings):
    token = unsubscribing.seal(ID, "anna@example.com")
    settings.SECRET_KEY = "another-" * 8
    settings.SUPPRESSION_KEY = "one-more-" * 8
    settings.CREDENTIALS_KEY = ["d" * 43 + "="]
    assert unsubscribing.opened(token).address == "anna@example.com"
    assert unsubscribing.seal(ID, "anna@example.com") == token


def test_a_token_of_another_installation_is_none(settings):
    token = unsubscribing.seal(ID, "anna@example.com")
    settings.MESSAGE_ID_KEY = "another-" * 8
    with pytest.raises(BadToken):
        unsubscribing.opened(token)


def test_no_changed_token_opens():
    token = unsubscribing.seal(ID, "anna@example.com")
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        with pytest.raises(BadToken):
            unsubscribing.opened(token[:at] + other + token[at + 1 :])


@pytest.mark.parametrize(
    "text", ["", "x", "A" * 60, "A" * 61, "A" * 5_000, "ä" * 60, "../" * 30, "A" * 50 + "\n"]
)
def test_what_is_no_token_is_refused(text):
    with pytest.raises(BadToken):
        unsubscribing.opened(text)


def test_the_end_of_a_mail_link_cut_off_is_refused():
    token = unsubscribing.seal(ID, "anna@example.com")
    for length in range(len(token)):
        with pytest.raises(BadToken):
            unsubscribing.opened(token[:length])


def test_a_message_with_a_foreign_id_has_a_token_too():
    token = unsubscribing.seal("<CAB+x@mail.example.com>", "anna@example.com")
    assert unsubscribing.opened(token).address == "anna@example.com"


# -- by mail


@pytest.mark.parametrize(
    "words",
    [
        "unsubscribe {}",
        "Unsubscribe {}",
        "Re: unsubscribe {}",
        " UNSUBSCRIBE:  {} ",
        "unsubscribe\r\n {}",
        "<unsubscribe {}>",
    ],
)
def test_a_subject_made_by_our_mailto_link_is_known(words):
    token = unsubscribing.seal(ID, "anna@example.com")
    found = unsubscribing.in_subject(words.format(token))
    assert found == Opened("anna@example.com", ID[:40])


@pytest.mark.parametrize(
    "words", ["unsubscribe", "unsubscribe me", "Hello {}", "please do not unsubscribe {}", ""]
)
def test_another_subject_is_none_of_ours(words):
    token = unsubscribing.seal(ID, "anna@example.com")
    assert unsubscribing.in_subject(words.format(token)) is None
    assert unsubscribing.in_subject(f"unsubscribe {'A' * 80}") is None


@pytest.mark.django_db
def test_mail_goes_to_the_mailbox_that_wrote_unless_one_is_set(settings):
    message = MessageFactory(pitch__sender__address="sam+x@example.com")
    assert unsubscribing.mailto(message).startswith(
        "mailto:sam+x@example.com?subject=unsubscribe%20"
    )
    settings.UNSUBSCRIBE_EMAIL = "stop@example.com"
    assert unsubscribing.mailto(message).startswith("mailto:stop@example.com?subject=")
