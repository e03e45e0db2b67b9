"""Whose the rows of a file are: the client and the campaign."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.utils.text import slugify

from campaigns.models import Campaign, Candidate, Client
from config.tables import UnreadableFile
from config.text import clean_line

KIND_OF_PRESET = {
    Campaign.Preset.PODCAST: Candidate.Kind.GUEST,
    Campaign.Preset.PLACEMENT: Candidate.Kind.INTERN,
    Campaign.Preset.CREATOR: Candidate.Kind.PRODUCT,
    Campaign.Preset.PRODUCT: Candidate.Kind.PRODUCT,
}


def find_client(name: str, *, create: bool = False) -> Client:
    """The client of this name or slug, made on the spot if ``create`` and there is none.

    Raises UnreadableFile where there is none.
    """
    found = Client.objects.filter(Q(name__iexact=name) | Q(slug=slugify(name) or name)).first()
    if found is None and create:
        return Client.objects.create(name=clean_line(name), slug=free_slug(Client, name))
    if found is None:
        known = ", ".join(Client.objects.values_list("name", flat=True)[:10]) or "none yet"
        raise UnreadableFile(
            f"There is no client “{name}” (there is: {known}). "
            "Add --new-client to make it, or see import_clients."
        )
    return found


def find_campaign(slug: str, client: Client | None = None) -> Campaign:
    """The campaign of this slug. Raises UnreadableFile without one, or if not ``client``'s."""
    found = Campaign.objects.filter(slug=slug).select_related("client").first()
    if found is None:
        raise UnreadableFile(f"There is no campaign “{slug}”.")
    if client is not None and found.client_id != client.pk:
        raise UnreadableFile(f"The campaign {slug} is {found.client}'s, not {client}'s.")
    return found


def kind_for(client: Client, campaign: Campaign | None) -> str:
    """What this client's candidates are, by its campaigns; "" where that is open."""
    if campaign is not None:
        return KIND_OF_PRESET[Campaign.Preset(campaign.preset)]
    presets_used = client.campaigns.values_list("preset", flat=True).distinct()
    kinds = {KIND_OF_PRESET[Campaign.Preset(preset)] for preset in presets_used}
    return kinds.pop() if len(kinds) == 1 else ""


def free_slug(model: Any, name: str) -> str:
    """A slug for ``name`` that no row of ``model`` has: 70 characters and a number at most."""
    base = slugify(name)[:70] or model._meta.model_name
    taken = set(model.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    slug, number = base, 2
    while slug in taken:
        slug, number = f"{base}-{number}", number + 1
    return slug
