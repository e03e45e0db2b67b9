"""The dates a note of absence names, in fifteen languages, relative to the day it was written.

Own tables: of a note only the days count, and each with the words around it.
"""

# ruff: noqa: RUF001 (words of many scripts)

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

MOST_TEXT = 3_000
MOST_MENTIONS = 20

_MONTH_NAMES = """
january jan janvier janv januar jänner enero ene gennaio gen januari januar janeiro styczeń
stycznia sty leden ledna tammikuu tammikuuta jan.

february feb février fevrier févr fév februar febrero febbraio februari fevereiro fev luty
lutego lut únor února helmikuu helmikuuta febr

march mar mars märz maerz mrz marzo maart mrt março marco marzec marca marts březen března
maaliskuu maaliskuuta mär

april apr avril avr abril abr aprile kwiecień kwietnia kwi duben dubna huhtikuu huhtikuuta

may mai mayo maggio mag mei maio maj maja květen května toukokuu toukokuuta

june jun juin juni junio giugno giu junho czerwiec czerwca cze červen června kesäkuu
kesäkuuta

july jul juillet juil juli julio luglio lug julho lipiec lipca lip červenec července
heinäkuu heinäkuuta

august aug août aout agosto ago augustus augusti sierpień sierpnia sie srpen srpna elokuu
elokuuta

september sep sept septembre septiembre settembre set setembro wrzesień września wrz září
syyskuu syyskuuta

october oct octobre oktober okt octubre ottobre ott outubro out październik października paź
říjen října lokakuu lokakuuta

november nov novembre noviembre novembro listopad listopada lis listopadu marraskuu
marraskuuta

december dec décembre decembre déc dezember dez diciembre dic dicembre dezembro grudzień
grudnia gru desember des prosinec prosince joulukuu joulukuuta
"""
MONTHS = {
    name.rstrip("."): number
    for number, line in enumerate(_MONTH_NAMES.split("\n\n"), 1)
    for name in line.split()
}
_WEEKDAY_NAMES = """
monday montag lundi lunes lunedì lunedi maandag segunda-feira segunda poniedziałek
poniedziałku måndag mandag pondělí maanantai maanantaina 月曜 星期一 周一

tuesday dienstag mardi martes martedì martedi dinsdag terça-feira terça wtorek wtorku tisdag
tirsdag úterý tiistai tiistaina 火曜 星期二 周二

wednesday mittwoch mercredi miércoles mercoledì mercoledi woensdag quarta-feira quarta środa
środę środy onsdag středa středu středy keskiviikko keskiviikkona 水曜 星期三 周三

thursday donnerstag jeudi jueves giovedì giovedi donderdag quinta-feira quinta czwartek
czwartku torsdag čtvrtek čtvrtku torstai torstaina 木曜 星期四 周四

friday freitag vendredi viernes venerdì venerdi vrijdag sexta-feira sexta piątek piątku
fredag pátek pátku perjantai perjantaina 金曜 星期五 周五

saturday samstag sonnabend samedi sábado sabato zaterdag sobota sobotę soboty lördag lørdag
sobotu lauantai lauantaina 土曜 星期六 周六

sunday sonntag dimanche domingo domenica zondag niedziela niedzielę niedzieli söndag søndag
neděle neděli sunnuntai sunnuntaina 日曜 星期日 周日
"""
WEEKDAYS = {
    name: number
    for number, line in enumerate(_WEEKDAY_NAMES.split("\n\n"))
    for name in line.split()
}
_TOMORROW = (
    "tomorrow|demain|mañana|domani|amanhã|jutro|jutra|imorgon|i morgon|i morgen|zítra|huomenna|"
    "明日|明天"
)


def _words(table: dict[str, int]) -> str:
    return "|".join(sorted(map(re.escape, table), key=len, reverse=True))


