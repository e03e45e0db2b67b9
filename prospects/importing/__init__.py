"""Leads and suppressions from files: what each column means, and what became of each row."""

from prospects.importing.carrying import (
    carry_out,
    carry_out_feeds,
    carry_out_file,
    check_campaign,
)
from prospects.importing.columns import columns_of, fields
from prospects.importing.job import KIND_OF_PRESET, ROLE_OF_CONTACT, Job
from prospects.importing.rows import read_rows
from prospects.importing.suppression_lists import import_suppressions

__all__ = [
    "KIND_OF_PRESET",
    "ROLE_OF_CONTACT",
    "Job",
    "carry_out",
    "carry_out_feeds",
    "carry_out_file",
    "check_campaign",
    "columns_of",
    "fields",
    "import_suppressions",
    "read_rows",
]
