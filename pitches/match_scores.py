"""What a match scores, part by part, for each preset. Arrays in, arrays out; no database.

Scores are whole hundredths of a point (4940 is 49.40), so parts add up to the score exactly and
a mark such as 50.00 has a definite right side.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from campaigns.ai.embeddings import WORD, Vector
from pitches import likeness
from pitches.likeness import Mask

Hundredths = NDArray[np.int16]

FULL = 10_000
# Guests (H000-01): 0.7 of the likeness of texts, 0.3 of the shared keywords.
GUEST_SIMILARITY, GUEST_KEYWORDS = 7_000, 3_000
# Products and creators: half and half, which finds most on recorded data
# (`python -m bench match_quality`); five shared keywords are all that one asks for.
PRODUCT_SIMILARITY, PRODUCT_KEYWORDS, ENOUGH_KEYWORDS = 5_000, 5_000, 5
# Placements (H003-01).
INDUSTRY_1, INDUSTRY_2, SKILLS, ENOUGH_SKILLS = 4_000, 2_000, 2_500, 3
START_FITS, LOST_DEALS, TOO_MANY_LOST = 1_500, -1_500, 2
START_WITHIN_DAYS = 14


class Part(NamedTuple):
    """One summand of a score, with the words that explain it."""

    key: str
    hundredths: int
    because: str


def points(hundredths: int) -> Decimal:
    """4940 as Decimal("49.40")."""
    return Decimal(int(hundredths)).scaleb(-2)


def _clamped(parts: list[Part]) -> list[Part]:
    total = sum(part.hundredths for part in parts)
    over = min(max(total, 0), FULL) - total
    return [*parts, Part("limit", over, "a score stays between 0 and 100")] if over else parts


class Scores(ABC):
    """Scores of all candidates against all leads, a block of leads at a time."""

    @abstractmethod
    def block(self, leads: slice) -> Hundredths:
        """One row for each candidate, one column for each lead of the slice."""

    @abstractmethod
    def parts(self, candidate: int, lead: int) -> list[Part]:
        """How one score came about; the parts add up to it."""

    def excluded(self, leads: slice) -> Mask | None:
        """Pairs that the preset rules out because of what scoring found, or None."""
        return None


# Guests


def guest_score(cosine: float, jaccard: float) -> Decimal:
    """(0.7 * cosine + 0.3 * Jaccard) * 100 in [0, 100], two places (H000-01)."""
    similarity, keywords = _guest_parts(np.array([cosine]), np.array([jaccard]))
    return points(int(similarity[0]) + int(keywords[0]))


def _guest_parts(cosine: NDArray, jaccard: NDArray) -> tuple[Hundredths, Hundredths]:
    return _share(GUEST_SIMILARITY, cosine), _share(GUEST_KEYWORDS, jaccard)


def _share(weight: int, of: NDArray) -> Hundredths:
    """`weight` times `of`, where `of` is a share; half a hundredth is rounded up."""
    # A tenth of a millionth lies far above the error of single precision sums.
    share: Hundredths = np.floor(weight * np.clip(of, 0, 1) + 0.5 + 1e-4).astype(np.int16)
    return share


def jaccard(some: frozenset[str], others: frozenset[str]) -> float:
    """How much two sets share: 0 for two empty ones."""
    union = len(some | others)
    return len(some & others) / union if union else 0.0


def keyword_set(keywords: Sequence[str]) -> frozenset[str]:
    """Keywords as they are compared."""
    return frozenset(found for keyword in keywords if (found := likeness.plain(keyword)))


@dataclass(frozen=True)
class Wish:
    """What a campaign, or a candidate of a campaign without words of its own, is about."""

    vector: Vector | None
    keywords: frozenset[str]


@dataclass(frozen=True)
class Told:
    """What the leads have told: vectors of their items, or of themselves where there are none.

    `lead[i]` is the column that row i belongs to, ascending; `keywords[i]` and `titles[i]` are
    that row's own.
    """

    vectors: NDArray[np.float32]
    lead: NDArray[np.int64]
    keywords: Sequence[frozenset[str]]
    titles: Sequence[str]
    leads: int


class GuestScores(Scores):
    """H000-01: the best of a lead's latest items against the campaign."""

    def __init__(self, wishes: Sequence[Wish], wish_of: NDArray[np.int64], told: Told) -> None:
        self.wish_of, self.told, self.wishes = wish_of, told, wishes
        rows = len(told.lead)
        self.best = np.full((len(wishes), told.leads), -1, np.int64)
        self.cosine = np.zeros((len(wishes), told.leads), np.float32)
        self.jaccard = np.zeros((len(wishes), told.leads), np.float32)
        if rows:
            starts = np.flatnonzero(np.diff(told.lead, prepend=-1))
            columns = told.lead[starts]
            for number, wish in enumerate(wishes):
                if wish.vector is None:
                    continue
                cosines = told.vectors @ wish.vector
                highest = np.maximum.reduceat(cosines, starts)
                is_best = cosines == np.repeat(highest, np.diff(np.append(starts, rows)))
                # the first row of a lead that reaches its highest cosine
                first = np.flatnonzero(is_best)
                first = first[np.unique(told.lead[first], return_index=True)[1]]
                self.best[number, columns] = first
                self.cosine[number, columns] = highest
                self.jaccard[number, columns] = [
                    jaccard(wish.keywords, told.keywords[row]) for row in first.tolist()
                ]

    def block(self, leads: slice) -> Hundredths:
        similarity, keywords = _guest_parts(self.cosine[:, leads], self.jaccard[:, leads])
        return (similarity + keywords)[self.wish_of]

    def parts(self, candidate: int, lead: int) -> list[Part]:
        wish = int(self.wish_of[candidate])
        row = int(self.best[wish, lead])
        similarity, keywords = _guest_parts(
            self.cosine[wish, lead : lead + 1], self.jaccard[wish, lead : lead + 1]
        )
        title = _short(self.told.titles[row]) if row >= 0 else "nothing"
        shared = (
            sorted(self.wishes[wish].keywords & self.told.keywords[row]) if row >= 0 else []
        )
        return [
            Part(
                "similarity",
                int(similarity[0]),
                f"“{title}” is {max(self.cosine[wish, lead], 0):.0%} like the campaign",
            ),
            Part("keywords", int(keywords[0]), _counted(shared, "keyword", "shared")),
        ]


