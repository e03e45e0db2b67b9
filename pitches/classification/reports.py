"""Reports of mail servers: bounces and delays (RFC 3464, and what came before it), complaints
(RFC 5965), receipts (RFC 8098).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message

from flufl.bounce import all_failures

from config.text import clean_line
from pitches.classification import amazon, html_text, verdicts
from pitches.classification.reading import (
    header,
    ids_in,
    inside,
    part_text,
    parts,
    raw_header,
    written_by,
)
from pitches.classification.verdicts import Failure
from pitches.models import IncomingMessage
from pitches.models import Message as Letter

# It logs the mail's own faults as errors of ours.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)

MOST_NOTICE = 20_000
MOST_RECIPIENTS = 100
_KINDS = IncomingMessage.Kind
_BOUNCES = Letter.BounceKind


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says, whoever sent it."""

    kind: str
    bounce_kind: str = ""
    status: str = ""
    recipients: tuple[str, ...] = ()
    original_ids: tuple[str, ...] = ()
    feedback_type: str = ""


def read(mail: EmailMessage) -> Report | None:
    """The report a mail is; None if it is none."""
    all_parts = list(parts(mail))
    report_type = _parameter(mail, "report-type")
    types = [part.get_content_type() for part in all_parts]
    if report_type == "feedback-report" or "message/feedback-report" in types:
        return _complaint(mail, all_parts)
    if _is_hotmail_complaint(mail, all_parts):
        return _complaint(mail, all_parts)
    if report_type == "disposition-notification" or "message/disposition-notification" in types:
        return _receipt(mail, all_parts)
    if len(all_parts) == 1 and (told := amazon.read(part_text(mail, MOST_NOTICE * 3))):
        return _told(told)
    return _delivery(mail, all_parts, report_type)


def _told(told: amazon.Notification) -> Report:
    if told.kind == "Bounce":
        return _bounce(list(told.failures), "", _addresses(told.failures), told.ids)
    kind = _KINDS.COMPLAINT if told.kind == "Complaint" else _KINDS.AUTOMATIC
    return Report(kind, recipients=_addresses(told.failures), original_ids=told.ids)


_REJECTED = re.compile(r"(was|been) (automatically )?(rejected|refused|discarded)", re.I)


def _receipt(mail: EmailMessage, all_parts: list[Message]) -> Report:
    """Read or deleted, told by a program (RFC 8098); some servers refuse mail in this form."""
    notice, returned = _notice(mail, all_parts)
    if not _REJECTED.search(notice):
        return Report(_KINDS.AUTOMATIC)
    ids = tuple(_original_ids(mail, all_parts, returned))
    return _bounce(
        [], f"{header(mail, 'Subject')}\n{notice}", tuple(_named_in(mail, notice)), ids
    )


def _parameter(mail: Message, name: str) -> str:
    try:
        return str(mail.get_param(name, "") or "").lower()
    except (ValueError, TypeError, LookupError, AttributeError):
        return ""


# -- bounces and delays ------------------------------------------------------------------------


def _delivery(mail: EmailMessage, all_parts: list[Message], report_type: str) -> Report | None:
    notice, returned = _notice(mail, all_parts)
    failures = _fields_of(all_parts)
    if not failures:
        failures = _fields_in(notice)
        if failures and not (report_type or looks_like_a_daemon(mail)):
            failures = []  # somebody wrote to us about a report
    has_fields = bool(failures)
    subject = header(mail, "Subject")
    if not has_fields:
        holds_mail = any(part.get_content_type() == "message/rfc822" for part in all_parts)
        if not _is_text_report(mail, report_type, subject, notice, holds_mail=holds_mail):
            return None
    ids = tuple(_original_ids(mail, all_parts, returned))
    actions = {failure.action for failure in failures}
    if has_fields and not actions & {"failed", "delayed"}:
        return Report(_KINDS.AUTOMATIC, original_ids=ids)
    if "failed" in actions:
        failed = [failure for failure in failures if failure.action == "failed"]
    elif "delayed" in actions or (not has_fields and _is_delay(subject, notice)):
        return Report(
            _KINDS.DELAY,
            _BOUNCES.SOFT,
            failures[0].status if failures else verdicts.code_in(notice),
            _addresses(failures) or tuple(_named_in(mail, notice)),
            ids,
        )
    else:
        failed = failures
    recipients = _addresses(failed) or tuple(_named_in(mail, notice))
    return _bounce(failed, f"{subject}\n{notice}", recipients, ids)


