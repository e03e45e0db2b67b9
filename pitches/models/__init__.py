from pitches.models.experiment import Experiment
from pitches.models.inbound import Event, IncomingMessage, WebhookDelivery
from pitches.models.match import Match
from pitches.models.message import FollowUpTask, Message, Variant
from pitches.models.pitch import Pitch
from pitches.models.placement import Placement, PlacementChange
from pitches.models.rehearsal import RehearsalEnd
from pitches.models.review_task import ReviewTask
from pitches.models.sender import Breaker, EmailLimit, Sender, SenderCampaign, SendMode, Stop
from pitches.models.weekly_plan import WeeklyPlan

__all__ = [
    "Breaker",
    "EmailLimit",
    "Event",
    "Experiment",
    "FollowUpTask",
    "IncomingMessage",
    "Match",
    "Message",
    "Pitch",
    "Placement",
    "PlacementChange",
    "RehearsalEnd",
    "ReviewTask",
    "SendMode",
    "Sender",
    "SenderCampaign",
    "Stop",
    "Variant",
    "WebhookDelivery",
    "WeeklyPlan",
]