_MONTH = _words(MONTHS)
_ORDINAL = r"(?:\.|st\b|nd\b|rd\b|th\b|er\b|re\b|e\b|º|°|ª|:e|:a|-go)?"
_OF = r"(?:of |de |d'|d’|the )?"
_YEAR = r"(?:[,.]?\s{0,2}(?:de |del )?(?P<year{0}>20\d\d))?"
_FORMS = re.compile(
    r"(?P<iso>\b20\d\d[-/.]\d{1,2}[-/.]\d{1,2}\b)"
    r"|(?:(?P<cjkyear>20\d\d)\s?年\s?)?(?P<cjkmonth>\d{1,2})\s?月\s?(?P<cjkday>\d{1,2})\s?[日号號]"
    rf"|(?<![\d.:/])(?P<day>[0-3]?\d){_ORDINAL}\s{{0,2}}{_OF}(?P<month>{_MONTH})\b\.?"
    + _YEAR.replace("{0}", "1")
    + rf"|\b(?P<month2>{_MONTH})\b\.?\s{{1,2}}(?:the )?(?P<day2>[0-3]?\d)"
    r"(?:st|nd|rd|th)?\b(?![:.]\d|\s?(?:am|pm|uhr))"
    + _YEAR.replace("{0}", "2")
    + r"|(?<![\d.:/])(?P<a>\d{1,2})(?P<mark>[./-])\s?(?P<b>\d{1,2})"
    r"(?:(?P=mark)\s?(?P<year3>20\d\d|\d\d)(?!\d)|\.(?!\d)|(?![\d./:-]))"
    rf"|\b(?P<weekday>{_words(WEEKDAYS)})"
    rf"|\b(?P<tomorrow>{_TOMORROW})\b|(?P<morgen>\bmorgen\b)"
    r"|\b(?P<nextweek>next week|nächste[nr]? woche|la semaine prochaine|la próxima semana|"
    r"la prossima settimana|volgende week|na próxima semana|(?:w )?przyszłym tygodniu|nästa "
    r"vecka|"
    r"næste uge|neste uke|příští týden|ensi viikolla)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A day a text names, and where it stands in it."""

    day: date
    start: int
    end: int


def mentions(text: str, *, written: date) -> list[Mention]:
    """The days a text names from its writing on, a year ahead at most."""
    found = []
    for match in _FORMS.finditer(text[:MOST_TEXT]):
        day = _day(match, text, written)
        if day is not None:
            found.append(Mention(day, *match.span()))
            if len(found) == MOST_MENTIONS:
                break
    return _without_weekdays_of_dates(found, text)


def _day(match: re.Match[str], text: str, written: date) -> date | None:
    try:
        if match["iso"]:
            year, month, day = (int(n) for n in re.split(r"\D", match["iso"]))
            return date(year, month, day)
        if match["cjkday"]:
            return _near(
                match["cjkyear"], int(match["cjkmonth"]), int(match["cjkday"]), written
            )
        if match["day"]:
            return _near(
                match["year1"], MONTHS[match["month"].lower()], int(match["day"]), written
            )
        if match["day2"]:
            month = MONTHS[match["month2"].lower()]
            return _near(match["year2"], month, int(match["day2"]), written)
        if match["a"]:
            return _of_numbers(match, text, written)
    except ValueError:
        return None
    if match["weekday"]:
        ahead = (WEEKDAYS[match["weekday"].lower()] - written.weekday()) % 7
        return written + timedelta(days=ahead or 7)
    if match["nextweek"]:
        return written + timedelta(days=7 - written.weekday())
    if match["morgen"] and re.search(
        r"(guten|schönen|god|goede)\s*$", text[: match.start()], re.I
    ):
        return None
    return written + timedelta(days=1)


_ENGLISH = re.compile(r"\b(the|office|will|back|and|am|return)\b", re.IGNORECASE)


def _of_numbers(match: re.Match[str], text: str, written: date) -> date | None:
    """Two numbers: the day first, but for slashes in English where that gives the nearer "
    "day."""
    one, two, mark, year = int(match["a"]), int(match["b"]), match["mark"], match["year3"]
    if mark == "-" and not year:
        return None  # a range, or a telephone number
    if mark == "." and not year and not match[0].endswith(".") and two > 12:
        return None
    is_english = mark == "/" and len(_ENGLISH.findall(text[:500])) >= 2
    readings = []
    for day, month in ((two, one), (one, two)) if is_english else ((one, two), (two, one)):
        try:
            readings.append(_near(year, month, day, written))
        except ValueError:
            continue
    ahead = [day for day in readings if day and written <= day <= written + timedelta(days=100)]
    return next(iter(ahead or readings), None)


def _near(year: str | None, month: int, day: int, written: date) -> date | None:
    """The day of the named year, else the next one; a few days ago is that, not next year's."""
    if year:
        number = int(year)
        return date(number + 2000 if number < 100 else number, month, day)
    for number in (written.year, written.year + 1):
        try:
            found = date(number, month, day)
        except ValueError:
            if (month, day) != (2, 29):
                raise
            continue
        if found >= written - timedelta(days=30):
            return found
    return None


def _without_weekdays_of_dates(found: list[Mention], text: str) -> list[Mention]:
    """Of "Monday, 3 March" only the date."""
    kept: list[Mention] = []
    for number, mention in enumerate(found):
        is_word = not any(
            character.isdigit() for character in text[mention.start : mention.end]
        )
        following = found[number + 1] if number + 1 < len(found) else None
        if (
            is_word
            and following
            and re.fullmatch(
                r"[\s,.(]{0,3}(the |den |d\. |der |dem |le |el |il |de |dia |dnia |dne )?",
                text[mention.end : following.start],
                re.IGNORECASE,
            )
        ):
            continue
        before = kept[-1] if kept else None
        if (
            is_word
            and before
            and re.fullmatch(r"[\s,(（]{0,3}", text[before.end : mention.start])
        ):
            continue
        kept.append(mention)
    return kept


def iterate(found: list[Mention], text: str) -> Iterator[tuple[Mention, str, str, bool]]:
    """Each mention with what stands before and behind it up to its neighbours, and whether
    the text goes on without one.
    """
    for number, mention in enumerate(found):
        begin = found[number - 1].end if number else 0
        end = found[number + 1].start if number + 1 < len(found) else len(text)
        before = text[max(begin, mention.start - 70) : mention.start]
        behind = text[mention.end : min(end, mention.end + 60)]
        yield mention, before, behind, end > mention.end + 60 or end == len(text)
