"""Clients, campaigns and candidates from files."""

from campaigns.intake.candidate_rows import CANDIDATE_FIELDS
from campaigns.intake.candidates import import_candidates
from campaigns.intake.clients import import_clients
from campaigns.intake.owners import find_campaign, find_client

__all__ = [
    "CANDIDATE_FIELDS",
    "find_campaign",
    "find_client",
    "import_candidates",
    "import_clients",
]
