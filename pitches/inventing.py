"""Candidates and partner contacts that do not exist, for rehearsals with real roles.

The same seed invents the same people, so a second run adds nothing. Every address lies under
example.com, which belongs to nobody.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence as Several
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from random import Random

from django.db import transaction

from campaigns import presets
from campaigns.models import Campaign, Candidate, Client
from pitches.models import Sender, SenderCampaign
from prospects.models import Contact, ContactAddress, Lead, Organization

DOMAIN = "example.com"

# Coined, so that nobody is called like this.
FIRST_NAMES = (
    "Alwinda", "Bertrix", "Corvina", "Dorvald", "Elmira-Jo", "Fennick", "Gilda-Mae", "Hollin",
    "Ismerelda", "Jorvik", "Kestrela", "Lorimund", "Mirabeth", "Nilsander", "Odalind",
    "Perrick", "Quillan", "Rosmund", "Sylvarin", "Tamsina", "Ulvric", "Vespera", "Wendolyn",
    "Yorrick",
)  # fmt: skip
LAST_NAMES = (
    "Ashquill", "Brambleton", "Copperwhistle", "Driftmoor", "Elderfinch", "Fernhollow",
    "Gladewick", "Harrowmint", "Inkwater", "Juniperson", "Kettlebrook", "Larkspindle",
    "Mossgrave", "Nettleby", "Oatfield-Rue", "Pebblecroft", "Quincewood", "Rushmantle",
    "Saltmarrow", "Thistledown", "Umberleigh", "Velvetstone", "Willowmere", "Yarrowby",
)  # fmt: skip
# Words of titles, since roles that name no industry are known by their titles.
INDUSTRIES = (
    "Software", "Engineer", "Engineering", "Developer", "Data", "Machine Learning", "AI",
    "Hardware", "Research", "Product", "Security", "Embedded", "Finance", "Marketing",
    "Robotics", "Technology", "Quantitative", "Design", "Analyst", "Program",
)  # fmt: skip
SKILLS = (
    "Python", "Java", "C++", "C", "R", "C#", "SQL", "JavaScript", "Backend", "Frontend",
    "Full Stack", "Machine Learning", "Data", "Firmware", "Security", "DevOps", "iOS",
    "Android", "Excel", "Research", "Testing", "Design", "Analytics", "Automation",
)  # fmt: skip
# Most look for anything in the country; the rest are tied to a place.
LOCATIONS = (
    "USA", "USA", "USA", "USA", "USA", "", "", "New York, NY",
    "San Francisco, CA | Seattle, WA", "Chicago, IL", "Austin, TX", "Toronto, Canada",
    "London, UK", "Canada",
)  # fmt: skip
ZONES = ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
EMPLOYEES = (12, 35, 80, 150, 400, 1_200, 5_000, 20_000)


@dataclass(frozen=True)
class Invented:
    """How many rows are new."""

    candidates: int
    contacts: int
    organizations: int

    def as_json(self) -> dict[str, int]:
        """For --json."""
        return asdict(self)


def campaign_for(slug: str) -> Campaign:
    """The campaign of this name; if it is new, an active one for placements, ready to plan."""
    found = Campaign.objects.filter(slug=slug).first()
    if found is not None:
        return found
    presets.install()
    with transaction.atomic():
        client, _ = Client.objects.get_or_create(
            slug=f"{slug}-client", defaults={"name": "Invented Interns"}
        )
        campaign = Campaign.objects.create(
            client=client,
            name=f"Rehearsal {slug}",
            slug=slug,
            preset=Campaign.Preset.PLACEMENT,
            status=Campaign.Status.ACTIVE,
            candidate_label="intern",
            candidates_per_pitch=3,
            sequence=presets.sequence(presets.SEQUENCES[Campaign.Preset.PLACEMENT]),
            time_zone="America/New_York",
        )
        sender, _ = Sender.objects.get_or_create(
            address=f"specialist@{slug}.{DOMAIN}",
            defaults={"name": "Perpetua Placewell", "time_zone": "America/New_York"},
        )
        SenderCampaign.objects.create(campaign=campaign, sender=sender, is_default=True)
    return campaign


@transaction.atomic
def invent(
    campaign: Campaign, *, candidates: int, share: float, seed: int, today: date
) -> Invented:
    """Invent so many candidates, and a partner contact for a share of the roles' organizations.

    `share` lies between 0 and 1. An organization gets a country, a size and a time zone where
    it has none. A fixed number of queries.
    """
    made = _candidates(campaign, candidates, seed=seed, today=today)
    contacts, organizations = _contacts(share, seed=seed)
    return Invented(made, contacts, organizations)


def _candidates(campaign: Campaign, count: int, *, seed: int, today: date) -> int:
    rows = [_candidate(campaign, number, seed=seed, today=today) for number in range(count)]
    references = [row.reference for row in rows]
    theirs = Candidate.objects.filter(client=campaign.client_id, reference__in=references)
    before = theirs.count()
    Candidate.objects.bulk_create(rows, ignore_conflicts=True)
    link = Campaign.candidates.through
    link.objects.bulk_create(
        [
            link(campaign=campaign, candidate_id=pk)
            for pk in theirs.values_list("pk", flat=True)
        ],
        ignore_conflicts=True,
    )
    return theirs.count() - before


def _candidate(campaign: Campaign, number: int, *, seed: int, today: date) -> Candidate:
    # A generator for each, so that asking for more people later keeps the first ones.
    luck = Random(f"{seed}-{number}")
    industries = luck.sample(INDUSTRIES, 2)
    skills = luck.sample(SKILLS, luck.randint(2, 6))
    name = f"{luck.choice(FIRST_NAMES)} {luck.choice(LAST_NAMES)}"
    starts_on = today + timedelta(days=luck.randint(20, 240))
    odd = luck.random()
    if odd < 0.03:
        starts_on = today - timedelta(days=luck.randint(1, 60))
    visa = luck.choices(list(Candidate.Visa), weights=[30, 55, 15])[0]
    return Candidate(
        client_id=campaign.client_id,
        reference=f"invented-{seed}-{number:05}",
        kind=Candidate.Kind.INTERN,
        name=name,
        headline=f"Student of {industries[0]}",
        bio=(
            f"{name} is an invented person who studies {industries[0]}, has worked on "
            f"{industries[1]} and knows {', '.join(skills)}."
        ),
        skills=skills,
        industries=industries,
        starts_on=None if 0.03 <= odd < 0.08 else starts_on,
        visa=visa,
        location=luck.choice(LOCATIONS),
        remote_only=luck.random() < 0.05,
        attributes={"invented": seed},
    )


def _contacts(share: float, *, seed: int) -> tuple[int, int]:
    asked = Organization.objects.filter(
        pk__in=Lead.objects.filter(kind=Lead.Kind.ROLE, is_demo=False).values("organization")
    ).defer("attributes")
    by_lot = sorted(asked, key=lambda row: _lot(row, seed))
    chosen = by_lot[: round(share * len(by_lot))]
    touched = [row for row in chosen if _furnish(row, seed)]
    Organization.objects.bulk_update(
        touched, ["country", "time_zone", "employees"], batch_size=2_000
    )
    addresses = {f"partner@{_lot(row, seed)[:12]}.{DOMAIN}": row for row in chosen}
    known = set(
        ContactAddress.objects.filter(
            kind=ContactAddress.Kind.EMAIL, canonical__in=addresses
        ).values_list("canonical", flat=True)
    )
    new = {address: row for address, row in addresses.items() if address not in known}
    contacts = Contact.objects.bulk_create(
        Contact(
            organization=row,
            name=_name(_lot(row, seed)),
            role=Contact.Role.PARTNER,
            title="Partnerships (invented)",
            is_primary=True,
            country=row.country,
            time_zone=row.time_zone,
        )
        for row in new.values()
    )
    ContactAddress.objects.bulk_create(
        ContactAddress(
            contact=contact, kind=ContactAddress.Kind.EMAIL, value=address, canonical=address
        )
        for address, contact in zip(new, contacts, strict=True)
    )
    return len(new), len(touched)


def _lot(organization: Organization, seed: int) -> str:
    """A fixed number for an organization, by what it is called and not by when it came."""
    told = f"{seed}\n{organization.name_key}\n{organization.domain}"
    return hashlib.sha256(told.encode()).hexdigest()


def _name(lot: str) -> str:
    luck = Random(lot)
    return f"{luck.choice(FIRST_NAMES)} {luck.choice(LAST_NAMES)}"


def _furnish(organization: Organization, seed: int) -> bool:
    """Fill what is empty; answer whether anything was."""
    luck = Random(_lot(organization, seed))
    zone, employees = luck.choice(ZONES), luck.choice(EMPLOYEES)
    before = _furniture(organization)
    organization.country = organization.country or "US"
    organization.time_zone = organization.time_zone or zone
    organization.employees = (
        employees if organization.employees is None else organization.employees
    )
    return _furniture(organization) != before


def _furniture(organization: Organization) -> Several[object]:
    return organization.country, organization.time_zone, organization.employees
