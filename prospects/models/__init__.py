from prospects.models.fact import Fact
from prospects.models.lead import ContentItem, Lead, LeadIdentity
from prospects.models.organization import Consent, Contact, ContactAddress, Organization
from prospects.models.run import Assessment, PipelineRun, SavedSearch, StageRun
from prospects.models.suppression import Suppression

__all__ = [
    "Assessment",
    "Consent",
    "Contact",
    "ContactAddress",
    "ContentItem",
    "Fact",
    "Lead",
    "LeadIdentity",
    "Organization",
    "PipelineRun",
    "SavedSearch",
    "StageRun",
    "Suppression",
]
