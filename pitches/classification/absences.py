"""Notes of absence: whether a mail is one, and on which day the person is back (REL-19).

What the words are taken to mean: "back on the 14th" is the 14th; "until the 14th" is the 14th
too, the day that is stated; "through the 14th", "from the 3rd to the 14th" and "after the 14th"
are the 15th. Whoever plans by it adds working days (RELIABILITY, REL-19).
"""

# ruff: noqa: RUF001 (words of many scripts)

from __future__ import annotations

import re
from datetime import date, timedelta

from pitches.classification import dates

MOST_AHEAD = timedelta(days=400)

_ABSENT = re.compile(
    # English
    r"\bout[- ]of[- ](the[- ]|my[- ])?office|\booo\b|\booto\b|away from (my|the) (desk|"
    r"office|e-?mail)"
    r"|\bon ((annual|parental|maternity|paternity|sick|medical|family|compassionate|extended|"
    r"a|my|"
    r"summer|christmas|winter|study|bank) )*(leave|vacation|holidays?|pto|sabbatical)\b"
    r"|\b((i|we)( am|'m|’m| are|'re|’re| will be|'ll be|’ll be)|am|currently|be) "
    r"(currently |now )?(away|out|abroad|traveling|travelling|"
    r"unavailable|out of town|out of the country)\b"
    r"|\b(not|n't|n’t) (be )?(in|at) (the|my) (office|desk)"
    r"|limited access to (my )?(e-?mail|messages)|\b(my|the) (return|absence)\b|(taking|"
    r"some) time off"
    r"|no longer checking|away until|annual leave|closed (from|until|for)"
    # German
    r"|nicht (im (büro|buero|haus|hause|dienst)|am arbeitsplatz)|abwesen(d|heit)|im urlaub|"
    r"au(ß|ss)er haus|(in|im) (elternzeit|mutterschutz|krankenstand)|dienstreise|"
    r"urlaubsbedingt|"
    r"derzeit nicht erreichbar|betriebsferien|nicht erreichbar"
    # French
    r"|\babsent(e|s)?\b|\ben (congés?|vacances|déplacement|arrêt)|hors (du|de mon) bureau|"
    r"\babsence\b|pas au bureau|congé (maternité|parental)|de retour (le|au)"
    # Spanish, Portuguese
    r"|fuera de (la |mi )?oficina|\bausent(e|arme)\b|\bausencia\b|de vacaciones|estaré fuera|"
    r"de baja|no estaré (disponible|en la oficina)|de permiso"
    r"|fora do escritório|(de|em|gozo de) férias|ausência|de licença|fora da empresa|não "
    r"estarei"
    # Italian
    r"|fuori (ufficio|sede|dall'ufficio)|\bassent[ei]\b|\bassenza\b|in (ferie|vacanza|congedo|"
    r"maternità|trasferta)|non sarò in ufficio|chiusura (estiva|uffici)"
    # Dutch
    r"|niet op kantoor|afwezig|(met|op) (vakantie|verlof)|buiten kantoor|zwangerschapsverlof"
    # Polish, Czech
    r"|poza biurem|nieobecn|urlop|przebywam (na|poza)|delegacj"
    r"|mimo kancelář|nepřítom|dovolen|nejsem v kancelář|služební cest"
    # Swedish, Danish, Norwegian, Finnish
    r"|inte på (kontoret|plats|jobbet)|frånvar|på semester|semester(ledig)?\b|tjänstledig|"
    r"föräldraledig|tjänsteresa|ute från kontoret"
    r"|ikke på (kontoret|plads|jobb)|fravær|(på|holder|har) (\w+)?ferie|på barsel|permisjon|"
    r"ute av kontoret|bortrejst|bortreist|ude af kontoret"
    r"|poissa|lomalla|toimistolta|vuosiloma"
    # Japanese, Chinese, Korean, Russian
    r"|不在|休暇|お休み|休業|夏季休|年末年始|出張|留守|休假|不在办公室|外出|出差|放假|年假|假期|부재|휴가"
    r"|в отпуске|отсутств|нет в офисе|не в офисе|командировк",
    re.IGNORECASE,
)
# What mail programs put before the subject of what they answer by themselves.
_BY_PROGRAM = re.compile(
    r"^\W*(automatic reply|auto(matic|mated)?[ -]?(reply|response|responder|answer)|autoreply|"
    r"out[- ]of[- ](the[- ])?office|ooo\b|vacation (reply|response|message)|away (notice|"
    r"message)|"
    r"on (vacation|leave|holiday)|away until|"
    r"automatische (antwort|beantwortung|reactie)|abwesenheits?(notiz|nachricht|assistent|"
    r"meldung|"
    r"agent)?|abwesend|nicht im büro|réponse automatique|absence du bureau|absen(t|ce)|"
    r"respuesta automática|fuera de (la )?oficina|ausente|risposta automatica|fuori (ufficio|"
    r"sede)|"
    r"assente|automatisch antwoord|afwezig(heid(sbericht)?)?|niet op kantoor|resposta "
    r"automática|"
    r"fora do escritório|ausência|odpowiedź automatyczna|automatyczna odpowiedź|poza biurem|"
    r"nieobecność|autosvar|automatiskt svar|frånvaro|automatisk svar|fravær|automaattinen "
    r"vastaus|"
    r"frånvarande|ude af kontoret|ute (av|från) kontoret|en (vacances|congés?)|de vacaciones|"
    r"in (ferie|ferien)|(im )?urlaub|(op|met) vakantie|de férias|na urlopie|dovolená|"
    r"poissa(olo)?|automatická odpověď|mimo kancelář|nepřítomnost|自動応答|自動返信|不在|休暇|"
    r"自动回复|自動回覆|外出|자동 ?회신|автоответ|автоматический ответ)",
    re.IGNORECASE,
)
# What nobody writes who reads the mail they answer.
_NOBODY_READ_IT = re.compile(
    r"\burgent|emergency|immediate (assistance|attention|help)|on my return|when i return|"
    r"(no|little|limited|without|intermittent) access to (my )?e-?mails?|"
    r"upon (my )?"
    r"return|as soon as (i return|i am back|possible)|(not|n't) be (forwarded|read)|thank "
    r"you for your "
    r"(e-?mail|message)|thanks for your (e-?mail|message)|your (e-?mail|message)|"
    r"dringend|nicht weitergeleitet|nach meiner rückkehr|ihre (e-?mail|nachricht)|vielen "
    r"dank für|"
    r"à mon retour|votre (message|mail|e-?mail|courriel)|mi regreso|a mi vuelta|su (mensaje|"
    r"correo)|"
    r"al mio (rientro|ritorno)|(vostra|sua|tua) (e-?mail|mail)|bij (mijn )?terugkomst|uw "
    r"(e-?mail|"
    r"bericht)|dringende|no meu (regresso|retorno)|(sua|seu) (mensagem|e-?mail)|po powrocie|"
    r"wiadomość|pilnych|brådskande|ditt (mejl|mail|meddelande)|haster|din (mail|besked|e-post|"
    r"henvendelse)|naléhav|váš e-?mail|po návratu|viestisi|kiireelli"
    r"|至急|お急ぎ|ご連絡|紧急|邮件|来信",
    re.IGNORECASE,
)