def _bounce(
    failed: list[Failure], notice: str, recipients: tuple[str, ...], ids: tuple[str, ...]
) -> Report:
    found = []
    for failure in failed or [Failure("", "failed", "", notice)]:
        words = failure.words
        status = verdicts.status_of(failure.status, words)
        if not words.strip() or status[1:] == ".0.0":
            words = f"{words}\n{notice}"
            status = verdicts.status_of(failure.status, words) or status
        found.append((status, verdicts.kind_of(status, words)))
    # The worst of several: what is dead stays dead, whatever its neighbours are.
    worst = [_BOUNCES.HARD, _BOUNCES.OURS, _BOUNCES.POLICY, _BOUNCES.SOFT]
    status, kind = min(found, key=lambda pair: worst.index(_BOUNCES(pair[1])))
    return Report(_KINDS.BOUNCE, kind, status, recipients, ids)


def _addresses(failures: Iterable[Failure]) -> tuple[str, ...]:
    named = (failure.address for failure in failures if failure.address)
    return tuple(dict.fromkeys(named))[:MOST_RECIPIENTS]


# The fields of RFC 3464, wherever a server put them

_FIELD = re.compile(
    r"^\s?([A-Za-z][\w-]{2,40})\s*:[ \t]*(.*(?:\n[ \t]+\S.*){0,30})", re.MULTILINE
)
_ACTIONS = frozenset({"failed", "delayed", "delivered", "relayed", "expanded"})


def _fields_of(all_parts: list[Message]) -> list[Failure]:
    found: list[Failure] = []
    for part in all_parts:
        kind = part.get_content_type()
        if kind not in {"message/delivery-status", "message/global-delivery-status"}:
            continue
        for block in inside(part) or [part]:
            fields = [] if block is part else [(k, str(v)) for k, v in block.raw_items()]
            text = part_text(block) if not block.is_multipart() else ""
            fields += [(name, value) for name, value in _FIELD.findall(text)]
            found += _failures(fields)
    return found[:MOST_RECIPIENTS]


def _fields_in(notice: str) -> list[Failure]:
    if "final-recipient" not in notice.lower() and "original-recipient" not in notice.lower():
        return []
    return list(_failures(_FIELD.findall(notice)))[:MOST_RECIPIENTS]


def _failures(fields: list[tuple[str, str]]) -> Iterator[Failure]:
    """The recipients of a run of fields; a field that comes again begins the next one."""
    one: dict[str, str] = {}
    for name, value in fields:
        name = name.lower()
        if name in one and name in {"final-recipient", "original-recipient", "action"}:
            yield from _failure(one)
            one = {}
        one.setdefault(name, value)
    yield from _failure(one)


def _failure(fields: dict[str, str]) -> Iterator[Failure]:
    original = _recipient(fields.get("original-recipient", ""))
    final = _recipient(
        fields.get("final-recipient", "") or fields.get("x-actual-recipient", "")
    )
    address = original if "@" in original else final
    action = clean_line(fields.get("action", "")).lower().partition(" ")[0].strip("();")
    if not address and not action:
        return
    status = clean_line(fields.get("status", ""), 100)
    if action not in _ACTIONS:
        action = {"2": "delivered", "4": "failed", "5": "failed"}.get(status[:1], "failed")
    words = "\n".join(
        fields.get(name, "")
        for name in ("status", "diagnostic-code", "x-notes", "x-display-name")
    )
    yield Failure(address, action, status, clean_words(words))