# Products and creators


class ProductScores(Scores):
    """Half the likeness of the texts, half the candidate's keywords in the lead's text."""

    def __init__(self, wishes: Sequence[Wish], told: Told, texts: Sequence[str]) -> None:
        self.told, self.keywords = told, [sorted(wish.keywords) for wish in wishes]
        self.cosine = np.zeros((len(wishes), told.leads), np.float32)
        # a candidate without a word is like nothing
        nothing = np.zeros(told.vectors.shape[1], np.float32)
        asked = [nothing if wish.vector is None else wish.vector for wish in wishes]
        if asked:
            self.cosine[:, told.lead] = np.stack(asked) @ told.vectors.T
        names = sorted({keyword for keywords in self.keywords for keyword in keywords})
        place = {name: number for number, name in enumerate(names)}
        self.found = spoken(names, texts)
        self.asked = np.zeros((len(wishes), len(names)), np.float32)
        for number, keywords in enumerate(self.keywords):
            self.asked[number, [place[keyword] for keyword in keywords]] = 1
        self.place = place

    def block(self, leads: slice) -> Hundredths:
        counted = self.asked @ self.found[:, leads].astype(np.float32)
        return _share(PRODUCT_SIMILARITY, self.cosine[:, leads]) + _share(
            PRODUCT_KEYWORDS, counted / ENOUGH_KEYWORDS
        )

    def parts(self, candidate: int, lead: int) -> list[Part]:
        cosine = self.cosine[candidate, lead]
        shared = [
            word for word in self.keywords[candidate] if self.found[self.place[word], lead]
        ]
        similarity = _share(PRODUCT_SIMILARITY, np.array([cosine]))
        keywords = _share(
            PRODUCT_KEYWORDS, np.array([len(shared) / ENOUGH_KEYWORDS], np.float32)
        )
        return [
            Part("similarity", int(similarity[0]), f"the texts are {max(cosine, 0):.0%} alike"),
            Part("keywords", int(keywords[0]), _counted(shared, "keyword", "found")),
        ]


