"""Places at which a test may break the program: kill it, hold it up, halt it.

A point does nothing unless the setting FAULTS names it, and it never does where mail is live
(SEC-40): ``config.E032`` refuses the setting there, and the points stay unarmed besides.

    FAULTS="P5:kill:0.25,P6:wait:0.05"
"""

from __future__ import annotations

import os
import secrets
import select
import signal
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# The points of RELIABILITY section 4.1: what is durable there, and what the server knows.
POINTS = {
    "P1": "before the claim",
    "P2": "claimed",
    "P3": "connected",
    "P4": "the server took the recipient",
    "P5": "the server waits for the text",
    "P6": "in the gate, asked and not yet committed",
    "P7": "through the gate, nothing written",
    "P8": "half of the text written",
    "P9": "the final dot written, its answer not yet noted",
    "P10": "the answer noted, not yet committed",
    "P11": "settled",
    "P12": "refused, and not yet put back",
}
ACTIONS = ("kill", "abort", "halt", "wait")


@dataclass(frozen=True, slots=True)
class Fault:
    """``amount`` is how likely it is, 0 to 1; of ``wait`` the seconds it takes, each time."""

    action: str
    amount: float

    def strike(self) -> None:
        if self.action == "wait":
            # not time.sleep, which fails under a faked clock
            select.select([], [], [], self.amount)
        elif secrets.randbelow(1_000_000) < self.amount * 1_000_000:
            if self.action == "abort":
                os.abort()
            os.kill(os.getpid(), signal.SIGKILL if self.action == "kill" else signal.SIGSTOP)


def parsed(text: str) -> dict[str, Fault]:
    """The faults by point; raises ImproperlyConfigured for a point or an action unknown."""
    armed = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, rest = entry.partition(":")
        action, _, amount = rest.partition(":")
        if name not in POINTS or action not in ACTIONS:
            raise ImproperlyConfigured(
                f"FAULTS: {entry!r} is not POINT:ACTION:AMOUNT; points are "
                f"{', '.join(POINTS)}, actions {', '.join(ACTIONS)}."
            )
        try:
            armed[name] = Fault(action, float(amount or 1))
        except ValueError as e:
            raise ImproperlyConfigured(f"FAULTS: {amount!r} is no number.") from e
    return armed


def arm(text: str) -> None:
    """Arm exactly these points in this process; raises ImproperlyConfigured where mail is
    live."""
    global _armed
    if text and settings.SEND_MODE == "live":
        raise ImproperlyConfigured("FAULTS cannot be set where SEND_MODE is live.")
    _armed = parsed(text)


def point(name: str) -> None:
    """What may happen here, if anything was armed."""
    if _armed and (fault := _armed.get(name)):
        fault.strike()


def parted(name: str, raw: bytes) -> Iterator[bytes]:
    """``raw`` as it is; in two halves with the point between them, if that is armed."""
    if name not in _armed:
        yield raw
        return
    half = len(raw) // 2
    yield raw[:half]
    point(name)
    yield raw[half:]


_armed: dict[str, Fault] = {} if settings.SEND_MODE == "live" else parsed(settings.FAULTS)