def clean_words(words: str) -> str:
    return clean_line(words, 2_000)


def _recipient(value: str) -> str:
    """The address of ``rfc822; <ada@example.com> (expanded from …)``."""
    value = clean_line(value.partition(";")[2] if ";" in value else value, 400)
    inside = re.search(r"<([^<>\s]+@[^<>\s]+)>", value)
    if inside:
        return inside[1]
    return value.split()[0].strip("<>\"',;()") if value.split() else ""


# -- the text in front of what was returned ----------------------------------------------------

_COPY_BEGINS = re.compile(
    r"^[ \t>*|]*("
    r"-{2,}.{0,60}(copy of|original message|below this line|returned message|message header|"
    r"unsent message|header of the original|message (text )?follows|"
    r"mensaje original|ursprüngliche|returned mail|original mail|undelivered message|"
    r"transcript of message|enclosed is a copy)"
    r"|original message (follows|headers?)|the original message (was|is|follows)? ?(attached|"
    r"below)"
    r"|received: (from|by) |-{3,} ?original|\*{3,} original|message contents? (follows|below)"
    r"|unsent message|return-path: <|original mail as follows"
    r"|the following is a copy|a copy of (the|your) (original )?message"
    r"|your original (message|mail) (follows|is)|begin message|message headers? follow"
    r")",
    re.IGNORECASE | re.MULTILINE,
)


def _notice(mail: EmailMessage, all_parts: list[Message]) -> tuple[str, str]:
    """What the server says, and the returned mail as far as it stands in the same text."""
    texts: list[str] = []
    for part in all_parts:
        kind = part.get_content_type()
        if kind in {"message/rfc822", "text/rfc822-headers", "message/delivery-status"}:
            if texts:
                break
            continue
        # A multipart whose boundary is nowhere to be found has its text in one piece.
        if part.is_multipart() or not kind.startswith(("text/", "multipart/")):
            continue
        text = part_text(part, MOST_NOTICE * 2)
        texts.append(html_text.shown(text) if kind == "text/html" else text)
        if len(texts) == 3:
            break
    whole = "\n".join(texts)[: MOST_NOTICE * 2]
    # A server may say "copy of the message" before it says what failed.
    cut = _COPY_BEGINS.search(whole, min(40, len(whole)))
    if cut is None:
        return whole[:MOST_NOTICE], whole
    return whole[: cut.start()][:MOST_NOTICE], whole[cut.start() :]


