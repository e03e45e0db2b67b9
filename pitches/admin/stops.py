"""The stop switch and its smaller brothers: one pitch, one person, one organization, a mailbox.

Each asks first, says what it will do, and is done by ``pitches.stopping``.
"""

from __future__ import annotations

from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince

from config.desk import user_of
from pitches import stopping
from pitches.admin.asking import ask
from pitches.models import Message, Pitch, Sender, Stop

STOP = "pitches.add_stop"
LIFT = "pitches.change_stop"
REASONS = ("Asked by phone", "Wrong person", "Client asked", "Something looks wrong")


def last_sent() -> str:
    """When mail last went out, in a sentence."""
    last = Message.objects.filter(status__in=Message.GONE_OUT).aggregate(at=Max("counted_at"))[
        "at"
    ]
    if last is None:
        return "No message has gone out yet."
    return (
        f"The last message went out {timesince(last)} ago ({timezone.localtime(last):%H:%M})."
    )


def everything(request: HttpRequest) -> HttpResponse:
    """The switch: nothing leaves any mailbox until it is lifted."""

    def act(reason: str) -> str:
        stopping.stop(scope=Stop.Scope.EVERYTHING, reason=reason, by=user_of(request))
        return "Everything is stopped. Nothing goes out until you lift it."

    return ask(
        request,
        permission=STOP,
        title="Stop everything",
        lines=[
            "From now on nothing leaves any mailbox, for no client. Nothing is canceled: what "
            "waits goes on waiting until the stop is lifted.",
            last_sent(),
        ],
        button="Stop everything",
        back=reverse("admin:index"),
        act=act,
        reasons=REASONS[2:],
    )


def lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a stop."""
    row = get_object_or_404(Stop, pk=pk)
    open_yet = row.lifted_at is None

    def act(reason: str) -> str:
        stopping.lift(row, by=user_of(request))
        return "Lifted. What it held goes on at the next plan; what it canceled stays canceled."

    return ask(
        request,
        permission=LIFT,
        title=f"Lift: {row}",
        lines=[
            f"In force since {timezone.localtime(row.begins_at):%d %b %H:%M}: {row.reason}."
            if open_yet
            else "It was lifted already.",
            "What it held may go out again, at the pace of the limits. What it canceled stays "
            "canceled.",
        ],
        button="Lift the stop",
        back=reverse("admin:index"),
        act=act,
        with_reason=False,
        is_danger=False,
    )


def _pitch(pk: int) -> Pitch:
    rows = Pitch.objects.select_related(
        "address__contact", "lead__organization", "campaign__client"
    )
    return get_object_or_404(rows, pk=pk)


def pitch(request: HttpRequest, pk: int) -> HttpResponse:
    """End one pitch."""
    row = _pitch(pk)

    def act(reason: str) -> str:
        stopping.stop_pitch(row, reason=reason)
        return "Stopped. Its open steps are canceled."

    return ask(
        request,
        permission=STOP,
        title=f"Stop the pitch to {row.lead}",
        lines=[
            "Every step that has not gone out is canceled for good. Nobody else is touched.",
            "If nothing went out yet, its matches may be pitched again.",
        ],
        button="Stop this pitch",
        back=reverse("admin:pitches_pitch_change", args=[pk]),
        act=act,
        reasons=REASONS,
    )


def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Stop all mail to the person of a pitch, from every client."""
    row = _pitch(pk)
    contact = row.address.contact

    def act(reason: str) -> str:
        stopping.stop(
            scope=Stop.Scope.PERSON, contact=contact, reason=reason, by=user_of(request)
        )
        return f"{contact} gets nothing more until the stop is lifted."

    open_pitches = Pitch.objects.open().filter(address__contact=contact).count()
    return ask(
        request,
        permission=STOP,
        title=f"Stop all mail to {contact}",
        lines=[
            f"No client of ours writes to {row.address.value} any more. The open steps of "
            f"{open_pitches} pitches are canceled for good.",
        ],
        button=f"Stop mail to {contact}",
        back=reverse("admin:pitches_pitch_change", args=[pk]),
        act=act,
        reasons=REASONS,
    )


def organization(request: HttpRequest, pk: int) -> HttpResponse:
    """An organization asked to be left alone."""
    row = _pitch(pk)
    asked = row.lead.organization or row.address.contact.organization
    back = reverse("admin:pitches_pitch_change", args=[pk])

    def act(reason: str) -> str:
        if asked is None:
            return ""
        stopping.do_not_contact(asked, reason=reason, by=user_of(request))
        return f"{asked} is left alone from now on."

    return ask(
        request,
        permission=STOP,
        title=f"Leave {asked or 'the organization'} alone",
        lines=[
            "Nobody there is written to again, by no client, for ever. Every open step to its "
            "people is canceled."
            if asked
            else "No organization is known for this pitch.",
        ],
        button="Do not contact",
        back=back,
        act=act,
        reasons=("Asked not to be contacted", "Legal request"),
    )


def mailbox(request: HttpRequest, pk: int) -> HttpResponse:
    """Pause a mailbox, or let it send again."""
    sender = get_object_or_404(Sender, pk=pk)
    back = reverse("admin:pitches_sender_change", args=[pk])

    def pause(reason: str) -> str:
        stopping.pause_sender(sender, reason=reason)
        return f"{sender.address} is paused."

    def resume(reason: str) -> str:
        stopping.resume_sender(sender)
        return f"{sender.address} sends again, at the pace of its limits."

    if sender.is_active:
        return ask(
            request,
            permission="pitches.change_sender",
            title=f"Pause {sender.address}",
            lines=[
                "Nothing leaves this mailbox until somebody lets it. Its inbox is not read."
            ],
            button="Pause",
            back=back,
            act=pause,
            reasons=("Bounces", "Complaints", "Password changed"),
        )
    return ask(
        request,
        permission="pitches.change_sender",
        title=f"Let {sender.address} send again",
        lines=[f"It was paused: {sender.status_reason or 'no reason was given'}."],
        button="Resume",
        back=back,
        act=resume,
        with_reason=False,
        is_danger=False,
    )
