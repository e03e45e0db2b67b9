"""Scores of placements (H003-01): industries, skills, start dates and lost deals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from pitches.matching import likeness
from pitches.matching.likeness import Mask
from pitches.matching.scores import FULL, Hundredths, Part, Scores, counted, short

INDUSTRY_1, INDUSTRY_2, SKILLS, ENOUGH_SKILLS = 4_000, 2_000, 2_500, 3
START_FITS, LOST_DEALS, TOO_MANY_LOST = 1_500, -1_500, 2
START_WITHIN_DAYS = 14


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


class PlacementScores(Scores):
    """H003-01, for all candidates and roles at once.

    Texts are compared once per unique pair; the rest is picking rows and one matrix product.
    """

    def __init__(self, seekers: Sequence[Seeker], roles: Sequence[Role]) -> None:
        self.seekers, self.roles = seekers, roles
        self._read_industries()
        self._read_skills()
        lost = [LOST_DEALS if role.lost_deals >= TOO_MANY_LOST else 0 for role in roles]
        self.lost = np.array(lost, np.int16)
        days = [s.starts_on.toordinal() if s.starts_on else 0 for s in seekers]
        self.days = np.array(days, np.int64)
        self.ending = [number for number, role in enumerate(roles) if role.endings]

    def _read_industries(self) -> None:
        wanted = _numbered(name for s in self.seekers for name in s.industries[:2])
        fits = _fits(wanted, [role.industries for role in self.roles])
        # the last row is that of a candidate without this choice: nothing fits
        nothing = np.zeros((1, len(self.roles)), np.bool_)
        self.industry_fits = np.concatenate([fits, nothing])
        self.choice = [
            np.array(
                [
                    wanted[likeness.plain(s.industries[place])]
                    if place < len(s.industries)
                    else len(wanted)
                    for s in self.seekers
                ],
                np.int64,
            )
            for place in (0, 1)
        ]

    def _read_skills(self) -> None:
        number_of = _numbered(skill for s in self.seekers for skill in s.skills)
        # each candidate's skills, once each, with their numbers
        self.skills_of = [
            {number_of[likeness.plain(skill)]: skill for skill in s.skills}
            for s in self.seekers
        ]
        said = [[*role.names, *([role.text] if role.text else [])] for role in self.roles]
        self.skill_fits = _fits(number_of, said)
        self.skill_fits_as_numbers = self.skill_fits.astype(np.float32)
        self.has_skill = np.zeros((len(self.seekers), len(number_of)), np.float32)
        for number, skills in enumerate(self.skills_of):
            self.has_skill[number, list(skills)] = 1

    def block(self, leads: slice) -> Hundredths:
        # Whole numbers of the table instead of products: 2.2 million pairs in milliseconds.
        per_skills = np.array([_skill_points(n) for n in range(ENOUGH_SKILLS + 1)], np.int16)
        fits = self.industry_fits[:, leads]
        total = (fits * np.int16(INDUSTRY_1))[self.choice[0]]
        total += (fits * np.int16(INDUSTRY_2))[self.choice[1]]
        matched = self.has_skill @ self.skill_fits_as_numbers[:, leads]
        total += per_skills[np.minimum(matched, ENOUGH_SKILLS).astype(np.int8)]
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

    def _starts_fit(self, lead: int) -> Mask:
        fits = np.zeros(len(self.seekers), np.bool_)
        for last in self.roles[lead].endings:
            before = last.toordinal() - self.days
            fits |= (self.days > 0) & (before >= 0) & (before <= START_WITHIN_DAYS)
        return fits

    # Part by part

    def parts(self, candidate: int, lead: int) -> list[Part]:
        fits_role = self.skill_fits[:, lead]
        skills = self.skills_of[candidate]
        named = [skill for number, skill in skills.items() if fits_role[number]]
        starts = bool(self.roles[lead].endings) and bool(self._starts_fit(lead)[candidate])
        return _clamped(
            [
                self._industry_part(candidate, lead, 0, "first", INDUSTRY_1),
                self._industry_part(candidate, lead, 1, "second", INDUSTRY_2),
                Part("skills", _skill_points(len(named)), counted(named, "skill", "matched")),
                Part(
                    "start_date",
                    START_FITS if starts else 0,
                    "starts when a confirmed placement there ends" if starts else "",
                ),
                self._lost_part(lead),
            ]
        )

    def _industry_part(
        self, candidate: int, lead: int, place: int, choice: str, weight: int
    ) -> Part:
        key = f"industry_{place + 1}"
        if not self.industry_fits[self.choice[place][candidate], lead]:
            return Part(key, 0, "")
        wanted = short(self.seekers[candidate].industries[place])
        return Part(key, weight, f"industry “{wanted}” ({choice} choice) fits")

    def _lost_part(self, lead: int) -> Part:
        lost = int(self.lost[lead])
        deals = self.roles[lead].lost_deals
        return Part("lost_deals", lost, f"{deals} deals on this role were lost" if lost else "")


def _fits(asked: dict[str, int], texts: Sequence[Sequence[str]]) -> Mask:
    """Which names match any text of each column; a row for each name, texts compared once."""
    unique: dict[str, int] = {}
    flat: list[int] = []
    starts: list[int] = []
    for of_column in texts:
        starts.append(len(flat))
        # every column has at least one text, which reduceat needs
        flat += [unique.setdefault(text, len(unique)) for text in of_column or [""]]
    if not asked or not texts:
        return np.zeros((len(asked), len(texts)), np.bool_)
    alike = likeness.alike(list(asked), list(unique))
    found: Mask = np.logical_or.reduceat(alike[:, flat], starts, axis=1)
    return found


def _numbered(names: Iterable[str]) -> dict[str, int]:
    """Each plain name with its number; empty ones too, since they match nothing."""
    numbers: dict[str, int] = {}
    for name in names:
        numbers.setdefault(likeness.plain(name), len(numbers))
    return numbers


def _skill_points(matched: int) -> int:
    return round(SKILLS * min(matched, ENOUGH_SKILLS) / ENOUGH_SKILLS)


def _clamped(parts: list[Part]) -> list[Part]:
    total = sum(part.hundredths for part in parts)
    over = min(max(total, 0), FULL) - total
    return [*parts, Part("limit", over, "a score stays between 0 and 100")] if over else parts