# "I will be back on", where a program says it
_IS_BACK = re.compile(
    r"\b(i|we) (will|'ll|shall|am|'m) (be )?(back|return)|wieder (für sie da|erreichbar|im "
    r"büro)|"
    r"de retour|estaré de vuelta|rientrerò|ben ik weer|estarei de volta|wracam|tillbaka|"
    r"tilbage|"
    r"tilbake|budu zpět|出社|戻り|返回",
    re.IGNORECASE,
)


def is_by_program(subject: str) -> bool:
    """Whether the subject is what a program of absence puts there."""
    return bool(_BY_PROGRAM.match(subject))


def is_note(subject: str, text: str, *, is_automatic: bool) -> bool:
    """Whether it tells of an absence.

    Of mail that nothing marks as automatic, the subject must say so, or the text must be worded
    as a note: somebody who writes "I am away until Monday, let us talk then" has answered.
    """
    head = text[:1_500]
    if _BY_PROGRAM.match(subject):
        return True
    absent = bool(_ABSENT.search(head))
    if is_automatic:
        return absent or bool(_ABSENT.search(subject) or _IS_BACK.search(head))
    return absent and len(_NOBODY_READ_IT.findall(head)) >= 2 and len(text) < 2_500


# -- back on -----------------------------------------------------------------------------------

