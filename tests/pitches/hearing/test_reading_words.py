"""What a person wants (C43) and what they wrote themselves; mail that means harm."""

import time

import pytest

from pitches import classification
from pitches.models import IncomingMessage
from tests.pitches.hearing import mails

WISHES = {
    "unsubscribe": [
        "unsubscribe",
        "StOp.",
        "please stop texting",
        "STOPP",
        "unsubscribe me from everything",
        "No thanks",
        "Please remove me from your list",
        "Take me off your mailing list.",
        "I don't want to receive these mails",
        "Stop emailing me",
        "Do not contact me again.",
        "QUIT",
        "Bitte nehmen Sie mich aus dem Verteiler.",
        "Merci de me désinscrire.",
        "Quiero darme de baja",
        "Cancellatemi dalla lista",
        "Graag uitschrijven",
        "ARRET",
    ],
    "not_interested": [
        "We are not interested.",
        "No thank you, we are good.",
        "We'll pass on this one.",
        "No.",
        "This isn't a good fit for our show.",
        "Nobody here is interested in that.",
        "Kein Interesse.",
        "Pas intéressé, merci.",
        "No me interesa, gracias.",
        "Non mi interessa",
        "Geen interesse",
        "Not now, maybe later in the year.",
        "We don't take guests at the moment.",
    ],
    "interested": [
        "I'm interested!",
        "Yes please",
        "Sounds great, let's set up a call.",
        "Sure, happy to chat.",
        "I'd love to have her on the show. When is she available?",
        "Cela m'intéresse, avec plaisir.",
        "Me interesa mucho",
        "Mi interessa",
        "Ik ben geïnteresseerd",
        "Klingt spannend, gerne mehr!",
    ],
    "more_info": [
        "Could you send me more details?",
        "What is her availability in March?",
        "How much does it cost?",
        "Can't wait to hear more!",
        "Können Sie mir weitere Informationen schicken?",
    ],
    "meeting_booked": ["I've booked a slot on Thursday.", "See you on Tuesday!"],
    "wrong_person": [
        "She no longer works here.",
        "I'm not the right person for this, try Bob.",
        "I am the wrong contact",
    ],
    "other": [
        "We talked yesterday about this.",
        "don't stop",
        "Please don't stop sending these, I love them",
        "\N{THUMBS UP SIGN}",
        "You can stop by our office next week.",
        "I am sure you are busy.",
        "Thank you",
        "Not sure yet.",
    ],
}


@pytest.mark.req("C43")
@pytest.mark.parametrize(
    ("text", "intent"), [(text, intent) for intent, texts in WISHES.items() for text in texts]
)
def test_a_wish_is_read_by_whole_words_and_their_negation(text, intent):
    assert classification.intent_of(text) == intent


@pytest.mark.req("C43")
def test_every_intent_is_one_of_the_list():
    assert set(WISHES) | {"out_of_office"} == set(IncomingMessage.Intent.values)


@pytest.mark.parametrize("raw", mails.HUMAN[::7], ids=[f"mail-{n}" for n in range(9)])
def test_our_own_footer_in_the_quotation_takes_nobody_off_the_list(raw):
    found = classification.classify(classification.parse(raw), own={mails.OWN})
    assert "Dear Ada" not in found.reply_text
    assert "nsubscribe" not in found.reply_text
    assert found.kind == IncomingMessage.Kind.HUMAN_REPLY


def test_an_answer_between_the_quoted_lines_is_kept():
    text = "My answers:\n\n> First?\n\nYes to the first.\n\n> Second?\n\nNo to the second."
    assert classification.written_by_person(text).split("\n") == [
        "My answers:",
        "",
        "",
        "Yes to the first.",
        "",
        "",
        "No to the second.",
    ]


def test_html_shows_its_words_and_quotes_its_quotations():
    raw = mails.mail(
        "<style>p{}</style><p>Yes &amp; gladly</p><div class=gmail_attr>On Mon, 2 Mar 2026, "
        "Nina "
        "&lt;nina@desk.example.com&gt; wrote:</div><blockquote>Unsubscribe</blockquote>",
        "Content-Type: text/html; charset=utf-8",
    )
    assert (
        classification.classify(classification.parse(raw), own=set()).reply_text
        == "Yes & gladly"
    )


HEAD = b"From: Ada <ada@example.com>\r\nDate: Mon, 2 Mar 2026 09:00:00 +0000\r\n"
DAEMON = b"From: MAILER-DAEMON@example.com\r\nSubject: failure notice\r\n"
HOSTILE = {
    "ten megabytes": HEAD + b"\r\n" + b"hello world " * 900_000,
    "ten thousand parts": HEAD
    + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 10_000,
    "parts in parts": HEAD
    + b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (n, n)
        for n in range(10_000)
    ),
    "mails in mails": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 20_000,
    "an unknown charset": HEAD
    + b"Content-Type: text/plain; charset=klingon-8\r\n\r\n\xff\xfe h\xe4llo",
    "no sender": b"Subject: x\r\n\r\nhi",
    "nothing": b"",
    "zeros": b"\0" * 5_000,
    "a hundred thousand headers": b"".join(b"X-%d: y\r\n" % n for n in range(100_000))
    + HEAD
    + b"\r\nhi",
    "a long content type": HEAD
    + b"Content-Type: text/plain; "
    + b"a=b;" * 300_000
    + b"\r\n\r\nhi",
    "brackets in the sender": b"From: " + b"(" * 400_000 + b"\r\n\r\nhi",
    "encoded words": HEAD + b"Subject: " + b"=?utf-8?q?=41?= " * 100_000 + b"\r\n\r\nhi",
    "on and on": HEAD + b"\r\n" + b"On " * 200_000,
    "unclosed comments": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<!--" * 400_000,
    "unclosed tags": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<a <b" * 100_000,
    "days": HEAD
    + b"Auto-Submitted: auto-replied\r\n\r\n"
    + b"until 3 March and back " * 20_000,
    "addresses": DAEMON + b"\r\n" + b"a@" * 100_000,
    "brackets of JSON": DAEMON + b'\r\n{"notificationType":' + b"[" * 15_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_mail_that_means_harm_is_read_in_bounded_time(name):
    began = time.process_time()
    found = classification.classify(classification.parse(HOSTILE[name]), own=set())
    assert found.kind in IncomingMessage.Kind.values
    assert time.process_time() - began < 5