def spoken(names: Sequence[str], texts: Sequence[str]) -> Mask:
    """Which names occur in which texts, as whole words in a row."""
    found = np.zeros((len(names), len(texts)), np.bool_)
    # by their first word, so that a text is asked only for names that may occur in it
    by_first: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for row, name in enumerate(names):
        if spelled := WORD.findall(name):
            by_first[spelled[0]].append((row, " ".join(spelled)))
    for column, text in enumerate(texts):
        said = WORD.findall(text.casefold())
        whole = f" {' '.join(said)} "
        for first in by_first.keys() & set(said):
            for row, name in by_first[first]:
                found[row, column] = name == first or f" {name} " in whole
    return found


# Placements


@dataclass(frozen=True)
class Seeker:
    """What the placement formula reads of a candidate; industries in order of preference."""

    industries: Sequence[str]
    skills: Sequence[str]
    starts_on: date | None


@dataclass(frozen=True)
class Role:
    """What the placement formula reads of a role.

    `industries` are its own, else its organization's, else its title (H003-07). `names` are its
    title and keywords, `text` its description. `endings` are the last days of confirmed
    placements at the organization; `lost_deals` are those on the role itself.
    """

    industries: Sequence[str]
    names: Sequence[str]
    text: str = ""
    endings: Sequence[date] = ()
    lost_deals: int = 0


@dataclass
class _Texts:
    """Unique texts, and which of them belongs to which column."""

    unique: dict[str, int] = field(default_factory=dict)
    flat: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def add(self, texts: Sequence[str]) -> None:
        self.starts.append(len(self.flat))
        # every column has at least one text, which reduceat needs
        for text in texts or [""]:
            self.flat.append(self.unique.setdefault(text, len(self.unique)))

    def any_of(self, found: Mask) -> Mask:
        """From one column for each unique text to one for each lead."""
        return np.logical_or.reduceat(found[:, self.flat], self.starts, axis=1)


