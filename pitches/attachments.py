"""What goes with a message: the newest resume of each candidate, as it was approved (H003-07).

Only first mails carry files. What a message carries is part of what was approved, so another
resume voids the approval; what is sent are the bytes with the approved hash, or nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from campaigns import resumes
from campaigns.channels import Problem
from campaigns.models import Campaign, Candidate, Channel
from pitches.models import Message, Sender

TYPES = {
    resumes.PDF: ("application", "pdf"),
    resumes.DOCX: (
        "application",
        "vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
}


class Unreadable(Exception):
    """A file that was approved cannot be read any more, so the message cannot be built."""


@dataclass(frozen=True, slots=True)
class File:
    """One file, ready to be put into a mail."""

    name: str
    content: bytes
    maintype: str
    subtype: str


def is_wanted(campaign: Campaign) -> bool:
    """Whether this campaign's first mails carry resumes: as it says, else for placements."""
    if campaign.attach_resume is None:
        return campaign.preset == Campaign.Preset.PLACEMENT
    return campaign.attach_resume


def planned(message: Message) -> list[dict[str, Any]]:
    """Name, SHA-256 and size of each file, by the candidates as they are now.

    Needs ``sender``, ``pitch__campaign`` and ``pitch__matches__candidate`` loaded.
    """
    found: list[dict[str, Any]] = []
    for candidate in _with_resume(message):
        if not candidate.resume_sha256:
            continue
        name = _free(resumes.file_name(candidate), {row["name"] for row in found})
        size = candidate.resume_size
        found.append({"name": name, "sha256": candidate.resume_sha256, "size": size})
    return found


def _with_resume(message: Message) -> list[Candidate]:
    return [candidate for candidate in _introduced(message) if candidate.resume]


def without(message: Message) -> list[Candidate]:
    """Candidates whose resume would go with it, if there were one."""
    return [candidate for candidate in _introduced(message) if not candidate.resume]


def _introduced(message: Message) -> list[Candidate]:
    """Whose resumes belong to this message: nobody's, where it carries no files."""
    if message.number != 0 or message.channel != Channel.EMAIL or message.is_by_hand:
        return []
    if not is_wanted(message.pitch.campaign):
        return []
    matches = sorted(message.pitch.matches.all(), key=lambda match: match.pk)
    return [match.candidate for match in matches]


def _free(name: str, taken: set[str]) -> str:
    stem, _, kind = name.rpartition(".")
    number = 1
    while name in taken:
        number += 1
        name = f"{stem}_{number}.{kind}"
    return name


def problems(message: Message) -> list[Problem]:
    """What forbids that these files go with the message; never is one left out silently."""
    return list(_against(message))


def _against(message: Message) -> Iterator[Problem]:
    for candidate in _with_resume(message):
        if not candidate.resume_sha256:
            detail = f"The resume of {candidate} was never checked: upload it again."
            yield Problem(code="attachment_unchecked", detail=detail)
    files = planned(message)
    for file in files:
        if not resumes.is_there(file["sha256"], _kind(file)):
            detail = f"{file['name']} is not in the storage any more: upload it again."
            yield Problem(code="attachment_missing", detail=detail)
    total, most = sum(file["size"] or 0 for file in files), settings.ATTACHMENTS_MAX_BYTES
    if total > most:
        detail = (
            f"The attachments have {resumes.megabytes(total)}, and a mail may carry "
            f"{resumes.megabytes(most)}: upload smaller resumes, or switch “attach resume” off "
            "in the campaign."
        )
        yield Problem(code="attachments_too_big", detail=detail)
    if files and message.sender.transport == Sender.Transport.INSTANTLY:
        detail = (
            "Instantly carries no attachments: let another sender write, or switch “attach "
            "resume” off in the campaign."
        )
        yield Problem(code="attachments_not_carried", detail=detail)


def read(message: Message) -> list[File]:
    """The files that were approved, byte for byte; raises Unreadable."""
    return [_read(row) for row in message.attachments]


def read_planned(message: Message) -> list[File]:
    """The files that would go with a draft; raises Unreadable."""
    return [_read(row) for row in planned(message)]


def _read(row: dict[str, Any]) -> File:
    kind = _kind(row)
    try:
        content = resumes.read(row["sha256"], kind)
    except resumes.ResumeUnreadable as e:
        raise Unreadable(f"{row['name']} cannot go along: {e}") from e
    return File(row["name"], content, *TYPES[kind])


def _kind(row: dict[str, Any]) -> str:
    return str(row["name"]).rpartition(".")[2]


def address(row: dict[str, Any]) -> str:
    """Where staff can open the file of a row of ``Message.attachments``."""
    return f"/{settings.MEDIA_URL.lstrip('/')}{resumes.stored_as(row['sha256'], _kind(row))}"


def told(rows: list[dict[str, Any]]) -> str:
    """The files in words: names and sizes; empty where there are none."""
    return ", ".join(f"{row['name']} ({resumes.megabytes(row['size'] or 0)})" for row in rows)
