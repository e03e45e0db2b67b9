"""What a mail is (REL-19, LAW-20, LAW-21), held on mail of every kind."""

from datetime import date

import pytest

from pitches import classification
from pitches.models import IncomingMessage
from tests.pitches.hearing import mails

KINDS = IncomingMessage.Kind


def read(raw, own=mails.OWN):
    return classification.classify(classification.parse(raw), own={own})


def share_of(raws, kind):
    return sum(read(raw).kind == kind for raw in raws) / len(raws)


@pytest.mark.parametrize(
    ("raws", "kind"),
    [
        pytest.param(mails.HUMAN, KINDS.HUMAN_REPLY, id="people"),
        pytest.param(mails.OWN_MAIL, KINDS.OWN, id="our own mail"),
        pytest.param(mails.AUTOMATIC, KINDS.AUTOMATIC, id="programs"),
        pytest.param([raw for _, raw, _ in mails.ABSENCES], KINDS.OUT_OF_OFFICE, id="absences"),
        pytest.param([raw for _, raw, _ in mails.REPORTS], KINDS.BOUNCE, id="bounces"),
    ],
)
def test_sixty_of_a_kind_are_known_for_what_they_are(raws, kind):
    assert len(raws) >= 40
    assert share_of(raws, kind) >= 0.95


@pytest.mark.req("REL-19")
@pytest.mark.parametrize(
    "raw",
    [
        *mails.AUTOMATIC[::3],
        *(raw for _, raw, _ in mails.ABSENCES[::4]),
        *(raw for _, raw, _ in mails.REPORTS[::4]),
    ],
    ids=[f"mail-{number:02}" for number in range(45)],
)
def test_what_a_program_wrote_is_no_reply(raw):
    found = read(raw)
    assert found.kind not in {KINDS.HUMAN_REPLY, KINDS.UNSUBSCRIBE, KINDS.OWN}


def test_a_bounce_notice_is_never_a_reply():
    """Scar 1: a machine that apologises to a dead address."""
    assert all(read(raw).kind == KINDS.BOUNCE for _, raw, _ in mails.REPORTS)


def test_an_automatic_answer_takes_nobody_off_the_list():
    """Scar 11: an auto-responder that says "unsubscribe" in its footer."""
    raw = mails.mail("I am away. Unsubscribe here.", "Auto-Submitted: auto-replied")
    assert read(raw).kind == KINDS.OUT_OF_OFFICE


def test_our_own_copy_is_no_reply_whatever_its_subject_says():
    """Scar 13: one's own message in Sent counted as a reply."""
    assert {read(raw).kind for raw in mails.OWN_MAIL} == {KINDS.OWN}


@pytest.mark.parametrize(
    ("raw", "day"),
    [(raw, day) for _, raw, day in mails.ABSENCES],
    ids=[n for n, _, _ in mails.ABSENCES],
)
def test_the_day_of_return_is_found_in_ten_languages(raw, day):
    assert read(raw).returns_on == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am out of the office until 14 March.", date(2026, 3, 14)),
        ("I am out of the office through 14 March.", date(2026, 3, 15)),
        ("I am out of the office from 3 March to 14 March.", date(2026, 3, 15)),
        ("Ich bin vom 3. bis 14. März nicht im Büro.", date(2026, 3, 15)),
        ("Ich bin bis einschließlich 13.03.2026 im Urlaub.", date(2026, 3, 14)),
        ("Ik ben afwezig tot en met 13 maart.", date(2026, 3, 14)),
        ("I am out of the office until Friday.", date(2026, 3, 6)),
        ("I am out of the office, back on 3 January.", date(2027, 1, 3)),
        ("3月3日から3月13日まで休暇をいただきます。3月16日に出社します。", date(2026, 3, 16)),
        ("我正在休假,3月16日返回办公室。", date(2026, 3, 16)),
        ("I am out of the office. Call 202-555-0190.", None),
        ("I am out of the office, back on 3 February 2020.", None),
        ("I am out of the office, back on 31 February.", None),
    ],
)
def test_the_words_around_a_day_say_what_it_means(text, day):
    assert read(mails.mail(text, "Auto-Submitted: auto-replied")).returns_on == day


def test_without_a_date_of_its_own_friday_is_counted_from_now():
    raw = mails.mail("I am away until Friday.", "Auto-Submitted: auto-replied").replace(
        b"Date:", b"X:"
    )
    mail = classification.parse(raw)
    assert classification.classify(mail, own=set()).returns_on is None


# -- reports -----------------------------------------------------------------------------------


