"""What a person wrote themselves: without what they quoted, without signature.

Line by line, each looked at a bounded number of times. Where a person answers between or
below the quoted lines, those answers are kept.
"""

# ruff: noqa: RUF001 (words of many scripts)

from __future__ import annotations

import re

MOST_CHARACTERS = 4_000
_MOST_LINE = 1_000

# -- what begins a quotation -------------------------------------------------------------------

_WROTE = re.compile(
    r"\b(wrote|writes|schrieb|a écrit|écrit|escribió|escribio|ha scritto|escreveu|schreef|"
    r"napisała?|napisał\(a\)|pisze|skrev|napsala?|napsal\(a\)|kirjoitti|написала?|пишет|"
    r"написав|írta|a scris|yazdı|napísala?|napísal\(a\)|je napisao|rašė|rakstīja|kirjutas|"
    r"έγραψε|viết)"
    r"\s*(:|-{2,})?\s*$"
    r"|schrieb\b[^:]{0,200}:\s*$|a écrit\b[^:]{0,80}:\s*$"
    r"|(写道|寫道|のメール|wrote)\s*[:：]\s*$",
    re.IGNORECASE,
)
_SENDER_AND_COLON = re.compile(r"[\w.+-]@[\w.-]+\s*[>\])\"']*\s*[:：]\s*$")
_HAS_DATE = re.compile(r"\d{1,4}([:./-]|\s*[h年月])\s*\d{1,2}|\d{1,2}\.?,? +\w+|\w+ +\d{1,2},")
_MAY_BEGIN = re.compile(
    r"[>\s*_-]*("
    r"on|am|le|el|il|op|den|em|w dniu|dnia|dne|dňa|in data|a|pe|ma|ti|ke|to|la|su|vào|"
    r"tarihinde|"
    r"mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|man|tir|ons|tor|fre|lør|søn|mån|tis|lör|"
    r"sön|lun|mar|mer|mié|jeu|jue|ven|vie|sam|sáb|dim|dom|gio|ter|qua|qui|sex|seg|pon|wt|śr|"
    r"czw|"
    r"пн|вт|ср|чт|пт|сб|вс|"
    r"monday|tuesday|wednesday|thursday|friday|saturday|sunday|"
    r"from|\"?\d)",
    re.IGNORECASE,
)
_SENDER_LINE = re.compile(
    r"[>\s*_]*(from|von|de|da|van|fra|från|od|от|kimden|lähettäjä|feladó|gönderen|"
    r"发件人|發件人|寄件者|差出人|보낸 ?사람)\s*\**\s*[:：]",
    re.IGNORECASE,
)
_HEADER_LINE = re.compile(
    r"[>\s*_]*("
    r"sent|date|to|subject|cc|reply-to|gesendet|datum|an|betreff|envoyé( le)?|à|objet|"
    r"enviado( el)?|enviada( em)?|para|asunto|assunto|fecha|inviato|a|oggetto|data|verzonden|"
    r"aan|"
    r"onderwerp|sendt|til|emne|dato|skickat|till|ämne|wysłano|do|temat|odesláno|komu|předmět|"
    r"отправлено|кому|тема|дата|lähetetty|vastaanottaja|aihe|päivämäärä|"
    r"送信日時|宛先|件名|日時|发送时间|收件人|主题|日期|寄件日期|收件者|主旨"
    r")\s*\**\s*[:：]",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(
    r"[>\s*]*[-_=]{2,}\s*("
    r"original (message|appointment|e-?mail)|forwarded (message|by .{1,60})|reply message|"
    r"ursprüngliche nachricht|weitergeleitete nachricht|originalnachricht|original-nachricht|"
    r"message d'origine|message d’origine|message original|message transféré|"
    r"mensaje original|mensaje reenviado|messaggio originale|messaggio inoltrato|"
    r"oorspronkelijk bericht|doorgestuurd bericht|oprindelig (besked|meddelelse)|"
    r"videresendt (besked|melding)|opprinnelig melding|ursprungligt meddelande|"
    r"vidarebefordrat meddelande|mensagem (original|encaminhada)|"
    r"(wiadomość oryginalna|oryginalna wiadomość|treść przekazanej wiadomości)|"
    r"(původní|přeposlaná) zpráva|alkuperäinen viesti|(исходное|пересылаемое) сообщение|"
    r"元のメッセージ|转发邮件|原始邮件|eredeti üzenet|mesaj original|orijinal mesaj"
    r")\s*[-_=:]*\s*$"
    r"|begin forwarded message:|anfang der weitergeleiteten nachricht:|début du message "
    r"réexpédié",
    re.IGNORECASE,
)
_ANY_SEPARATOR = re.compile(r"\s*[-_=]{5,}\s*[^\W\d][\w' ’.]{3,50}\s*[-_=]{5,}\s*$")
_RULE = re.compile(r"[\s*]*[-_=*—–]{3,}[\s*]*$")


def _begins_quotation(lines: list[str], at: int) -> tuple[int, bool]:
    """How many lines say who wrote what follows, and whether all that follows is theirs.

    ``(0, False)`` where nothing of the kind begins here.
    """
    line = lines[at]
    if _SEPARATOR.match(line) or (
        _ANY_SEPARATOR.match(line)
        and any(_looks_like_header(below) for below in lines[at + 1 : at + 4])
    ):
        return 1, True
    if _SENDER_LINE.match(line) and _is_header_block(lines, at):
        return 1, True
    if not _MAY_BEGIN.match(line):
        return 0, False
    joined = ""
    for number, more in enumerate(lines[at : at + 4], 1):
        if not more.strip() or (number > 1 and _RULE.match(more)):
            break
        if number > 1 and _is_attribution(more) and _MAY_BEGIN.match(more):
            break  # the next line says it alone
        joined = f"{joined} {more.lstrip('> ')}".strip()
        if len(joined) > 400:
            break
        if _is_attribution(joined):
            return number, False
    return 0, False


def _is_attribution(line: str) -> bool:
    if not _HAS_DATE.search(line):
        return False
    return bool(_WROTE.search(line) or _SENDER_AND_COLON.search(line))


def _looks_like_header(line: str) -> bool:
    return bool(_SENDER_LINE.match(line) or _HEADER_LINE.match(line))


def _is_header_block(lines: list[str], at: int) -> bool:
    """A sender, then at least one more line of a header; two where the words are common."""
    after = [line for line in lines[at + 1 : at + 7] if line.strip()][:4]
    found = sum(bool(_HEADER_LINE.match(line)) for line in after)
    # Outlook puts its block after a rule or an empty line; a line "From: …" in a text has
    # an address or a second header beside it.
    return found >= 2 or (found == 1 and "@" in lines[at])


# -- what the person wrote ---------------------------------------------------------------------


def written_by_person(text: str) -> str:
    """The answer without quotation and signature, capped; the whole where nothing is left."""
    text = (
        text[:MOST_CHARACTERS].replace("\xa0", " ").replace("\u200b", "").replace("\u200e", "")
    )
    lines = [line[:_MOST_LINE].rstrip() for line in text.split("\n")]
    own = _without_signature(_without_quotation(lines))
    return "\n".join(own).strip()


def _without_quotation(lines: list[str]) -> list[str]:
    own: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        length, is_all = _begins_quotation(lines, at)
        if is_all:
            break
        if length:
            at += length
            following = next((rest for rest in lines[at:] if rest.strip()), "")
            if not _is_quoted(following):
                break  # an answer below an unmarked quotation cannot be told from it
            continue
        if _is_quoted(line):
            at = _after_quotation(lines, at)
            if own and own[-1].strip():
                own.append("")
            continue
        own.append(line)
        at += 1
    while own and (not own[-1].strip() or _RULE.match(own[-1])):
        own.pop()
    return own


def _is_quoted(line: str) -> bool:
    return line.lstrip()[:1] == ">" or line.lstrip()[:4] == "&gt;"


def _after_quotation(lines: list[str], at: int) -> int:
    """The first line after a quoted run. A line that the quoting program wrapped, directly
    between two quoted ones, belongs to it.
    """
    while at < len(lines):
        if _is_quoted(lines[at]):
            at += 1
            continue
        wrapped = at
        while (
            wrapped < len(lines) and lines[wrapped].strip() and not _is_quoted(lines[wrapped])
        ):
            wrapped += 1
            if wrapped - at > 3:
                return at
        if wrapped > at and wrapped < len(lines) and _is_quoted(lines[wrapped]):
            at = wrapped
            continue
        return at
    return at


# -- signature ---------------------------------------------------------------------------------

_DASHES = re.compile(r"\s*(--|-- |__|_{10,}|—{2,}|–{2,})\s*$")
_SENT_FROM = re.compile(
    r"\s*\(?(sent (from|via|with) (my |mail |outlook|yahoo|proton|samsung|gmail|typeapp|"
    r"(the )?\w+ (mail|app)|mobile|a mobile)|get outlook for|gesendet (von|mit)|von meinem "
    r".{2,30} "
    r"gesendet|envoyé (de|depuis|à partir)|télécharg(er|ez) outlook|obtenir outlook|"
    r"enviado (desde|do|a partir)|inviato (da|dal)|verzonden (vanaf|met|vanuit)|"
    r"skickat från|skickades från|sendt fra|lähetetty|wysłane? z|wysłano z|odesláno z|"
    r"отправлено (с|из)|outlook (für|pour|para|per|voor) (ios|android)|iphone(から|より)送信|"
    r"发自我的|holen sie sich outlook|diese nachricht wurde von meinem)"
    r".{0,80}$",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"\s*((with |my |our )?((very |many |best|kind|kindest|warm|warmest) )*regards|"
    r"best wishes|all the best|yours (sincerely|faithfully|truly)|"
    r"mit (freundlichen|besten|lieben|herzlichen|vielen) grü(ß|ss)en|"
    r"(viele|beste|liebe|herzliche|freundliche|schöne) grü(ß|ss)e.{0,20}|mfg|vg|lg|gruß|grüße|"
    r"(bien )?(cordialement|amicalement)|bien à vous|sincères salutations|"
    r"(un )?(cordial )?saludos?( cordial(es)?)?|atentamente|atte\.?|un saludo|"
    r"(cordiali|distinti) saluti|un cordiale saluto|cordialmente|"
    r"(met )?(vriendelijke|hartelijke) groet(en)?|mvg|groeten|groetjes|"
    r"atenciosamente|(com os melhores )?cumprimentos|abraços?|att|"
    r"(med )?(vänliga?|venlig|vennlig|bästa|bedste|beste) (hälsning(ar)?|hilsen|hilsner)|mvh|"
    r"z (poważaniem|wyrazami szacunku)|pozdrawiam( serdecznie)?|"
    r"s (pozdravem|úctou)|с уважением|ystävällisin terveisin)\s*[,.!]?\s*$",
    re.IGNORECASE,
)
_MOST_SIGNATURE = 8


def _without_signature(lines: list[str]) -> list[str]:
    lines = [line for line in lines if not _SENT_FROM.match(line)]
    for at, line in enumerate(lines):
        if at and _DASHES.match(line) and any(before.strip() for before in lines[:at]):
            lines = lines[:at]
            break
    for at in range(len(lines) - 1, 0, -1):
        if len([line for line in lines[at + 1 :] if line.strip()]) > _MOST_SIGNATURE:
            break
        if _CLOSING.match(lines[at]) and any(before.strip() for before in lines[:at]):
            lines = lines[:at]
            break
    while lines and (not lines[-1].strip() or _RULE.match(lines[-1])):
        lines.pop()
    return lines
