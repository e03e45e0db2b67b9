"""Resumes as they were uploaded: checked by their content, kept under their own SHA-256.

A file is never written over: what was approved and sent can be shown as long as the folder
stands, whatever was uploaded later.
"""

from __future__ import annotations

import hashlib
import io
import re
import unicodedata
import zipfile
from pathlib import PurePosixPath

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from campaigns.models import Candidate

FOLDER = "resumes"
PDF, DOCX = "pdf", "docx"
MOST_PARTS = 2_000  # of a Word file; a bomb has more


class NotAResume(ValueError):
    """This file cannot be taken as a resume; the sentence says why."""


class ResumeUnreadable(Exception):
    """The stored file is missing, or it is not what was stored."""


def kind_of(content: bytes) -> str:
    """``pdf`` or ``docx``, by what is in the file, not by its name. Raises NotAResume."""
    if b"%PDF-" in content[:1024]:
        return PDF
    if content[:4] == b"PK\x03\x04" and _is_word(content):
        return DOCX
    raise NotAResume("A resume is a PDF or a Word file (.docx); this file is neither.")


def _is_word(content: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            names = packed.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return False
    if len(names) > MOST_PARTS:
        return False
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise NotAResume("This Word file carries macros, which no mail server lets through.")
    return "word/document.xml" in names and "[Content_Types].xml" in names


def check(content: bytes) -> str:
    """The kind of a file that may be stored; raises NotAResume."""
    if not content:
        raise NotAResume("This file is empty.")
    most = settings.ATTACHMENTS_MAX_BYTES
    if len(content) > most:
        told = f"This file has {megabytes(len(content))}; a mail may carry {megabytes(most)}."
        raise NotAResume(f"{told} Store a smaller one.")
    return kind_of(content)


def put(candidate: Candidate, content: bytes) -> None:
    """Keep this file as the candidate's newest resume, and set the three fields of it.

    Raises NotAResume. The caller saves the candidate.
    """
    kind, sha256 = check(content), hashlib.sha256(content).hexdigest()
    name = stored_as(sha256, kind)
    if not _holds(name, sha256):
        default_storage.delete(name)  # half of it, from a worker that died
        default_storage.save(name, ContentFile(content))
    candidate.resume = name
    candidate.resume_sha256, candidate.resume_size = sha256, len(content)


def take_away(candidate: Candidate) -> None:
    """No resume any more; the file stays, for what was sent with it. The caller saves."""
    candidate.resume = ""
    candidate.resume_sha256, candidate.resume_size = "", None


def stored_as(sha256: str, kind: str) -> str:
    """The name of a file in the storage."""
    return f"{FOLDER}/{sha256}.{kind}"


def is_there(sha256: str, kind: str) -> bool:
    """Whether the file lies in the storage; its content is looked at when it is read."""
    return default_storage.exists(stored_as(sha256, kind))


def read(sha256: str, kind: str) -> bytes:
    """Exactly the bytes with this hash; raises ResumeUnreadable."""
    try:
        with default_storage.open(stored_as(sha256, kind)) as file:
            content: bytes = file.read()
    except OSError as e:
        raise ResumeUnreadable("the file is not there any more") from e
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ResumeUnreadable("the file is not the one that was stored")
    return content


def kind_of_stored(candidate: Candidate) -> str:
    """``pdf`` or ``docx``, by the name we gave the file."""
    return PurePosixPath(candidate.resume.name or "").suffix.lstrip(".").lower()


def file_name(candidate: Candidate) -> str:
    """As a recipient sees it: ``Ada_Example_Resume.pdf`` (H003-07), in letters that every mail
    program takes.
    """
    plain = unicodedata.normalize("NFKD", candidate.name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")[:80] or "Candidate"
    return f"{words}_Resume.{kind_of_stored(candidate)}"


def megabytes(size: int) -> str:
    """A size as a person reads it."""
    return f"{size / 1_000_000:.1f} MB" if size >= 100_000 else f"{max(1, size // 1000)} KB"


def _holds(name: str, sha256: str) -> bool:
    try:
        with default_storage.open(name) as file:
            return hashlib.sha256(file.read()).hexdigest() == sha256
    except OSError:
        return False