@pytest.mark.req("LAW-20")
def test_forty_reports_of_twenty_servers_are_understood_and_no_soft_one_is_called_hard():
    found = [(read(raw), wanted) for _, raw, wanted in mails.REPORTS]
    assert len(found) == 40
    assert sum(one.bounce_kind == wanted for one, wanted in found) >= 38
    assert not [one for one, wanted in found if wanted == "soft" and one.bounce_kind == "hard"]
    for one, _ in found:
        assert one.bounce_recipients == ("Bob@gone.example.com",)
        assert mails.ID in one.original_ids


@pytest.mark.req("LAW-20")
@pytest.mark.parametrize(
    ("action", "kind"),
    [
        ("delayed", "delay"),
        ("delivered", "automatic"),
        ("relayed", "automatic"),
        ("failed", "bounce"),
    ],
)
def test_the_action_says_what_a_report_is(action, kind):
    status = {"delayed": "4.4.1", "failed": "5.1.1"}.get(action, "2.0.0")
    raw = mails.report(
        status, "words", action=action, sender="MAILER-DAEMON@x.example.com", subject="Report"
    )
    assert read(raw).kind == kind


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        ("5.1.1", "550 5.1.1 user unknown", "hard"),
        ("5.7.1", "550 5.7.1 <bob>: Recipient address rejected: user unknown", "hard"),
        ("5.2.2", "552 5.2.2 mailbox full", "policy"),
        ("5.7.1", "554 5.7.1 message rejected as spam", "policy"),
        ("5.3.4", "552 5.3.4 message too big", "policy"),
        ("5.7.26", "550 5.7.26 this mail is unauthenticated", "ours"),
        ("5.7.25", "550 5.7.25 no PTR record", "ours"),
        ("5.7.515", "550 5.7.515 access denied, sending domain", "ours"),
        ("5.7.1", "550 5.7.1 SPF check failed", "ours"),
        ("4.2.2", "452 4.2.2 user unknown here for now", "soft"),
        ("4.7.1", "greylisted", "soft"),
    ],
)
def test_what_a_server_means_by_its_refusal(status, words, kind):
    raw = mails.report(
        status, words, sender="MAILER-DAEMON@x.example.com", subject="Undelivered"
    )
    assert (read(raw).bounce_kind, read(raw).bounce_status) == (kind, status)


@pytest.mark.req("LAW-21")
@pytest.mark.parametrize("number", range(10))
def test_a_complaint_is_known_by_our_ids_even_if_the_address_is_redacted(number):
    recipient = "" if number % 2 else f"bob{number}@gone.example.com"
    feedback = ["abuse", "abuse", "fraud", "virus", "other"][number // 2]
    found = read(mails.complaint(recipient=recipient, feedback=feedback))
    assert found.kind == KINDS.COMPLAINT
    assert found.complaint == ((recipient,) if recipient else ())
    assert found.original_ids == (mails.ID,)
    assert found.bounce_kind == ""


def test_a_report_of_failed_authentication_names_nobody_who_complained():
    found = read(mails.complaint(recipient="bob@gone.example.com", feedback="auth-failure"))
    assert (found.bounce_kind, found.complaint, found.original_ids) == ("ours", (), ())


def test_a_person_who_forwards_a_bounce_is_a_person():
    raw = mails.mail(
        "--m\nContent-Type: text/plain\n\nDoes this tell you anything?\n--m\n"
        "Content-Type: message/rfc822\n\nFrom: MAILER-DAEMON@x.example.com\nSubject: "
        "failure\n\n"
        "User unknown\n--m--\n",
        "Subject: Fwd: failure notice",
        "Content-Type: multipart/mixed; boundary=m",
    )
    assert read(raw).kind == KINDS.HUMAN_REPLY


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: A guest", "I am on holiday in Spain, but yes, I'm interested."),
        ("Re: A guest", "Hi Nina, I'm on vacation until March 12. Send me details then."),
        ("Rejected last time, but now yes", "We refused to take guests last year, now we do."),
        ("A guest", "Your mail could not be delivered to our other inbox. Interested!"),
    ],
)
def test_a_person_who_speaks_of_absence_or_bounces_has_answered(subject, text):
    assert read(mails.mail(text, f"Subject: {subject}")).kind == KINDS.HUMAN_REPLY


def test_an_absence_that_nothing_marks_is_known_by_its_words():
    """A client that sets no header, or a person who types the note by hand."""
    text = (
        "I am out of the office until 4 December 2026 with no access to e-mail.\n"
        "For urgent matters please contact Lars."
    )
    read_as = read(mails.mail(text, "Subject: Re: A guest"))
    assert read_as.kind == KINDS.OUT_OF_OFFICE
    assert read_as.returns_on == date(2026, 12, 4)