_DAEMON = re.compile(
    r"^(mailer[-_.]?daemon|mail[-_.]?daemon|mdaemon|post-?master|mailerdaemon|daemon|"
    r"maildelivery|mail[-._]?delivery([-._]?(system|subsystem))?|"
    r"microsoftexchange\w*|bounces?|delivery[-_]?(failure|status|notification|report)\w*|"
    r"mail-?(admin|system|router|gateway)|mailmaster|ndr|symantec_antivirus.*|failure|"
    r"non-?delivery.*|undeliver\w*)([+=\\-].*)?$",
    re.IGNORECASE,
)
_ROBOT = re.compile(r"(no|do-?not)[-_.]?reply", re.IGNORECASE)
_DAEMON_NAME = re.compile(
    r"mail delivery|mailer-?daemon|delivery (sub)?system|postmaster|mail administrator|"
    r"mail (sub)?system|delivery notification|mail router",
    re.IGNORECASE,
)
_SUBJECT_FAILED = re.compile(
    r"^\W*(\[?(external|spam|ext)\]?\W*)?("
    r"undeliver(ed|able|ability)|(mail |message |e-?mail )?deliver(y|ing) (has )?(fail|"
    r"problem|error|"
    r"report|status|notification|unsuccessful|incomplete|delay)|"
    r"delivery status notification|delivery of .{0,60}(fail|delay)|"
    r"delivery notification|return(ed|ing) (mail|message|e-?mail|to sender)|failure (notice|"
    r"notification)|"
    r"(mail|message|e-?mail) (could not be|not|was not|cannot be|has not been|failed|returned|"
    r"status report|system error|delivery|undeliver|error|rejected|bounce)|"
    r"nondeliver|non-deliver|non remis|mail failure|mail failed|failed mail|"
    r"error (sending|delivering|mail)|mail error|problem (sending|delivering)|"
    r"(your )?(message|mail) (to .{1,80} )?(was |is )?(delayed|rejected|blocked|refused|not "
    r"delivered)|"
    r"(warning|notice):? .{0,40}(message|mail|deliver|still being)|delayed mail|message "
    r"delayed|"
    r"could not (deliver|send)|unable to deliver|unknown user|user unknown|bounce|"
    r"address (unknown|not found)|rejected|ndn|"
    r"unzustellbar|(nachricht|mail|e-?mail) .{0,40}(nicht zugestellt|unzustellbar|verzögert)|"
    r"zustellung(s)?(fehl| fehl|problem|status|verz)|fehler bei der (zustell|über)|"
    r"non (remis|distribu)|échec de (la )?(remise|distribution|livraison)|message non|"
    r"avis de non|notification d'état|"
    r"no se (pudo|puede|ha podido) entreg|no entregado|devuelto|error de entrega|"
    r"mensaje no|notificación de estado de entrega|"
    r"mancata consegna|impossibile (recapitare|consegnare)|messaggio non|non recapitabile|"
    r"não entreg|falha (na|de) entrega|mensagem não|devolvid|"
    r"onbestelbaar|niet (bezorgd|afgeleverd)|bezorging|aflevering|"
    r"niedostarczon|nie (dostarczono|można dostarczyć)|zwrot|"
    r"kan inte levereras|kunne ikke leveres|ej levererat|olevererat|ikke leveret|"
    r"nedoručiteln|nelze doručit|недоставлен|не доставлен|сообщение не|"
    r"(mail )?loop (alert|detected)|メールエラー|エラー通知|"
    r"配信(不能|エラー|失敗)|送信(エラー|失敗)|配達|未送達|エラーメール|"
    r"系统退信|退信|投递失败|無法傳遞|无法投递|반송|전송 ?실패"
    r")",
    re.IGNORECASE,
)
_SAYS_FAILED = re.compile(
    r"could not be (delivered|sent|forwarded|processed)|(couldn'?t|could not|unable to|"
    r"cannot|can't|"
    r"wasn'?t able to|not able to|failed to|did not) (be )?(deliver|send|reach|be delivered)|"
    r"(was|were|has|have)(n'?t| not)( been| yet been)? (delivered|accepted|received|sent)|"
    r"not (been )?delivered|undeliver|deliver(y|ing) .{0,60}(fail|error|delay|attempt|abort)|"
    r"(fail|error)\w* .{0,40}deliver|permanent (error|fail|fatal)|fatal error|returned to "
    r"(you|sender)|"
    r"duplicated message-id|mail (is )?loop|too many hops|"
    r"user unknown|unknown (user|address|recipient)|no such (user|mailbox|account|address)|"
    r"recipients? (unknown|rejected|did not|not)|mailbox (is )?(full|unavailable|not)|"
    r"over quota|account .{0,40}(disabled|quota|not exist)|failed address|unsent message|"
    r"did not receive this message|(550|554|553|552|551)[ -]|"
    r"is no longer valid|was rejected|refused|"
    r"nicht (zugestellt|ausgeliefert|zustellbar)|konnte nicht|"
    r"n'a pas pu|n'ont pas|non remis|no (pudo|ha podido|se pudo)|non (è stato|è possibile)|"
    r"não (pôde|foi|pode)|niet (worden|bezorgd)|kon niet|nie (mog|zosta|można)|"
    r"kunde inte|kunne ikke|nelze|не удалось|не может быть доставлено|не было доставлено|"
    r"配信できません|送信できません|届けることができません|届きません|エラー|无法|未能|退回|退信",
    re.IGNORECASE,
)
_SAYS_PLAINLY = re.compile(
    r"^your (message|e-?mail) could not be delivered to|^votre message n'a pas pu|"
    r"^ihre nachricht konnte nicht zugestellt",
    re.IGNORECASE | re.MULTILINE,
)
_ANSWERED = re.compile(r"^\W*(re|aw|fwd?|wg|tr|rv|sv|vs|antw|odp|res|enc)\s*:", re.IGNORECASE)


