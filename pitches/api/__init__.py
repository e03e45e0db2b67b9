"""The API of the talking: matches, reviews, pitches, messages, stops, replies, placements.

Each view makes one call into the work and reports. Staff see all; a client's own people see
their matches to review, the status of their pitches and their placements.
"""

from pitches.api.approaches import CampaignMessages, Messages, Pitches
from pitches.api.figures import OutreachAnalytics, OutreachStatus
from pitches.api.hearing import FollowUpTasks, IncomingMessages, WebhookDeliveries
from pitches.api.matches import Matches
from pitches.api.placements import Placements
from pitches.api.planned import (
    ByHand,
    ByHandSent,
    ByHandSkipped,
    SequenceGenerate,
    SequenceOfProspect,
    WeeklyCadence,
)
from pitches.api.reviewing import Generations, ReviewTasks
from pitches.api.runs import (
    FollowUpTrigger,
    OutreachResponse,
    OutreachTrigger,
    PendingFollowUps,
)
from pitches.api.sending import Breakers, EmailLimits, Senders, Stops

__all__ = [
    "Breakers",
    "ByHand",
    "ByHandSent",
    "ByHandSkipped",
    "CampaignMessages",
    "EmailLimits",
    "FollowUpTasks",
    "FollowUpTrigger",
    "Generations",
    "IncomingMessages",
    "Matches",
    "Messages",
    "OutreachAnalytics",
    "OutreachResponse",
    "OutreachStatus",
    "OutreachTrigger",
    "PendingFollowUps",
    "Pitches",
    "Placements",
    "ReviewTasks",
    "Senders",
    "SequenceGenerate",
    "SequenceOfProspect",
    "Stops",
    "WebhookDeliveries",
    "WeeklyCadence",
]
