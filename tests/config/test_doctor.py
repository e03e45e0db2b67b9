import json

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from config import beats, doctor
from config.doctor import Finding
from config.models import TickRun

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def sound_settings(monkeypatch):
    monkeypatch.setattr(doctor.checks, "run_checks", list)


def states() -> dict[str, str]:
    return {finding.name: finding.state for finding in doctor.examine()}


def test_without_a_worker_something_is_broken(capsys):
    with pytest.raises(SystemExit) as stopped:
        call_command("doctor", "--json")
    assert stopped.value.code == 1
    report = {line["name"]: line for line in json.loads(capsys.readouterr().out)}
    assert "run_worker" in report["workers"]["about"]


def test_a_working_desk_is_well(capsys):
    beats.beat("idle")
    call_command("doctor")
    assert "broken" not in capsys.readouterr().out


def test_a_failed_job_is_told_with_its_reason():
    beats.beat("idle")
    now = timezone.now()
    TickRun.objects.create(name="send", started_at=now, failed_at=now, error="ValueError: no")
    assert states()["job send"] == "broken"


def test_without_a_database_the_rest_is_still_told(monkeypatch):
    class Gone:
        def cursor(self):
            raise OperationalError("gone")

    monkeypatch.setattr(doctor, "connection", Gone())
    assert states() == {"settings": "ok", "sending": "off", "database": "broken"}


def test_a_failed_check_is_told_with_its_hint(monkeypatch):
    problem = doctor.checks.Error("It is wrong.", hint="Put it right.", id="config.E999")
    monkeypatch.setattr(doctor.checks, "run_checks", lambda: [problem])
    finding = doctor.examine()[0]
    assert (finding.name, finding.state) == ("config.E999", "broken")
    assert finding.about == "It is wrong. Put it right."


def test_an_app_adds_its_own_lines(monkeypatch):
    monkeypatch.setattr(doctor, "_examiners", [])

    @doctor.examiner
    def mailboxes():
        yield Finding("mailboxes", "off", "None yet.")

    assert states()["mailboxes"] == "off"


@pytest.mark.parametrize("is_set", [True, False])
def test_a_desk_without_a_name_is_told_how_its_mail_signs(settings, is_set):
    settings.BRAND_NAME_IS_SET = is_set
    told = [f.about for f in doctor.examine() if f.name == "BRAND_NAME"]
    assert told == ([] if is_set else ["BRAND_NAME is not set: mail signs as Overture."])


def test_healthz_tells_the_silence_of_the_workers(client):
    assert client.get("/healthz").json()["worker_silent_seconds"] is None
    beats.beat("idle")
    assert client.get("/healthz").json()["worker_silent_seconds"] < 5


@pytest.mark.req("LAW-1")
def test_it_says_whether_recipients_can_reach_the_way_out(settings):
    beats.beat("idle")
    told = {finding.name: finding for finding in doctor.examine()}["unsubscribing"]
    assert (told.state, "live mail waits" in told.about) == ("off", True)
    settings.PUBLIC_URL = "https://desk.example.com"
    told = {finding.name: finding for finding in doctor.examine()}["unsubscribing"]
    assert told.state == "ok"
    assert "DKIM signature" in told.about