def looks_like_a_daemon(mail: EmailMessage) -> bool:
    """Whether a mail program wrote it, by its name, its address or the empty return path."""
    name, address = written_by(mail)
    local = (address or raw_header(mail, "From").strip("<> ")).partition("@")[0]
    return_path = raw_header(mail, "Return-Path").strip().lower()
    return bool(
        _DAEMON.match(local)
        or _ROBOT.match(local)
        or _DAEMON_NAME.search(name)
        or return_path == "<>"
        or "mailer-daemon" in return_path
    )


def _is_text_report(
    mail: EmailMessage, report_type: str, subject: str, notice: str, *, holds_mail: bool
) -> bool:
    if report_type == "delivery-status":
        return True
    if raw_header(mail, "X-Failed-Recipients"):
        return True
    if _ANSWERED.match(subject):
        return bool(_SAYS_PLAINLY.search(notice[:300])) and not raw_header(mail, "In-Reply-To")
    says_so = bool(_SUBJECT_FAILED.search(subject))
    text_says_so = bool(_SAYS_FAILED.search(notice[:4_000]))
    is_note = raw_header(mail, "Auto-Submitted").strip().lower().startswith("auto-replied")
    if _is_named_daemon(mail):
        # Some send bounces as empty as can be; a person's holiday note comes from elsewhere.
        return says_so or text_says_so or not is_note
    if looks_like_a_daemon(mail):
        return (says_so or holds_mail) and text_says_so
    # From anybody else it must name whom it could not reach.
    is_answer = bool(raw_header(mail, "In-Reply-To"))
    return says_so and text_says_so and not is_answer and bool(_ADDRESS.search(notice))


def _is_named_daemon(mail: EmailMessage) -> bool:
    name, address = written_by(mail)
    local = (address or raw_header(mail, "From").strip("<> ")).partition("@")[0]
    return bool(_DAEMON.match(local) or _DAEMON_NAME.search(name))


_DELAYED = re.compile(
    r"\b(delay(ed)?|postponed)\b|warning( message)? only|"
    r"has not yet been delivered|not yet been|"
    r"will (be retried|continue to|keep trying|try again|retry)|still being retried|"
    r"delivery attempts will continue|do not need to resend|temporarily (deferred|delayed)|"
    r"weiterhin versuch|noch nicht zugestellt|verzögert|sera (à nouveau|retent)|retard[ée]|"
    r"se seguirá intentando|retrasad|in ritardo|ritardat|atrasad|vertraagd|opóźnion|försenad|"
    r"forsinket|zpožděn|задерж|遅延|延迟",
    re.IGNORECASE,
)
_FINAL = re.compile(
    r"permanent (error|fail|fatal)|giving up|gave up|given up|permanently|"
    r"will not (be )?(retr|tr)|no further|returned to sender|aborted",
    re.IGNORECASE,
)


def _is_delay(subject: str, notice: str) -> bool:
    head = f"{subject}\n{notice[:4_000]}"
    return bool(_DELAYED.search(head)) and not _FINAL.search(head)


# -- whom it names -----------------------------------------------------------------------------

