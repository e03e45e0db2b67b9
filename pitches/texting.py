"""What people text back, and the only two texts that leave without anybody's approval (LAW-22).

Whoever asks in any reasonable words to be left alone is left alone, in every way and at once
(47 CFR 64.1200(a)(10)). One confirmation follows within five minutes ((a)(12)); HELP is
answered with who we are. Both go through the gate like everything else, by rules of their own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import unicodedata
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from campaigns.models import Channel
from config.text import clean_line, clean_text
from pitches import classification, fingerprints, inbox, stopping
from pitches.channels.twilio import fingerprint_of_text
from pitches.models import IncomingMessage, Message, Sender
from prospects import suppressions
from prospects.addresses import AddressError, canonical_phone
from prospects.models import Contact, ContactAddress, Suppression

# After that a confirmation may not be sent any more; it expires (47 CFR 64.1200(a)(12)).
CONFIRMED_WITHIN = timedelta(minutes=5)
LONGEST = 2_000

KEYWORDS = frozenset(
    {
        "stop", "quit", "end", "revoke", "optout", "opt out", "cancel", "unsubscribe",
        "stopall", "stop all", "arret", "arretez", "abmelden", "baja", "alto",
    }
)  # fmt: skip
HELP = frozenset({"help", "help me", "info", "aide", "hilfe", "ayuda"})
# What is said around a keyword without changing it.
COURTESY = frozenset(
    {
        "please", "pls", "plz", "now", "thanks", "thank", "you", "ok", "okay", "hi", "hello",
        "hey", "immediately", "me", "it", "this", "just", "kindly", "sorry", "i", "want", "to",
        "would", "like", "texts", "text", "messages", "all", "sms",
    }
)  # fmt: skip
WHOM = r"(?:me|us|(?:this|my)\s+(?:number|phone))"
ALL_OF_IT = r"(?:text|texting|messag|contact|writ|email|mail|call|send|bother|spam|sms)\w*"
PHRASES = re.compile(
    rf"""
    \b(?:
        stop\s+(?:all\s+|the\s+|these\s+|this\s+|your\s+|any\s+)*{ALL_OF_IT}
      | (?:do\s*not|dont|don\s+t|never|quit|no\s+longer|please\s+cease)\s+{ALL_OF_IT}\s+
        (?:{WHOM}|again|anymore|any\s+more|here)
      | (?:quit|cease)\s+{ALL_OF_IT}
      | no\s+more\s+(?:of\s+)?(?:these\s+|your\s+)?(?:{ALL_OF_IT})
      | (?:take|remove|delete|drop|strike)\s+(?:{WHOM})
      | lose\s+(?:my|this)\s+number
      | wrong\s+number
      | leave\s+(?:me|us)\s+alone
      | unsubscribe\s+(?:{WHOM})
      | opt(?:ing|ed)?\s+(?:me\s+)?out
      | (?:revoke|withdraw|cancel)\s+(?:my\s+)?(?:consent|permission|subscription|texts)
      | (?:do\s*not|dont|don\s+t)\s+(?:want|wish)\s+(?:to\s+(?:receive|get)\s+)?
        (?:any\s+|more\s+|these\s+|your\s+)*{ALL_OF_IT}
    )\b
    """,
    re.VERBOSE,
)
# "Don't stop" asks for more.
DENIED = re.compile(r"\b(?:do\s*not|dont|don\s+t|never|not|cant|can\s+t)\s+(?:ever\s+)?stop\b")
# "Stop, who is this?", but not "stop by on Friday".
BEGINS = re.compile(r"^stop\b(?!\s+(?:by|in|at|over|on|for|watch|light))")
FEW_WORDS = 5


def is_opt_out(text: str) -> bool:
    """Whether somebody asks, in any reasonable words, to be texted no more (LAW-22)."""
    said = _plain(text)
    if DENIED.search(said):
        return False
    words = said.split()
    left = [word for word in words if word not in COURTESY]
    if _is_keyword(said) or _is_keyword(" ".join(left)):
        return True
    if BEGINS.match(said) and len(words) <= FEW_WORDS:
        return True
    return bool(PHRASES.search(said))


def is_help(text: str) -> bool:
    """Whether somebody asks who texts them."""
    said = _plain(text)
    return said in HELP or " ".join(w for w in said.split() if w not in COURTESY) in HELP


def _plain(text: str) -> str:
    """Lower case, without accents and signs, one space between words."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in parts if not unicodedata.combining(c))
    letters = re.sub(r"(?<=[a-z])['\u2019](?=[a-z])", " ", letters)
    return re.sub(r"[\W_]+", " ", letters).strip()


def _is_keyword(said: str) -> bool:
    """A keyword, or one slip of the finger away from it."""
    if not said:
        return False
    return said in KEYWORDS or any(_is_slip(said, word) for word in KEYWORDS)


def _is_slip(said: str, word: str) -> bool:
    """A letter twice or more often, two in the wrong order; in a long word any one letter."""
    if re.sub(r"(.)\1+", r"\1", said) == re.sub(r"(.)\1+", r"\1", word) and len(word) > 3:
        return True
    if len(said) == len(word):
        wrong = [at for at in range(len(word)) if said[at] != word[at]]
        if len(wrong) == 2 and wrong[1] == wrong[0] + 1 and len(word) > 3:
            return said[wrong[0]] == word[wrong[1]] and said[wrong[1]] == word[wrong[0]]
        return len(wrong) == 1 and len(word) > 5
    longer, shorter = sorted((said, word), key=len, reverse=True)
    if len(longer) - len(shorter) != 1 or len(word) <= 5:
        return False
    return any(longer[:at] + longer[at + 1 :] == shorter for at in range(len(longer)))


