"""Importing in the admin: seen first, applied after."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns.models import Candidate
from prospects.models import Lead
from tests import digests
from tests.factories import CampaignFactory

pytestmark = pytest.mark.django_db
LEADS, CANDIDATES = "admin:prospects_lead_import", "admin:campaigns_candidate_import"
SHOWS = "id,Show,e-mail\np1,Law & Code,ada@example.com\np2,<script>alert(1)</script>,\np3,,\n"


@pytest.fixture
def desk(client, ada):
    client.force_login(ada)
    return client


def upload(desk, text=SHOWS, page=LEADS, name="shows.csv", **fields):
    content = text if isinstance(text, bytes) else text.encode()
    fields = fields or {"kind": "podcast"}
    return desk.post(reverse(page), {"file": SimpleUploadedFile(name, content), **fields})


def token_of(response):
    return re.search(r'name="token" value="([^"]+)"', response.text)[1]


def kept():
    return {
        t: d for t, d in digests.of_tables().items() if t.startswith(("prospects", "campaigns"))
    }


def test_a_preview_shows_what_would_happen_and_changes_nothing(desk):
    before = kept()
    response = upload(desk)
    assert kept() == before
    assert "2 created" in response.text
    assert "Line 4: there is no name" in response.text
    assert '<option value="Show" selected>' in response.text
    assert "<script>alert" not in response.text
    assert "&lt;script&gt;alert" in response.text


def test_apply_does_what_was_shown(desk):
    token = token_of(upload(desk))
    mapping = {"map:name": "Show", "map:platform_id": "id", "map:email": "e-mail"}
    response = desk.post(reverse(LEADS), {"token": token, "apply": "1", **mapping})
    assert "shows.csv is in." in response.text
    assert Lead.objects.count() == 2
    again = desk.post(reverse(LEADS), {"token": token, "apply": "1", **mapping})
    assert "has expired" in again.text


def test_another_mapping_is_previewed_first(desk):
    response = upload(desk, "a,b\nLaw,Code\n")
    assert "no column for name" in response.text
    token = token_of(response)
    response = desk.post(reverse(LEADS), {"token": token, "map:name": "b", "preview": "1"})
    assert "1 created" in response.text
    desk.post(reverse(LEADS), {"token": token, "map:name": "b", "apply": "1"})
    assert Lead.objects.get().name == "Code"


def test_a_preview_belongs_to_who_made_it(desk, admin_client):
    token = token_of(upload(desk))
    response = admin_client.post(reverse(LEADS), {"token": token, "apply": "1"})
    assert "has expired" in response.text
    assert not Lead.objects.exists()


@pytest.mark.req("SEC-28")
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"x" * (20 * 1024**2 + 1), "20 MB are allowed"),
        (b"\xd0\xcf\x11\xe0" + b"x" * 100, "old Excel"),
        (b"PK\x03\x04junk", "not a whole XLSX"),
        (b"name,name\na,b\n", "two columns"),
        (bytes(range(256)) * 40, "neither UTF-8"),
        (b"<html></html>", "web page"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><rss/>', "document type"),
        (b'title,e-mail\n"a,b\n', "never closed"),
        (b"\xff\xfe\x00", "no column for name"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_a_file_that_cannot_be_used_is_told_on_the_page(desk, content, told):
    response = upload(desk, content)
    assert response.status_code == 200
    assert told in response.text
    assert not Lead.objects.exists()


def test_the_lists_lead_to_the_page(desk):
    response = desk.get(reverse("admin:prospects_lead_changelist"))
    link = re.search(r'href="([^"]*open-import[^"]*)"', response.text)[1]
    assert desk.get(link, follow=True).redirect_chain[-1][0] == reverse(LEADS)


@pytest.mark.parametrize("page", [LEADS, CANDIDATES])
def test_the_page_is_for_staff_with_the_right_to_it(client, ada, clara, stranger, page):
    for user in (clara, stranger):
        client.force_login(user)
        assert client.get(reverse(page)).status_code in (302, 403)
    ada.user_permissions.clear()
    client.force_login(ada)
    assert client.get(reverse(page)).status_code == 403
    assert client.post(reverse(page)).status_code == 403


def test_candidates_are_imported_for_their_client(desk):
    campaign = CampaignFactory(preset="podcast")
    fields = {"client": campaign.client_id, "campaign": campaign.pk, "kind": ""}
    response = upload(desk, "name\nAda\n", CANDIDATES, "people.csv", **fields)
    assert "1 created" in response.text
    desk.post(
        reverse(CANDIDATES), {"token": token_of(response), "map:name": "name", "apply": "1"}
    )
    assert Candidate.objects.get().client == campaign.client
    assert campaign.candidates.count() == 1


def test_candidates_of_another_client_do_not_join_a_campaign(desk):
    campaign, other = CampaignFactory(), CampaignFactory()
    fields = {"client": other.client_id, "campaign": campaign.pk, "kind": ""}
    response = upload(desk, "name\nAda\n", CANDIDATES, "people.csv", **fields)
    assert "is not" in response.text
    assert not Candidate.objects.exists()