_ADDR = r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w.-]{1,200}\w"
_ADDRESS = re.compile(_ADDR)
# The forms of sendmail, qmail, Postfix and Exim, which say exactly whom; then looser ones.
_EXACT = [
    re.compile(rf"^(?:[45]\d\d )?(?:[45]\.\d\.\d )?<({_ADDR})>\.\.\. ", re.MULTILINE),
    re.compile(rf"^[ \t]*<({_ADDR})>\s*:", re.MULTILINE),
    re.compile(rf"^[ ]{{2,8}}({_ADDR})\s*\n[ ]{{4,}}\(?\w", re.MULTILINE),
    re.compile(rf"^({_ADDR}) Error, ERROR_CODE", re.MULTILINE),
]
_NAMED = [
    re.compile(rf"^\s*<({_ADDR})>\s*$", re.MULTILINE),
    re.compile(
        rf"(?:RCPT TO|to=|Recipient|Recipient address|Unknown address)\s*:?\s*<?({_ADDR})", re.I
    ),
    re.compile(
        rf"^[ \t*•\"'-]*(?:mailto:)?({_ADDR})[ \t\"']*(?:$|[:;,(\[<]|\.{{3}}|Error|on )", re.M
    ),
    re.compile(
        rf"(?:user|recipient|address(?:es)?|account|mailbox|to|an|für|à|a|para|aan|do|till)"
        rf"[\s:'\"(]{{1,4}}<?({_ADDR})",
        re.I,
    ),
]


def _named_in(mail: EmailMessage, notice: str) -> Iterator[str]:
    """The addresses a text names as failed; never who wrote it or whom it was sent to."""
    listed = _ADDRESS.findall(raw_header(mail, "X-Failed-Recipients"))
    if listed:
        yield from dict.fromkeys(listed[:MOST_RECIPIENTS])
        return
    besides = {written_by(mail)[1], *(a.lower() for a in _ADDRESS.findall(header(mail, "To")))}
    found = _found_by(_EXACT, notice, besides) or _by_library(mail)
    found = found or _found_by(_NAMED, notice, besides)
    if not found:
        every = (name for name in _ADDRESS.findall(notice) if name.lower() not in besides)
        found = [next(every, "")]
    yield from (name for name in dict.fromkeys(found[:MOST_RECIPIENTS]) if name)


def _found_by(forms: list[re.Pattern[str]], notice: str, besides: set[str]) -> list[str]:
    for form in forms:
        found = [name for name in form.findall(notice) if name.lower() not in besides]
        if found:
            return found
    return []


def _by_library(mail: EmailMessage) -> list[str]:
    """flufl.bounce for the formats it knows. It raises on mails without From, among others."""
    try:
        for_now, for_ever = all_failures(mail)
    except Exception:  # the mail is hostile, and the library says nothing about what it raises
        return []
    found = (for_ever or for_now) if isinstance(for_ever | for_now, frozenset) else frozenset()
    named = (octets.decode("utf-8", "replace") for octets in sorted(found))
    return [name.strip("<>") for name in named if "@" in name][:MOST_RECIPIENTS]


# -- the mail it is about ----------------------------------------------------------------------

_ID_FIELD = re.compile(
    r"^[ \t>|]*(?:message-id|x-overture-id|(?:x-)?original-message-id|"
    r"(?:x-)?original-envelope-id)"
    r"[ \t]*:[ \t]*\n?[ \t]*(\S.{3,500})$",
    re.IGNORECASE | re.MULTILINE,
)
_REFERRED = ("x-overture-id", "message-id", "original-message-id", "references")