_BACK = re.compile(
    r"\b(back|return(ing|s)?|resume|available (again|from)|reachable (again|from)|again|"
    r"reopen)\b|"
    r"zurück|wieder|erreichen sie mich|rückkehr|\bretour|reviens|reviendrai|rentre|de nouveau|"
    r"rouvr|vuelv|volver|vuelta|regres|reincorpor|de nuevo|disponible (a partir|desde)|reanud|"
    r"rientr|torn(o|erò|eremo|are|erà)\b|di nuovo|di ritorno|riapr|terug|\bweer\b|volt(o|"
    r"arei|aremos|ar)\b|"
    r"retorn|de volta|novamente|wrac|wróc|powr(ót|oc|ót)|ponownie|z powrotem|będę dostępn|"
    r"tillbaka|åter|"
    r"igen\b|tilbage|tilbake|retur\b|takaisin|palaa|jälleen|zpět|vrát|vrac|návrat|opět|"
    r"戻|復帰|出社|再開|より通常|返回|回来|上班|恢复|返工|복귀|верн|выхожу",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\b(after|nach( dem)?|après( le)?|después (del|de)|tras el|dopo (il|l')?|na|após( o| "
    r"dia)?|"
    r"depois (de|do)( dia)?|po( dniu)?|efter( den)?|etter( den)?|jälkeen)\s*(\w{2,9},?\s)?$|"
    r"以降$|之后$",
    re.IGNORECASE,
)
_UNTIL = re.compile(
    r"\b(until|till?|'til|bis( zum| einschließlich| inkl\.?)?|jusqu['’ ]?(au|à|a)?|hasta( el)?|"
    r"fino (al|a|all')|tot( en met)?|t/m|até( o| ao)?( dia)?|do( dnia)?|til( og med)?|"
    r"t\.?o\.?m\.?|till( och med)?|"
    r"through|thru|to|au|al|a|e|and|ao|und|et|y|–|-)\b[^.;!?\n]{0,14}$|"
    r"[-–—~〜～]\s*(\w{2,10},? )?$",
    re.IGNORECASE,
)
_UNTIL_BEHIND = re.compile(
    r"^\s*([(（].{1,4}[)）])?\s*(まで|asti|saakka|为止|前|까지)", re.IGNORECASE
)
_THROUGH = re.compile(
    r"\b(through|thru|einschl\w*|inkl\w*|inclu\w*|tot en met|t/m|til og med|till och med|"
    r"t\.?o\.?m\.?|"
    r"włącznie|compreso|včetně|og med|och med)\b",
    re.IGNORECASE,
)
_FROM = re.compile(
    r"\b(from|since|starting|between|vom|von|ab|seit|zwischen|du|dès|depuis|entre|del|desde|"
    r"dal|dall'|"
    r"tra|van|vanaf|tussen|de|do dia|od|ode|från|mellan|fra|mellem|fom)\b[^.;!?\n]{0,14}$",
    re.IGNORECASE,
)
_FROM_BEHIND = re.compile(r"^\s*([(（].{1,4}[)）])?\s*(から|より|起|开始|부터|alkaen|至|到)")
_FROM_ON = re.compile(
    r"\b(ab|from|as of|starting|à partir|dès|desde|a partir|dal|vanaf|od|från( och med)?|"
    r"fra)\b[^.;!?\n]{0,14}$",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.!?。！？]\s+(?=[^\d\s])|[。！？]|\n\n")
# "from 3 to 14 March", "3.-14. März", "July 10-31": the last day of an absence.
_RANGE = re.compile(
    r"(?<![\d:])([0-3]?\d)\.?(?:st|nd|rd|th|er|º|°)?\s*(?:(?:de |of )?[^\W\d_]{3,12}\s*)?"
    r"(?:-|–|—|bis(?: zum| einschließlich)?|to|au|al|tot(?: en met)?|t/m|a|ao|do|til(?: og "
    r"med)?|"
    r"till(?: och med)?|through|thru|until|and|e|y|et|und|～|〜)\s*(?:the |le |el |il |den |"
    r"dem )?$",
    re.IGNORECASE,
)
_CJK_RANGE = re.compile(r"[日号號](?:[(（].[)）])?\s*(?:から|より|至|到|-|–|~|～|〜)\s*$")
_MONTH_RANGE = re.compile(
    r"^\s*[-–—]\s*(?P<last>[0-3]?\d)(?:st|nd|rd|th)?\b(?![:/.]\d)", re.IGNORECASE
)


def returns_on(subject: str, text: str, *, written: date) -> date | None:
    """The day the person says they are back; None where the note names none that makes sense.

    Days before the note was written and more than 400 days after it are not believed.
    """
    for words in (text, subject):
        words = " ".join(words[: dates.MOST_TEXT].replace("\n\n", " ¶. ").split())
        day = _back_on(words, written)
        if day is not None:
            return day
    return None


def _back_on(text: str, written: date) -> date | None:
    back: list[date] = []
    until: list[date] = []
    other: list[date] = []
    for mention, before, behind, is_last in dates.iterate(
        dates.mentions(text, written=written), text
    ):
        before = _SENTENCE.split(before)[-1]
        whole, behind = behind, _SENTENCE.split(behind)[0]
        # "from the 3rd, and back on the 9th": those words belong to the next day
        is_alone = is_last or behind != whole
        day, kind = _meant(text, mention, before, behind, is_alone=is_alone)
        if not written <= day <= written + MOST_AHEAD:
            continue
        {"back": back, "until": until, "other": other}.get(kind, []).append(day)
    if back:
        return back[0]
    if until:
        return max(until)
    return other[0] if other else None


def _meant(
    text: str, mention: dates.Mention, before: str, behind: str, *, is_alone: bool
) -> tuple[date, str]:
    """What a day stands for: back, until, other, or the beginning of an absence."""
    day = mention.day
    following = _MONTH_RANGE.match(behind)
    if following:  # "July 10-31"
        try:
            return day.replace(day=int(following["last"])) + timedelta(days=1), "until"
        except ValueError:
            return day, "other"
    if _AFTER.search(before):
        return day + timedelta(days=1), "back"
    just_before = text[max(0, mention.start - 50) : mention.start]
    is_range = bool(_RANGE.search(just_before) or _CJK_RANGE.search(just_before))
    if is_range or _UNTIL.search(before) or _UNTIL_BEHIND.match(behind):
        if is_range or _THROUGH.search(before) or _THROUGH.match(behind.strip(" ,()")):
            return day + timedelta(days=1), "until"
        if not _BACK.search(before) or not re.search(r"\b(on|am|le|el|il|op)\s*$", before):
            return day, "until"
    if _BACK.search(before):
        return day, "back"
    begins_again = _FROM_ON.search(before) or not _FROM.search(before)
    if is_alone and begins_again and _BACK.search(behind[:45]):
        return day, "back"
    if _FROM.search(before) or _FROM_BEHIND.match(behind):
        return day, "from"
    return day, "other"
