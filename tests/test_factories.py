"""Every model has a factory, and what it makes is valid."""

import inspect

import pytest
from django.apps import apps
from factory.django import DjangoModelFactory

from tests import factories

APPS = ["campaigns", "prospects", "pitches", "crm_sync"]
# Written by a trigger, never by us.
WITHOUT = {"pitches.PlacementChange"}

FACTORIES = [
    made
    for _, made in inspect.getmembers(factories, inspect.isclass)
    if issubclass(made, DjangoModelFactory) and made is not DjangoModelFactory
]


def test_every_model_has_a_factory():
    made = {made._meta.model._meta.label for made in FACTORIES}
    models = {
        model._meta.label for app in APPS for model in apps.get_app_config(app).get_models()
    }
    assert models - made == WITHOUT


@pytest.mark.django_db
@pytest.mark.parametrize("made", FACTORIES, ids=lambda made: made.__name__)
def test_a_factory_makes_two_valid_rows(made):
    for row in made.create_batch(2):
        row.refresh_from_db()
        row.full_clean(exclude=["password"])


@pytest.mark.django_db
@pytest.mark.parametrize("status", factories.pitches.Message.Status.values)
def test_a_message_of_any_status_can_be_made(status):
    assert factories.MessageFactory(status=status).status == status


@pytest.mark.django_db
def test_a_pitched_match_fits_its_pitch():
    match = factories.MatchFactory(pitched=True)
    assert match.status == "pitched"
    assert (match.campaign, match.lead) == (match.pitch.campaign, match.pitch.lead)
    assert match.candidate.client == match.campaign.client


@pytest.mark.django_db
def test_a_pitch_goes_to_a_partner_of_the_lead_s_organization():
    pitch = factories.PitchFactory()
    assert pitch.address.contact.organization == pitch.lead.organization
