from campaigns.models.ai_usage import AIUsage
from campaigns.models.campaign import Blackout, Campaign, Document, MediaKit
from campaigns.models.candidate import Angle, Candidate, CandidateFact
from campaigns.models.client import Client, Membership
from campaigns.models.fact import BaseFact
from campaigns.models.sequence import Channel, PitchTemplate, Segment, Sequence, Step, Tone

__all__ = [
    "AIUsage",
    "Angle",
    "BaseFact",
    "Blackout",
    "Campaign",
    "Candidate",
    "CandidateFact",
    "Channel",
    "Client",
    "Document",
    "MediaKit",
    "Membership",
    "PitchTemplate",
    "Segment",
    "Sequence",
    "Step",
    "Tone",
]