class PlacementScores(Scores):
    """H003-01, for all candidates and roles at once.

    Texts are compared once per unique pair; the rest is picking rows and one matrix product.
    """

    def __init__(self, seekers: Sequence[Seeker], roles: Sequence[Role]) -> None:
        self.seekers, self.roles = seekers, roles
        industries = _numbered(name for seeker in seekers for name in seeker.industries[:2])
        self.industries = industries
        texts = _Texts()
        for role in roles:
            texts.add(role.industries)
        # the last row is that of a candidate without this choice: nothing fits
        self.industry_fits = np.zeros((len(industries) + 1, len(roles)), np.bool_)
        if industries and roles:
            self.industry_fits[:-1] = texts.any_of(
                likeness.alike(list(industries), list(texts.unique))
            )
        self.choice = [
            np.array([self._industry(seeker, place) for seeker in seekers], np.int64)
            for place in (0, 1)
        ]

        self.skills = _numbered(skill for seeker in seekers for skill in seeker.skills)
        plain = {skill: likeness.plain(skill) for seeker in seekers for skill in seeker.skills}
        # each candidate's skills, once each, with their numbers
        self.skills_of = [
            {self.skills[plain[skill]]: skill for skill in seeker.skills} for seeker in seekers
        ]
        texts = _Texts()
        for role in roles:
            texts.add([*role.names, *([role.text] if role.text else [])])
        self.skill_fits = np.zeros((len(self.skills), len(roles)), np.bool_)
        if self.skills and roles:
            self.skill_fits = texts.any_of(
                likeness.alike(list(self.skills), list(texts.unique))
            )
        self.has_skill = np.zeros((len(seekers), len(self.skills)), np.float32)
        for number, skills in enumerate(self.skills_of):
            self.has_skill[number, list(skills)] = 1
        self.skills_as_numbers = self.skill_fits.astype(np.float32)

        self.lost = np.array(
            [LOST_DEALS if role.lost_deals >= TOO_MANY_LOST else 0 for role in roles], np.int16
        )
        self.days = np.array(
            [s.starts_on.toordinal() if s.starts_on else 0 for s in seekers], np.int64
        )
        self.ending = [number for number, role in enumerate(roles) if role.endings]

    def _industry(self, seeker: Seeker, place: int) -> int:
        if place >= len(seeker.industries):
            return len(self.industries)
        return self.industries[likeness.plain(seeker.industries[place])]

    def _starts_fit(self, lead: int) -> Mask:
        fits = np.zeros(len(self.seekers), np.bool_)
        for last in self.roles[lead].endings:
            before = last.toordinal() - self.days
            fits |= (self.days > 0) & (before >= 0) & (before <= START_WITHIN_DAYS)
        return fits

    def block(self, leads: slice) -> Hundredths:
        # Whole numbers of the table instead of products: 2.2 million pairs in milliseconds.
        per_skills = np.array([_skill_points(n) for n in range(ENOUGH_SKILLS + 1)], np.int16)
        fits = self.industry_fits[:, leads]
        total = (fits * np.int16(INDUSTRY_1))[self.choice[0]]
        total += (fits * np.int16(INDUSTRY_2))[self.choice[1]]
        counted = self.has_skill @ self.skills_as_numbers[:, leads]
        total += per_skills[np.minimum(counted, ENOUGH_SKILLS).astype(np.int8)]
        total += self.lost[leads]
        first, last = leads.indices(len(self.roles))[:2]
        for lead in self.ending:
            if first <= lead < last:
                total[:, lead - first] += self._starts_fit(lead) * np.int16(START_FITS)
        return np.clip(total, 0, FULL, out=total)

    def excluded(self, leads: slice) -> Mask:
        """No industry match (H003-02)."""
        fits = self.industry_fits[:, leads]
        neither: Mask = ~(fits[self.choice[0]] | fits[self.choice[1]])
        return neither

    def parts(self, candidate: int, lead: int) -> list[Part]:
        seeker, role = self.seekers[candidate], self.roles[lead]
        parts = []
        for place, key, weight, choice in (
            (0, "industry_1", INDUSTRY_1, "first"),
            (1, "industry_2", INDUSTRY_2, "second"),
        ):
            fits = bool(self.industry_fits[self.choice[place][candidate], lead])
            wanted = _short(seeker.industries[place]) if place < len(seeker.industries) else ""
            told = f"industry “{wanted}” ({choice} choice) fits" if fits else ""
            parts.append(Part(key, weight if fits else 0, told))
        fits_role = self.skill_fits[:, lead]
        named = [
            skill for number, skill in self.skills_of[candidate].items() if fits_role[number]
        ]
        parts.append(
            Part("skills", _skill_points(len(named)), _counted(named, "skill", "matched"))
        )
        fits = bool(role.endings) and bool(self._starts_fit(lead)[candidate])
        parts.append(
            Part(
                "start_date",
                START_FITS if fits else 0,
                "starts when a confirmed placement there ends" if fits else "",
            )
        )
        parts.append(
            Part(
                "lost_deals",
                int(self.lost[lead]),
                f"{role.lost_deals} deals on this role were lost" if self.lost[lead] else "",
            )
        )
        return _clamped(parts)


def _skill_points(matched: int) -> int:
    return round(SKILLS * min(matched, ENOUGH_SKILLS) / ENOUGH_SKILLS)


def _numbered(names: Iterable[str]) -> dict[str, int]:
    """Each plain name with its number; empty ones too, since they match nothing."""
    numbers: dict[str, int] = {}
    for name in names:
        numbers.setdefault(likeness.plain(name), len(numbers))
    return numbers


def _short(text: str, most: int = 120) -> str:
    told = " ".join(text.split())
    return told if len(told) <= most else f"{told[: most - 1]}…"


def _counted(names: Sequence[str], noun: str, verb: str) -> str:
    if not names:
        return f"no {noun} {verb}"
    several = noun if len(names) == 1 else f"{noun}s"
    listed = ", ".join(_short(name, 60) for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{len(names)} {several} {verb}: {listed}{more}"
