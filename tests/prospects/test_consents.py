"""Who may be texted is on record, with the words, the place and the time (LAW-22)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from prospects.models import Consent
from tests.clock import MONDAY
from tests.factories import ConsentFactory, ContactAddressFactory

pytestmark = pytest.mark.django_db


def order(address, **more) -> dict:
    return {
        "address": address.pk,
        "kind": "sms",
        "text": "Yes, you may text me.",
        "source": "form of 1 June",
        "obtained_at": MONDAY.isoformat(),
    } | more


@pytest.mark.req("LAW-22")
def test_staff_record_and_revoke_a_consent_over_the_api(client, ada):
    phone = ContactAddressFactory(kind="phone", value="+12025550143")
    client.force_login(ada)
    made = client.post("/api/v1/consents/", order(phone), content_type="application/json")
    assert made.status_code == 201
    one = f"/api/v1/consents/{made.json()['id']}/"
    change = {"revoked_at": MONDAY.isoformat(), "revoked_reason": "by telephone"}
    assert client.patch(one, change, content_type="application/json").status_code == 200
    assert not Consent.objects.filter(revoked_at=None).exists()
    assert client.delete(one).status_code == 405


def test_an_e_mail_address_cannot_be_texted(client, ada):
    client.force_login(ada)
    mail = ContactAddressFactory()
    made = client.post("/api/v1/consents/", order(mail), content_type="application/json")
    assert made.status_code == 400
    assert not Consent.objects.exists()


def test_a_stranger_sees_no_consents(client, stranger):
    ConsentFactory(address=ContactAddressFactory(kind="phone", value="+12025550143"))
    client.force_login(stranger)
    assert client.get("/api/v1/consents/").status_code == 403
    page = reverse("admin:prospects_consent_changelist")
    assert client.get(page).status_code in (302, 403)


def test_the_admin_takes_a_consent_for_a_number_only(client, ada):
    client.force_login(ada)
    page = reverse("admin:prospects_consent_add")
    assert client.get(page).status_code == 200
    mail = ContactAddressFactory()
    form = order(mail, obtained_at_0="2026-06-01", obtained_at_1="09:00")
    answer = client.post(page, form)
    assert "Choose a telephone number" in answer.content.decode()
    assert not Consent.objects.exists()
