"""Every list: found by its search, as many queries for twenty rows as for one, history kept."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import PitchTemplate
from config import desk
from pitches.models import Match
from prospects.models import Lead
from tests import factories
from tests.conftest import OUR_APPS

OURS = [model for app in OUR_APPS for model in apps.get_app_config(app).get_models()]
# Rows that come about by triggers or beside another row.
BESIDE = {"PlacementChange": factories.PlacementFactory}
PLURAL = {"Variant": {"message__number": 0}}


def rows(model, count):
    """So many more rows of the model, each with everything of its own."""
    name = model.__name__
    factory = BESIDE.get(name) or getattr(factories, f"{name}Factory")
    return factory.create_batch(count)


def list_of(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def queries(client, url):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(url, follow=True)
    assert response.status_code == 200
    return response, len(captured)


def test_every_model_has_its_screen():
    assert not [model.__name__ for model in OURS if model not in admin.site._registry]


@pytest.mark.django_db
@pytest.mark.parametrize("model", OURS, ids=lambda model: model._meta.label)
def test_a_list_asks_as_often_for_twenty_rows_as_for_one(model, admin_client):
    url = list_of(model)
    rows(model, 1)
    admin_client.get(url)  # content types, session
    _, before = queries(admin_client, url)
    rows(model, 19)
    response, after = queries(admin_client, url)
    assert response.context["cl"].result_count == model._base_manager.count() >= 20
    assert after == before


@pytest.mark.django_db
def test_names_are_found_by_the_beginnings_of_their_words(admin_client):
    lead = factories.LeadFactory(name="The Joe Rogan Experience")
    factories.LeadFactory(name="Something else")
    for words in ("rogan joe", "exp", "JOE"):
        found = admin_client.get(list_of(Lead), {"q": words}).context["cl"].queryset
        assert list(found) == [lead], words
    for words in ("ogan", "joe nobody", "'; drop & |", "!(:*"):
        found = admin_client.get(list_of(Lead), {"q": words}).context["cl"].queryset
        assert list(found) == [], words


@pytest.mark.django_db
def test_a_match_is_found_by_its_candidate_and_by_its_lead(admin_client):
    match = factories.MatchFactory(candidate__name="Ines Ito", lead__name="Intern, Audit")
    factories.MatchFactory()
    for words in ("ines", "audit"):
        found = admin_client.get(list_of(Match), {"q": words}).context["cl"].queryset
        assert list(found) == [match]


@pytest.mark.django_db
def test_a_search_of_names_uses_its_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for model, name in ((Lead, "lead_name_words"),):
        assert name in desk.with_words(model.objects.all(), "name", "joe").explain()


@pytest.mark.django_db
def test_long_lists_are_estimated_instead_of_counted(monkeypatch):
    monkeypatch.setattr(desk, "COUNTED_ROWS", 3)
    factories.LeadFactory.create_batch(5)
    paginator = desk.BoundedPaginator(Lead.objects.order_by("name"), 50)
    assert paginator.count >= 4


LEDGERS = [model for model in OURS if isinstance(admin.site._registry.get(model), desk.Ledger)]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "name", ["AIUsage", "Event", "PlacementChange", "Message", "Suppression"]
)
def test_a_ledger_is_only_looked_at(name, admin_client):
    model = next(model for model in LEDGERS if model.__name__ == name)
    rows(model, 1)
    row = model._base_manager.first()
    prefix = list_of(model)
    assert admin_client.get(f"{prefix}{row.pk}/change/").status_code == 200
    assert admin_client.get(f"{prefix}add/").status_code == 403
    assert admin_client.post(f"{prefix}{row.pk}/change/", {}).status_code == 403
    assert admin_client.post(f"{prefix}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert model._base_manager.filter(pk=row.pk).exists()


@pytest.mark.django_db
def test_changed_words_of_a_template_make_its_next_version(admin_client):
    old = factories.PitchTemplateFactory(key="tests/next", body="Hello there.")
    url = reverse("admin:campaigns_pitchtemplate_change", args=[old.pk])
    form = admin_client.get(url).context["adminform"].form
    data = {name: form.get_initial_for_field(f, name) or "" for name, f in form.fields.items()}
    admin_client.post(url, data | {"body": "Good morning."})
    versions = PitchTemplate.objects.filter(key="tests/next").order_by("version")
    assert [(t.version, t.body, t.is_active) for t in versions] == [
        (1, "Hello there.", False),
        (2, "Good morning.", True),
    ]
