"""How the desk looks and what its sidebar offers, in the order of the work.

Read by the settings: it imports nothing of ours that needs the apps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse, reverse_lazy

# One palette: grey, one quiet blue-green for what can be clicked, and the four colors that mean
# something (see config.desk).
PRIMARY = {
    "50": "oklch(97.6% .012 215)",
    "100": "oklch(94.6% .026 215)",
    "200": "oklch(89.4% .048 215)",
    "300": "oklch(81.6% .078 216)",
    "400": "oklch(72% .098 218)",
    "500": "oklch(60.5% .104 221)",
    "600": "oklch(50.5% .095 224)",
    "700": "oklch(43.4% .081 226)",
    "800": "oklch(37.8% .066 228)",
    "900": "oklch(32.5% .053 230)",
    "950": "oklch(24.5% .041 232)",
}


def stylesheet(request: HttpRequest) -> str:
    return static("overture/desk.css")


def script(request: HttpRequest) -> str:
    return static("overture/desk.js")


def mark(request: HttpRequest) -> str:
    return static("overture/mark.svg")


def mode(request: HttpRequest) -> list[str]:
    """The label beside the title: how far messages may go."""
    color = {"capture": "info", "allowlist": "warning"}.get(settings.SEND_MODE, "danger")
    return [settings.SEND_MODE, color]


def is_capture(request: HttpRequest) -> bool:
    return settings.SEND_MODE == "capture" and request.user.has_perm("pitches.view_message")


def is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_superuser)


def may_view(model: str) -> Callable[[HttpRequest], bool]:
    """Whether this user may see the rows of ``app.model``."""
    app, name = model.split(".")

    def allowed(request: HttpRequest) -> bool:
        return request.user.has_perm(f"{app}.view_{name}")

    return allowed


def entry(title: str, icon: str, model: str, query: str = "", **more: Any) -> dict[str, Any]:
    """A line of the sidebar that opens a model's list."""
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": _at(f"admin:{app}_{name}_changelist", query),
        "model": model,
        "permission": may_view(model),
        "active": _is_here(f"admin:{app}_{name}_changelist"),
        **more,
    }