# -- a text comes in ---------------------------------------------------------------------------


@transaction.atomic
def received(
    sender: Sender,
    *,
    number: str,
    text: str,
    provider_id: str,
    now: datetime,
    told: str = "",
) -> IncomingMessage | None:
    """Store a text of a person and act on it; None if it is known already.

    ``told``: STOP, HELP or START where Twilio has recognised it and answered by itself; then
    nothing of ours follows.
    """
    number, text = _number(number), clean_text(text, LONGEST)
    answered = _last_text(sender, number)
    wants_out = told == "STOP" or is_opt_out(text)
    asks = not wants_out and (told == "HELP" or is_help(text))
    intent = classification.intent_of(text)
    if wants_out:
        intent = IncomingMessage.Intent.UNSUBSCRIBE
    incoming, is_new = IncomingMessage.objects.get_or_create(
        sender=sender,
        raw_sha256=fingerprint_of_text(provider_id),
        defaults={
            "source": "twilio",
            "from_address": number,
            "text": text,
            "reply_text": text,
            "kind": _kind(intent, asks=asks),
            "intent": "" if asks else intent,
            "classified_by": classification.RULES,
            "pitch": answered.pitch if answered else None,
            "answers": answered,
            "contact": answered.pitch.address.contact if answered else None,
            "matched_by": "address" if answered else "",
            "received_at": now,
            "handled_at": now if asks else None,
        },
    )
    if not is_new:
        return None
    if incoming.kind == IncomingMessage.Kind.UNSUBSCRIBE:
        leave_alone(number, source=f"text message of {now:%Y-%m-%d}", now=now)
    inbox.act_on(incoming, now=now)
    if answered is not None and not told:
        if incoming.kind == IncomingMessage.Kind.UNSUBSCRIBE:
            _answer(answered, Message.OPT_OUT_CONFIRMATION, confirmation(sender), now=now)
        elif asks:
            _answer(answered, Message.HELP_ANSWER, who_we_are(sender), now=now)
    return incoming


def _kind(intent: str, *, asks: bool) -> str:
    kinds = IncomingMessage.Kind
    if asks:
        return kinds.AUTOMATIC
    return kinds.UNSUBSCRIBE if intent == kinds.UNSUBSCRIBE else kinds.HUMAN_REPLY


def _number(value: str) -> str:
    try:
        return canonical_phone(value)
    except AddressError:
        return clean_line(value, 40)


def _last_text(sender: Sender, number: str) -> Message | None:
    rows = Message.objects.filter(
        sender=sender,
        channel=Channel.SMS,
        status__in=Message.COUNTED,
        pitch__address__canonical=number,
    )
    rows = rows.exclude(approved_policy__in=Message.BY_ITSELF)
    rows = rows.select_related("pitch__address__contact", "pitch__campaign", "sender")
    return rows.order_by("-counted_at").first()


def leave_alone(number: str, *, source: str, now: datetime) -> None:
    """Everybody who is reached by this number, in every way; the number itself in any case."""
    people = Contact.objects.filter(
        addresses__kind=ContactAddress.Kind.PHONE, addresses__canonical=number
    )
    for contact in people.order_by("pk"):
        stopping.opted_out(contact, source=source, now=now)
    if number.startswith("+"):
        suppressions.add(
            Suppression.Kind.PHONE,
            number,
            reason=Suppression.Reason.UNSUBSCRIBED,
            source=source,
            now=now,
        )


# -- and is answered ---------------------------------------------------------------------------


def confirmation(sender: Sender) -> str:
    """That they will hear no more; no other word may stand in it."""
    return f"{settings.BRAND_NAME}: you will get no more messages from us."[:160]


def who_we_are(sender: Sender) -> str:
    """Who texts, how to reach us, how to end it."""
    words = f"{settings.BRAND_NAME}: write to {sender.address} for help. Reply STOP to end."
    return words[:160]


def _answer(answered: Message, policy: str, body: str, *, now: datetime) -> None:
    """Queue one text by a named policy; the same one is never made twice.

    One confirmation for each time that somebody opts out of what we sent, one help a day.
    """
    when = f"{answered.pk}" if policy == Message.OPT_OUT_CONFIRMATION else f"{now:%Y-%m-%d}"
    name = _name(answered, policy, when)
    message = Message(
        pitch=answered.pitch,
        number=None,
        channel=Channel.SMS,
        status=Message.Status.QUEUED,
        send_mode=answered.send_mode,
        sender=answered.sender,
        to_address=answered.to_address,
        message_id=name,
        body=body,
        approved_at=now,
        approved_policy=policy,
        send_at=now,
        expires_at=now + CONFIRMED_WITHIN,
    )
    message.approved_sha256 = fingerprints.of_message(message)
    Message.objects.bulk_create([message], ignore_conflicts=True)


def _name(answered: Message, policy: str, when: str) -> str:
    keys = json.dumps([policy, answered.message_id, when])
    secret = settings.MESSAGE_ID_KEY.encode()
    name = hmac.new(secret, keys.encode(), hashlib.sha256).hexdigest()
    return f"{name[:40]}@{answered.sender.address.rpartition('@')[2]}"
