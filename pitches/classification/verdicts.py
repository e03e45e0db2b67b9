"""What a server meant when it would not take a mail: its code first, then its words.

Sources: RFC 3463 and IANA's registry of enhanced codes; Google's "SMTP errors and codes";
Microsoft's "NDR error codes in Exchange Online"; Yahoo's "SMTP error codes".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pitches.models import Message

_KINDS = Message.BounceKind


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient of a report, and what was said of them."""

    address: str
    action: str = ""
    status: str = ""
    words: str = ""


# Our own login, names and signatures: nobody's address is at fault, and every mail fails.
_OURS = re.compile(
    r"\b(spf|dkim|dmarc|ptr|rdns|sender ?id)\b|reverse[- ]?(dns|lookup|hostname|mapping)|"
    r"5[.]7[.](2[0-9]|509|511|515)\b|unauthenticated (email|sender|mail)|"
    r"authentication (is )?(required|failed|credentials|checks?)|not authenticated|"
    r"(relay(ing)? (access )?denied|relaying not (allowed|permitted)|not (permitted|allowed) "
    r"to relay|"
    r"unable to relay|relay not permitted|we do not relay)|"
    r"cannot (find|resolve) your (hostname|reverse)|no (valid )?(ptr|mx) "
    r"record.{0,40}(sender|your)|"
    r"sender (address )?(rejected|verification|verify)|(envelope )?sender domain|"
    r"domain of sender|sender's domain|invalid sender|"
    r"sender address .{0,40}(does not exist|not (valid|exist))|helo (command )?rejected|"
    r"sendas ?denied|not allowed to send as",
    re.IGNORECASE,
)
_OURS_STATUS = re.compile(r"[45]\.(7\.(2\d|509|511|515)|1\.[78])$")

# The address is of no use: no such person, no such place, closed.
_DEAD = re.compile(
    r"(user|mailbox|recipient|account|address|addressee|customer|member|alias|inbox|name)"
    r"('s)?( \S{0,60}){0,2}? ?(is |was |has |are |have )?(been )?"
    r"(unknown|not known|not found|unavailable|invalid|inactive|in-?active|disabled|"
    r"deactivated|closed|deleted|removed|suspended|expired|terminated|undeliverable|"
    r"not listed|not exist|not available|not active|not recogni[sz]ed|not registered|no longer)"
    r"|(doesn'?t|does not|do not|don't|didn'?t) (exist|have (an?|any|this)|match|list)"
    r"|(unknown|invalid|no such|nonexistent|non-existent|inactive|bad|unrouteable|unroutable|"
    r"unrecognized|undeliverable|unresolvable|unregistered|disabled|ambiguous|illegal|"
    r"incorrect)"
    r" (local )?"
    r"(user|mailbox|recipient|account|address|destination|addressee|person|alias|domain|host|"
    r"name|"
    r"e-?mail|final recipient|resolver|local|or)"
    r"|no (mailbox|mail ?box|user|account|recipient|person|one|valid recipients?|valid hosts?)"
    r"( here)?( by| with| for| of)?\b"
    r"|(isn'?t|is not|not) (a |in )?(valid|our|known|local|listed|a local|have an|a mailbox)"
    r"|(wasn'?t|was not|couldn'?t be|could not be|not) found|not (a )?(valid|known) "
    r"(recipient|user)"
    r"|(left|no longer (at|with|works?|employed|valid|exists?|in use|on (the )?server|active|"
    r"available|an? active))"
    r"|has (moved|changed)|user (has )?moved|address (has )?changed"
    r"|host (or domain name )?(unknown|not found)|domain (name )?(not found|does not|doesn't|"
    r"unknown)"
    r"|nxdomain|name (service error|or service not known)|unrouteable|no route to"
    r"|can'?t find any host|mail for \S+ (loops|is)|no mx|null mx|domain .{0,60}does not "
    r"(accept|exist)"
    r"|recipnotfound|recipientnotfound|unknownuser|userunknown|resolver\.adr"
    r"|not our customer|account (that you tried|is (not|disabled|inactive))"
    r"|unbekannt|existiert nicht|nicht (bekannt|gefunden|vorhanden)|n'existe pas|inconnu|"
    r"introuvable"
    r"|no existe|desconocid[oa]|inesistente|sconosciut[oa]|não existe|desconhecid[oa]|"
    r"inexistente"
    r"|onbekend|bestaat niet|nie istnieje|okänd|ukendt|neexistuje|не существует|не найден"
    r"|見つかりません|存在しません|不存在|宛先不明|届けることができません",
    re.IGNORECASE,
)
# They could take it and will not: content, reputation, size, quota, rules.
_UNWANTED = re.compile(
    r"\bspam|\bunsolicited|junk|block(ed|list|ing)|black ?list|dnsbl|\brbl\b|spamhaus|"
    r"reputation|suspicious|\bvirus|malware|phish|prohibited|banned|polic(y|ies)|forbidden|"
    r"content (is )?(not|rejected|denied)|\battachment|message (is )?too (large|big)|"
    r"(message|size|mail) (size )?(is )?(exceed|too)|exceeds? .{0,40}(size|limit|maximum)|"
    r"too (many|large|big)|rate limit|compliance|rejected by .{0,30}(rule|filter|anti)|"
    r"not accept(ing)?|access denied|refused|administrative(ly)? prohibited|"
    r"restricted|permission|not authori[sz]ed|moderat|transaction failed|loop",
    re.IGNORECASE,
)
_FULL = re.compile(
    r"(mail ?box|mail ?folder|inbox|account|recipient|user|storage|quota|disk|postfach)"
    r"('s)?.{0,60}"
    r"(\bfull\b|over ?(the )?(quota|limit|storage|its)|quota exceeded|exceed|out of storage|"
    r"voll\b)"
    r"|over ?quota|quota (usage |limit )?(is )?(exceeded|full)|exceeded (its |the |their |"
    r"his )?"
    r"(storage|quota|mailbox)|insufficient (disk|system|storage)|not enough (disk|storage|"
    r"space)|"
    r"mailbox for .{0,60} is full|mail ?box (is )?full|pleine\b|casella piena|buzón (está "
    r")?lleno|"
    r"espacio .{0,30}agotado|容量|いっぱい",
    re.IGNORECASE,
)
_FOR_NOW = re.compile(
    r"\b(temporar(y|ily)|try (again )?later|try again|grey-?list|defer(red)?|"
    r"timed? ?-?out|retry time|hosts? (have|has) been failing|connection (refused|reset|lost|"
    r"dropped)|"
    r"not reachable|unreachable|(is )?not responding|too busy|4\d\d[ -]|"
    r"expired|lifetime|giv(en|ing) up|gave up|queue too long)\b",
    re.IGNORECASE,
)
_FOR_EVER = re.compile(
    r"permanent (fatal )?(error|failure)|fatal error|permanently", re.IGNORECASE
)
_ENHANCED = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_BASIC = re.compile(r"(?<![\d./-])(?<!\d:)(421|4[35]\d|5[0-7]\d)(?=[ :,;.#<-]|$)(?!\.\d)")