def page(title: str, icon: str, url: str, permission: Any, **more: Any) -> dict[str, Any]:
    """A line of the sidebar that opens a page of its own."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(url),
        "permission": permission,
        "active": _is_here(url),
        **more,
    }


# Pages of their own whose addresses begin like those of a list.
OWN_PAGES = (
    "admin:pitches_plan",
    "admin:pitches_by_hand",
    "admin:pitches_captured",
    "admin:pitches_check",
)


def _is_here(name: str) -> Callable[[HttpRequest], bool]:
    """Whether the page shown belongs to this line, and to none that is more exact."""

    def active(request: HttpRequest) -> bool:
        others = (reverse(other) for other in OWN_PAGES if other != name)
        here = request.path.startswith(reverse(name))
        return here and not any(request.path.startswith(other) for other in others)

    return active


def _at(name: str, query: str) -> Any:
    if not query:
        return reverse_lazy(name)
    return lambda request: f"{reverse_lazy(name)}?{query}"


SIDEBAR: list[dict[str, Any]] = [
    {
        "items": [
            {"title": "Today", "icon": "today", "link": reverse_lazy("admin:index")},
            entry("Review", "rate_review", "pitches.reviewtask", "status__exact=open"),
            page("Plan", "event_upcoming", "admin:pitches_plan", may_view("pitches.message")),
            page("By hand", "back_hand", "admin:pitches_by_hand", may_view("pitches.message")),
            page("To check", "report", "admin:pitches_check", may_view("pitches.message")),
            entry("Inbox", "inbox", "pitches.incomingmessage"),
            page("Captured mail", "drafts", "admin:pitches_captured", is_capture),
        ],
    },
    {
        "title": "The work",
        "separator": True,
        "items": [
            entry("Campaigns", "flag", "campaigns.campaign"),
            entry("Leads", "person_search", "prospects.lead"),
            entry("Candidates", "badge", "campaigns.candidate"),
            entry("Matches", "join_inner", "pitches.match"),
            entry("Pitches", "forum", "pitches.pitch"),
            entry("Messages", "mail", "pitches.message"),
            entry("Placements", "handshake", "pitches.placement"),
        ],
    },
    {
        "title": "Sending",
        "separator": True,
        "items": [
            entry("Mailboxes", "alternate_email", "pitches.sender"),
            entry("Limits", "speed", "pitches.emaillimit"),
            entry("Stops", "pan_tool", "pitches.stop"),
            entry("Breakers", "electrical_services", "pitches.breaker"),
            entry("Never write to", "block", "prospects.suppression"),
            entry("May be texted", "sms", "prospects.consent"),
        ],
    },
    {
        "title": "People",
        "separator": True,
        "collapsible": True,
        "items": [
            entry("Clients", "work", "campaigns.client"),
            entry("Organizations", "domain", "prospects.organization"),
            entry("Contacts", "contacts", "prospects.contact"),
            entry("Addresses", "contact_mail", "prospects.contactaddress"),
        ],
    },
    {
        "title": "Words and plans",
        "separator": True,
        "collapsible": True,
        "items": [
            entry("Sequences", "format_list_numbered", "campaigns.sequence"),
            entry("Templates", "description", "campaigns.pitchtemplate"),
            entry("Segments", "category", "campaigns.segment"),
            entry("Documents", "article", "campaigns.document"),
            entry("Media kits", "perm_media", "campaigns.mediakit"),
            entry("Experiments", "science", "pitches.experiment"),
            entry("Weekly plans", "calendar_month", "pitches.weeklyplan"),
        ],
    },
    {
        "title": "Finding",
        "separator": True,
        "collapsible": True,
        "items": [
            entry("Runs", "play_circle", "prospects.pipelinerun"),
            entry("Verdicts", "fact_check", "prospects.assessment"),
            entry("Saved searches", "saved_search", "prospects.savedsearch"),
            entry("Facts", "lightbulb", "prospects.fact"),
            entry("Episodes and posts", "podcasts", "prospects.contentitem"),
        ],
    },
    {
        "title": "Records",
        "separator": True,
        "collapsible": True,
        "items": [
            entry("Drafts", "edit_note", "pitches.variant"),
            entry("Follow-up tasks", "schedule", "pitches.followuptask"),
            entry("Events", "bolt", "pitches.event"),
            entry("Webhooks", "webhook", "pitches.webhookdelivery"),
            entry("Placement changes", "history", "pitches.placementchange"),
            entry("AI usage", "payments", "campaigns.aiusage"),
            entry("CRM tasks", "sync", "crm_sync.synctask"),
            entry("CRM owners", "support_agent", "crm_sync.crmowner"),
            entry("CRM records", "link", "crm_sync.remoterecord"),
        ],
    },
    {
        "title": "System",
        "separator": True,
        "collapsible": True,
        "items": [
            entry("Users", "group", "auth.user", permission=is_superuser),
            entry("Groups", "groups", "auth.group", permission=is_superuser),
            entry("Jobs", "memory", "config.tickrun", permission=is_superuser),
            entry("Workers", "favorite", "config.beat", permission=is_superuser),
            entry("Schedules", "timer", "django_q.schedule", permission=is_superuser),
        ],
    },
]


# What the sidebar calls each list; its page is called the same.
MENU_NAMES: dict[str, str] = {
    item["model"]: item["title"]
    for group in SIDEBAR
    for item in group["items"]
    if "model" in item
}


def unfold(brand: str) -> dict[str, Any]:
    """The theme's settings."""
    return {
        "SITE_TITLE": brand,
        "SITE_HEADER": brand,
        "SITE_SYMBOL": "outgoing_mail",
        "SITE_URL": None,
        "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": mark}],
        "SHOW_HISTORY": True,
        "SHOW_VIEW_ON_SITE": False,
        "SHOW_BACK_BUTTON": False,
        "ENVIRONMENT": "config.look.mode",
        "DASHBOARD_CALLBACK": "config.home.first_screen",
        "STYLES": [stylesheet],
        "SCRIPTS": [script],
        "BORDER_RADIUS": "6px",
        "COLORS": {"primary": PRIMARY},
        "SIDEBAR": {
            "show_search": False,
            "command_search": False,
            "show_all_applications": False,
            "navigation": "config.home.sidebar",
        },
    }
