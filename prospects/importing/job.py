"""An import of leads: what the rows of a file are, and who says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from campaigns.models import Campaign
from config.imports import header_key
from config.tables import UnreadableFile
from config.text import clean_line
from prospects.models import Contact, Lead

KIND_OF_PRESET = {
    Campaign.Preset.PODCAST: Lead.Kind.PODCAST,
    Campaign.Preset.PLACEMENT: Lead.Kind.ROLE,
    Campaign.Preset.CREATOR: Lead.Kind.CREATOR,
    Campaign.Preset.PRODUCT: Lead.Kind.BUYER,
}
# The role of whoever a file names beside a lead of this kind.
ROLE_OF_CONTACT = {
    Lead.Kind.PODCAST: Contact.Role.HOST,
    Lead.Kind.ROLE: Contact.Role.PARTNER,
    Lead.Kind.CREATOR: Contact.Role.CREATOR,
    Lead.Kind.BUYER: Contact.Role.PARTNER,
}


@dataclass(frozen=True)
class Job:
    """An import of one file: what its rows are, who says so, and when."""

    kind: str
    platform: str
    now: datetime

    @classmethod
    def of(cls, kind: str, file: str, *, platform: str = "", now: datetime) -> Job:
        """Without a platform the file's own name says where an id comes from.

        Raises UnreadableFile for a kind that does not exist.
        """
        if kind not in Lead.Kind.values:
            raise UnreadableFile(
                f"There is no kind “{kind}”. Known are {', '.join(Lead.Kind.values)}."
            )
        stem = file.rpartition(".")[0] or file
        return cls(kind, clean_line(platform or header_key(stem), 40), now)
