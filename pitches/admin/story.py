"""The story of one pitch, in the order in which it happened, and what is still to come."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch
from django.urls import reverse

from campaigns.models import Step
from pitches import attachments
from pitches.decisions import Reason
from pitches.models import (
    FollowUpTask,
    IncomingMessage,
    Match,
    Message,
    Pitch,
    ReviewTask,
)

# What color a message's state has in the story.
TONES = {
    Message.Status.SENT: "good",
    Message.Status.ASSUMED_SENT: "good",
    Message.Status.DELEGATED: "good",
    Message.Status.QUEUED: "info",
    Message.Status.APPROVED: "info",
    Message.Status.CLAIMED: "info",
    Message.Status.HANDING: "info",
    Message.Status.UNKNOWN: "bad",
    Message.Status.FAILED: "bad",
    Message.Status.EXPIRED: "bad",
    Message.Status.DRAFT: "wait",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry: when, what, why, and the words that belong to it."""

    at: datetime | None
    title: str
    tone: str = ""
    detail: str = ""
    subject: str = ""
    words: str = ""
    url: str = ""
    is_ahead: bool = False


def read(pk: int) -> Pitch | None:
    """The pitch with everything its page shows, in a fixed number of queries."""
    return (
        Pitch.objects.select_related(
            "campaign__client",
            "lead__organization",
            "address__contact__organization",
            "sender",
            "sequence",
        )
        .defer("lead__embedding", "lead__text", "campaign__embedding")
        .prefetch_related(
            Prefetch("matches", Match.objects.select_related("candidate").order_by("-score")),
            Prefetch(
                "messages", Message.objects.select_related("step", "approved_by", "sender")
            ),
            Prefetch("follow_up_tasks", FollowUpTask.objects.select_related("step")),
            Prefetch("incoming_messages", IncomingMessage.objects.defer("raw", "text")),
            Prefetch("review_tasks", ReviewTask.objects.select_related("decided_by")),
        )
        .filter(pk=pk)
        .first()
    )


def moments(pitch: Pitch) -> list[Moment]:
    """What happened, oldest first, and then what is to come, soonest first."""
    found = [Moment(pitch.created_at, "Pitch made", detail=_made_of(pitch))]
    found += [moment for task in pitch.review_tasks.all() if (moment := _decision(task))]
    canceled = [m for m in pitch.messages.all() if m.status == Message.Status.CANCELED]
    found += [_message(m) for m in pitch.messages.all() if m not in canceled]
    found += _canceled(pitch, canceled)
    found += [m for message in pitch.messages.all() if (m := _unsubscribed(message))]
    found += [_answer(incoming) for incoming in pitch.incoming_messages.all()]
    found += [m for task in pitch.follow_up_tasks.all() if (m := _task(task, pitch))]
    if pitch.ended_at:
        found.append(
            Moment(
                pitch.ended_at,
                f"Pitch {pitch.get_status_display()}",
                _end(pitch),
                pitch.status_reason,
            )
        )
    past = [moment for moment in found if moment.at and not moment.is_ahead]
    ahead = [moment for moment in found if moment.is_ahead or moment.at is None]
    distant = max((moment.at for moment in ahead if moment.at), default=pitch.created_at)
    return [
        *sorted(past, key=lambda moment: moment.at or pitch.created_at),
        *sorted(ahead, key=lambda moment: moment.at or distant),
    ]


def _made_of(pitch: Pitch) -> str:
    names = ", ".join(match.candidate.name for match in pitch.matches.all())
    return f"for {names}" if names else ""


def _decision(task: ReviewTask) -> Moment | None:
    url = reverse("admin:pitches_reviewtask_change", args=[task.pk])
    if task.decided_at is None:
        if not task.is_open:
            return None
        return Moment(
            None, "Waits for a decision in the review queue", "wait", url=url, is_ahead=True
        )
    tone = "good" if task.decision == ReviewTask.Decision.APPROVED else "bad"
    who = f" by {task.decided_by}" if task.decided_by else ""
    title = f"Words {task.get_decision_display().lower()}{who}"
    return Moment(task.decided_at, title, tone, task.reason, url=url)


