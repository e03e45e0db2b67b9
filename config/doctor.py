"""What works, what is off, what is broken, and what to do about it.

An app adds its own lines:

    @doctor.examiner
    def senders() -> Iterator[Finding]: ...
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from django.conf import settings
from django.core import checks
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from . import beats, visitors
from .models import TickRun
from .schedules import PLANNED

State = Literal["ok", "off", "broken"]
DEAD_AFTER = 90.0


@dataclass(frozen=True)
class Finding:
    """One line of the report. `off` is a choice, `broken` needs somebody."""

    name: str
    state: State
    about: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


Examiner = Callable[[], Iterable[Finding]]
_examiners: list[Examiner] = []


def examiner(examine: Examiner) -> Examiner:
    """Register a function whose findings belong in the report."""
    _examiners.append(examine)
    return examine


def examine() -> list[Finding]:
    """Everything that can be said. Without a database, only what does not need one."""
    findings = [*configuration(), *database()]
    if findings[-1].state == "broken":
        return findings
    for ask in _examiners:
        findings += ask()
    return findings


def configuration() -> Iterator[Finding]:
    """The system checks, and how mail is sent."""
    problems = [m for m in checks.run_checks() if m.level >= checks.WARNING]
    for message in problems:
        state: State = "broken" if message.level >= checks.ERROR else "off"
        hint = f" {message.hint}" if message.hint else ""
        yield Finding(str(message.id), state, f"{message.msg}{hint}")
    if not problems:
        yield Finding("settings", "ok", "All checks pass.")
    yield {
        "capture": Finding("sending", "off", "capture: mail stays on this machine."),
        "allowlist": Finding(
            "sending", "ok", f"allowlist: only to {', '.join(settings.SEND_ALLOWLIST)}."
        ),
    }.get(settings.SEND_MODE, Finding("sending", "ok", f"{settings.SEND_MODE}: to everybody."))


def database() -> Iterator[Finding]:
    """Reachable, and of the version the code expects. Broken comes last."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
        executor = MigrationExecutor(connection)
    except DatabaseError as e:
        yield Finding("database", "broken", f"It does not answer: {e}".strip())
        return
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        yield Finding("database", "broken", "Migrations are missing: `manage.py migrate`.")
        return
    where = settings.DATABASES["default"].get("DATA_DIR", "DATABASE_URL")
    yield Finding("database", "ok", f"PostgreSQL {version}, {where}.")


@examiner
def workers() -> Iterator[Finding]:
    """Whether somebody works, and how the last run of each job ended."""
    silence = beats.silence()
    if silence is None or silence > DEAD_AFTER:
        last = "never" if silence is None else f"{silence:.0f} s ago"
        yield Finding(
            "workers", "broken", f"The last sign of life was {last}: `manage.py run_worker`."
        )
    else:
        yield Finding(
            "workers", "ok", f"The last sign of life was {max(silence, 0):.0f} s ago."
        )
    runs = TickRun.objects.in_bulk([planned.name for planned in PLANNED])
    for name, run in runs.items():
        if run.error:
            yield Finding(f"job {name}", "broken", f"Failed {run.failed_at:%F %R}: {run.error}")


@examiner
def way_out() -> Iterator[Finding]:
    """Whether recipients can use the unsubscribe links, and what we cannot see from here."""
    if not visitors.is_public(settings.PUBLIC_URL):
        about = f"Links in mail lead to {settings.PUBLIC_URL}, which recipients cannot reach"
        yield Finding("unsubscribing", "off", f"{about}: live mail waits. Set PUBLIC_URL.")
        return
    yield Finding(
        "unsubscribing",
        "ok",
        f"Links in mail lead to {settings.PUBLIC_URL}/u/. See that the DKIM signature of your "
        "provider covers List-Unsubscribe and List-Unsubscribe-Post (its h= list names both).",
    )


@examiner
def keyless() -> Iterator[Finding]:
    """What an unset setting switches off."""
    if not settings.BRAND_NAME_IS_SET:
        about = f"BRAND_NAME is not set: mail signs as {settings.BRAND_NAME}"
        yield Finding("BRAND_NAME", "off", f"{about}.")
    if not settings.TRUSTED_PROXIES and visitors.is_public(settings.PUBLIC_URL):
        about = "Behind a proxy all visitors count as one caller: name it."
        yield Finding("TRUSTED_PROXIES", "off", about)
    for name, use in (
        ("POSTAL_ADDRESS", "Messages carry no postal address."),
        ("BRAND_WEBSITE", "Public pages link to no website."),
    ):
        if not getattr(settings, name):
            yield Finding(name, "off", use)