def code_in(words: str) -> str:
    """The enhanced code a text names, else its plain code as ``5.0.0``; empty without any."""
    enhanced = list(_ENHANCED.finditer(words))
    for found in enhanced:
        if found[1] in "45" and found[0][2:] != "0.0":
            return found[0]
    basic = _BASIC.search(words)
    if basic:
        return f"{basic[1][0]}.0.0"
    return next((found[0] for found in enhanced if found[1] in "45"), "")


def status_of(status: str, words: str) -> str:
    """The most telling code: the field's, unless it says no more than its class."""
    field = _ENHANCED.search(status)
    if field and field[0][1:] != ".0.0":
        return field[0]
    named = code_in(words)
    if field:
        return named if named[:1] == field[1] else field[0]
    if named:
        return named
    return ""


def kind_of(status: str, words: str) -> str:
    """hard, soft, policy or ours (LAW-20).

    A code 4.x.x is soft, whatever was said. Hard is what speaks of the address itself, or a
    permanent refusal without a reason; a full mailbox or an unwanted text behind a permanent
    code is policy: this mail will never arrive, and the address lives.
    """
    is_for_now = status.startswith("4") or (
        not status and bool(_FOR_NOW.search(words)) and not _FOR_EVER.search(words)
    )
    if _OURS_STATUS.match(status):
        return _KINDS.OURS
    if is_for_now:
        return _KINDS.SOFT
    return _refusal(status, words)


def _refusal(status: str, words: str) -> str:
    subject = status[2:]
    if subject.startswith("1.") and subject not in {"1.0", "1.8", "1.7"}:
        return _KINDS.HARD
    if subject in {"4.1", "4.4"}:  # Exchange Online's "no such recipient"; no way to the host
        return _KINDS.HARD
    if subject == "2.2" or (_FULL.search(words) and subject != "2.1"):
        return _KINDS.POLICY
    if _OURS.search(words) and not subject.startswith("2.1"):
        return _KINDS.HARD if _is_plainly_dead(words) else _KINDS.OURS
    if _DEAD.search(words):
        return _KINDS.HARD
    if subject.startswith(("7.", "6.", "3.", "2.3")) or _UNWANTED.search(words):
        return _KINDS.POLICY
    return _KINDS.HARD


_PLAINLY_DEAD = re.compile(
    r"user unknown|unknown user|no such (user|recipient|mailbox|address)|does ?n[o']t exist|"
    r"mailbox (unavailable|not found|unknown)|recipient not found|unrouteable address",
    re.IGNORECASE,
)


def _is_plainly_dead(words: str) -> bool:
    """Servers say "relay denied" and "user unknown" in one breath."""
    return bool(_PLAINLY_DEAD.search(words))
