"""What people and programs mistype: a sentence, never a traceback."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import reverse

from config import checks, environment
from config.tables import reading
from tests.config.environment import outside
from tests.factories import CampaignFactory

BASE_DIR = Path(__file__).resolve().parents[2]


def started(**chosen: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=BASE_DIR, env=outside(**chosen), capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        ({"TICK_SECONDS": "abc"}, "TICK_SECONDS is no whole number"),
        ({"DATABASE_URL": "foo"}, "DATABASE_URL names no PostgreSQL"),
    ],
    ids=["number", "database"],
)
def test_a_setting_that_cannot_be_read_is_one_line(chosen, told):
    ended = started(**chosen)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == [ended.stderr.strip()]
    assert told in ended.stderr


@pytest.mark.parametrize(
    "url",
    ["foo", "sqlite:///x", "postgres://u:secret@h:abc/x", "postgres://[::1/x", "postgres://h/"],
)
def test_an_address_of_no_database_is_refused_without_showing_it(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.Environment().postgres("DATABASE_URL")
    assert "secret" not in str(refused.value)
    assert "postgres://user:password@host/name" in str(refused.value)


def test_the_address_of_a_database_is_read(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://ada:pw@db.example.com:6543/desk")
    found = environment.Environment().postgres("DATABASE_URL")
    assert (found["NAME"], found["HOST"], found["PORT"]) == ("desk", "db.example.com", 6543)


def test_a_file_of_settings_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / ".env"
    environment.read_file(path)  # there is none: nothing is set
    path.write_bytes(b"BRAND_NAME=caf\xe9\n")
    with pytest.raises(ImproperlyConfigured, match=r"\.env cannot be read: it is not text"):
        environment.read_file(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(ImproperlyConfigured, match="Is a directory"):
        environment.read_file(path)


@pytest.mark.parametrize("name", ["EMAIL_DATA_TIMEOUT", "IMAP_TIMEOUT", "DNS_TIMEOUT"])
@pytest.mark.parametrize("seconds", [0, -1])
def test_a_wait_of_nothing_is_refused(settings, name, seconds):
    setattr(settings, name, seconds)
    (found,) = checks.waits(None)
    assert found.id == "config.E005"
    assert name in found.msg


@pytest.mark.parametrize("campaign", ["²", "abc", "9" * 40, "1,²", "-1", "%00", "9" * 5000])
def test_an_odd_campaign_in_an_address_fills_nothing(client, ada, campaign):
    client.force_login(ada)
    for model in ("pitches_sendercampaign", "campaigns_blackout"):
        url = reverse(f"admin:{model}_add")
        assert client.get(f"{url}?campaign={campaign}&nothing=1").status_code in (200, 400)


def test_a_campaign_in_an_address_fills_the_form(client, ada):
    client.force_login(ada)
    campaign = CampaignFactory()
    page = client.get(f"{reverse('admin:pitches_sendercampaign_add')}?campaign={campaign.pk}")
    assert page.context["adminform"].form.initial["campaign"] == str(campaign.pk)


@pytest.mark.parametrize("half", ["\ud800", "2026\udfff"])
def test_half_a_letter_in_a_cursor_is_no_cursor(client, ada, half):
    client.force_login(ada)
    for path, place in (
        ("stops", [half, "1"]),
        ("campaigns", [half]),
        ("senders", [half, "1"]),
    ):
        cursor = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
        answer = client.get(f"/api/v1/{path}/", {"cursor": cursor})
        assert answer.status_code == 400, path


def test_one_date_that_is_none_spoils_its_own_cell_alone():
    book = openpyxl.Workbook()
    for row in (["name", "starts"], ["Ada Example", "x"], ["Kim Example", "2026-06-01"]):
        book.active.append(row)
    plain, spoiled = io.BytesIO(), io.BytesIO()
    book.save(plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(spoiled, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            if member.filename.startswith("xl/worksheets/sheet"):
                at = content.index(b'<c r="B2"')
                end = content.index(b"</c>", at) + 4
                cell = b'<c r="B2" t="d"><v>99999-99-99</v></c>'
                content = content[:at] + cell + content[end:]
            new.writestr(member, content)
    table = reading.read(spoiled.getvalue(), "people.xlsx")
    assert [row.cells[1] for row in table.rows] == ["99999-99-99", "2026-06-01"]