def _unsubscribed(message: Message) -> Moment | None:
    if message.unsubscribed_at is None:
        return None
    return Moment(
        message.unsubscribed_at,
        "Unsubscribed",
        "bad",
        f"by the link in {step_name(message.step)}; nobody here writes to them again",
    )


def _canceled(pitch: Pitch, messages: list[Message]) -> list[Moment]:
    """Steps that were canceled together, in one entry for each reason."""
    by_reason: dict[str, list[Message]] = defaultdict(list)
    for message in messages:
        by_reason[message.canceled_reason].append(message)
    return [
        Moment(
            pitch.ended_at or rows[0].created_at,
            f"Canceled: {', '.join(step_name(row.step) for row in rows)}",
            "",
            reason,
        )
        for reason, rows in by_reason.items()
    ]


def step_name(step: Step | None) -> str:
    """A step as a person says it."""
    return step.name.replace("_", " ") if step else "answer"


def _message(message: Message) -> Moment:
    name = step_name(message.step).capitalize()
    state = message.get_status_display().lower()
    is_ahead = message.status in Message.BEFORE_HANDING
    at = {
        Message.Status.QUEUED: message.send_at,
        Message.Status.DRAFT: None,
        Message.Status.APPROVED: message.hold_until,
    }.get(
        Message.Status(message.status),
        message.sent_at or message.handed_at or message.created_at,
    )
    return Moment(
        at,
        f"{name}: {state}",
        TONES.get(Message.Status(message.status), ""),
        _why(message),
        message.subject,
        message.body,
        reverse("admin:pitches_message_change", args=[message.pk]),
        is_ahead,
    )


def _why(message: Message) -> str:
    """Why a message stands where it stands."""
    told = []
    if message.hold_reason and message.status in Message.BEFORE_HANDING:
        told.append(f"held: {held_because(message.hold_reason)}")
    if message.last_error and message.status != Message.Status.SENT:
        told.append(message.last_error)
    if message.status == Message.Status.SENT:
        told.append(f"to {message.to_address}; {message.receipt}")
    if files := attachments.told(message.attachments):
        told.append(f"with {files}")
    if message.approved_policy:
        told.append(f"nobody had to read it: {message.approved_policy}")
    return ". ".join(filter(None, told))


def held_because(code: str) -> str:
    """A hold's code in words; the numbers stand in the plan."""
    return code.replace("_", " ") if code in Reason.values else code


def _answer(incoming: IncomingMessage) -> Moment:
    who = incoming.from_name or incoming.from_address
    intent = f": {incoming.get_intent_display().lower()}" if incoming.intent else ""
    return Moment(
        incoming.received_at,
        f"{incoming.get_kind_display().capitalize()} from {who}{intent}",
        "info" if incoming.kind == IncomingMessage.Kind.HUMAN_REPLY else "bad",
        f"joined by {incoming.matched_by}" if incoming.matched_by else "",
        incoming.subject,
        incoming.reply_text,
        reverse("admin:pitches_incomingmessage_change", args=[incoming.pk]),
    )


def _task(task: FollowUpTask, pitch: Pitch) -> Moment | None:
    """A planned step; what became of it is told by its message, where there is one."""
    has_message = any(message.step_id == task.step_id for message in pitch.messages.all())
    name = step_name(task.step).capitalize()
    if task.canceled_at and not has_message:
        return Moment(task.canceled_at, f"{name} canceled", "", task.reason)
    if task.canceled_at or task.done_at:
        return None
    return Moment(
        task.due_at,
        f"{name} falls due",
        "",
        "unless they answer before",
        is_ahead=True,
    )


def _end(pitch: Pitch) -> str:
    if pitch.status == Pitch.Status.REPLIED:
        return "good"
    bad = (Pitch.Status.BOUNCED, Pitch.Status.STOPPED, Pitch.Status.REJECTED)
    return "bad" if pitch.status in bad else ""