def _original_ids(mail: EmailMessage, all_parts: list[Message], text: str) -> list[str]:
    """The ids of the mail it is about, from whichever part holds them."""
    found: list[str] = []
    for part in all_parts:
        kind = part.get_content_type()
        held = inside(part)
        if kind == "message/rfc822" and held:
            for name in _REFERRED:
                found += ids_in(header(held[0], name))
            found += _ids_in_text(part_text(held[0]))
        elif kind == "message/delivery-status":
            for block in held:
                for name in ("X-Original-Message-ID", "Original-Envelope-Id"):
                    found += ids_in(header(block, name))
        elif not part.is_multipart() and (
            kind in {"text/rfc822-headers", "message/rfc822", "message/feedback-report"}
            or kind.startswith("message/")
        ):
            found += _ids_in_text(part_text(part))
    found += _ids_in_text(text)
    own = set(ids_in(header(mail, "Message-ID")))
    for name in ("In-Reply-To", "References", "X-Overture-Id"):
        found += ids_in(header(mail, name))
    return [name for name in dict.fromkeys(found) if name not in own][:MOST_RECIPIENTS]


def _ids_in_text(text: str) -> list[str]:
    return [name for line in _ID_FIELD.findall(text) for name in ids_in(line)]


# -- complaints --------------------------------------------------------------------------------


def _is_hotmail_complaint(mail: EmailMessage, all_parts: list[Message]) -> bool:
    """Outlook's own loop sends the mail back without a report."""
    if raw_header(mail, "X-HmXmrOriginalRecipient"):
        return True
    subject = header(mail, "Subject").lower()
    is_theirs = subject.startswith(
        ("complaint about message from", "[jmrp]", "junk mail report")
    )
    return is_theirs and any(part.get_content_type() == "message/rfc822" for part in all_parts)


# What says that a person pressed "spam". The rest is told by machines of each other.
_BY_PEOPLE = frozenset(
    {"abuse", "fraud", "virus", "other", "opt-out", "opt-out-list", "miscategorized", ""}
)


def _complaint(mail: EmailMessage, all_parts: list[Message]) -> Report:
    """A complaint with the recipients it names, if it names any (LAW-21).

    A report of failed authentication is of that form too; it names nobody's wish, so it
    gives neither recipients nor ids, and says that our own set-up is at fault.
    """
    fields: dict[str, list[str]] = {}
    for part in all_parts:
        if part.get_content_type() == "message/feedback-report":
            blocks = inside(part)
            pairs = [(k, str(v)) for block in blocks for k, v in block.raw_items()]
            pairs += _FIELD.findall("\n".join(part_text(b) for b in blocks) or part_text(part))
            for name, value in pairs[:200]:
                fields.setdefault(name.lower(), []).append(value)
    feedback = clean_line(next(iter(fields.get("feedback-type", [])), "")).lower()
    if feedback.startswith("not-spam"):
        return Report(_KINDS.AUTOMATIC, feedback_type=feedback)
    if feedback not in _BY_PEOPLE:
        return Report(_KINDS.COMPLAINT, _BOUNCES.OURS, feedback_type=feedback)
    recipients = [_recipient(value) for value in fields.get("original-rcpt-to", [])]
    recipients += _recipients_of_returned(all_parts)
    named = tuple(dict.fromkeys(name for name in recipients if "@" in name))
    texts = "\n".join(part_text(part) for part in all_parts if not part.is_multipart())
    ids = _original_ids(mail, all_parts, texts)
    ids += [
        i for value in fields.get("original-message-id", []) for i in ids_in(clean_line(value))
    ]
    return Report(
        _KINDS.COMPLAINT,
        recipients=named[:MOST_RECIPIENTS],
        original_ids=tuple(dict.fromkeys(ids)),
        feedback_type=feedback or "abuse",
    )


def _recipients_of_returned(all_parts: list[Message]) -> list[str]:
    named = raw_header(all_parts[0], "X-HmXmrOriginalRecipient")
    if named:
        return _ADDRESS.findall(named)[:MOST_RECIPIENTS]
    for part in all_parts:
        if part.get_content_type() == "message/rfc822" and (held := inside(part)):
            named = header(held[0], "X-HmXmrOriginalRecipient") or header(held[0], "To")
            return _ADDRESS.findall(named)[:MOST_RECIPIENTS]
    return []
