"""The demo comes whole, twice makes no difference, and goes without a trace."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from campaigns import presets
from campaigns.models import Candidate, Client
from config import logins
from config.management import demo
from pitches import pitching, writing
from pitches.models import FollowUpTask, IncomingMessage, Match, Message, Pitch, ReviewTask
from prospects import suppressions
from prospects.models import ContactAddress
from tests.factories import (
    CampaignFactory,
    ClientFactory,
    FactFactory,
    MatchFactory,
    MembershipFactory,
    MessageFactory,
    PitchFactory,
    SenderCampaignFactory,
    SuppressionFactory,
    UserFactory,
    VariantFactory,
    reachable_lead,
)

SATURDAY = datetime(2026, 6, 6, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def digests():
    """The rows of every table, as one hash each."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(
                f'SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM "{table}" t'
            )
            found[table] = cursor.fetchone()[0]
    return found


def telling():
    """What a visitor sees of the demo, without the clock of the database."""
    matches = Match.objects.filter(campaign__is_demo=True)
    messages = Message.objects.filter(pitch__campaign__is_demo=True).order_by("message_id")
    return (
        list(
            matches.order_by("lead__name", "candidate__name").values_list(
                "lead__name", "candidate__name", "score", "status", "urgent"
            )
        ),
        list(messages.values_list("message_id", "status", "subject", "body", "send_at")),
        list(
            IncomingMessage.objects.order_by("reply_text").values_list("intent", "reply_text")
        ),
    )


def real_rows():
    """Something of everything, beside the demo and like it."""
    lead = reachable_lead(organization__name="Sunfield Energy")
    pitch = PitchFactory(lead=lead)
    match = MatchFactory(pitch=pitch)
    FactFactory(lead=lead)
    VariantFactory(message=MessageFactory(pitch=pitch, status="sent"))
    ReviewTask.objects.create(kind="message", pitch=pitch, campaign=pitch.campaign)
    MatchFactory(campaign=match.campaign, candidate=match.candidate)
    SenderCampaignFactory(campaign=match.campaign, is_default=True)
    MembershipFactory(client=match.campaign.client)
    SuppressionFactory()
    logins.restrict_to_loopback(UserFactory(username="zoe"))
    suppressions.add(
        "email", "real@example.com", reason="unsubscribed", source="demo", now=SATURDAY
    )


@pytest.mark.django_db
@pytest.mark.req("S002-057")
def test_the_demo_shows_every_stage_of_the_work():
    loaded = demo.load(now=SATURDAY)
    assert Client.objects.filter(is_demo=True).count() == 3
    assert loaded.sent >= 6
    assert loaded.replies == 2
    assert set(Match.objects.values_list("status", flat=True)) >= {
        "to_review", "approved", "pitched", "declined",
    }  # fmt: skip
    for kind in ("match", "message"):
        assert ReviewTask.objects.filter(kind=kind, status="open").exists()
    assert Pitch.objects.filter(status="replied", outcome="interested").exists()
    assert FollowUpTask.objects.filter(FollowUpTask.is_open(), due_at__lt=SATURDAY).exists()
    assert Pitch.objects.filter(urgent=True).exists()
    several = [pitch for pitch in Pitch.objects.all() if pitch.matches.count() > 1]
    assert several


@pytest.mark.django_db
def test_the_demo_shows_what_keeps_a_pitch_back_and_what_keeps_a_text_back():
    demo.load(now=SATURDAY)
    campaign = Client.objects.get(slug="tagus-career-bridge").campaigns.get()
    reasons = {
        str(decision.reason) for decision in pitching.plan(campaign=campaign, now=SATURDAY)
    }
    assert {"no_company_contacts", "suppressed"} <= reasons
    drafts = Message.objects.filter(status="draft").prefetch_related("variants")
    blocked = {
        problem["code"]
        for message in drafts
        for variant in message.variants.all()
        for problem in writing.of_variant(variant)
    }
    assert blocked == {"placeholder"}
    neutral = Message.objects.filter(pitch__lead__name="Design Intern", number=0).get()
    assert neutral.variants.first().body.startswith("Hello,\n")


@pytest.mark.django_db
def test_it_comes_once_goes_without_a_trace_and_comes_back_the_same(state_dir, settings):
    presets.install()
    real_rows()
    before = digests()
    assert demo.load(now=SATURDAY).new
    loaded, told = digests(), telling()
    assert not demo.load(now=SATURDAY).new
    assert digests() == loaded
    demo.clear()
    assert digests() == before
    assert [path for path in (state_dir / "capture").rglob("*") if path.is_file()] == []
    settings.JOURNAL_DIR = state_dir / "another journal"
    demo.load(now=SATURDAY)
    assert telling() == told


@pytest.mark.django_db
def test_a_demo_that_comes_back_later_sends_again():
    first = demo.load(now=SATURDAY)
    demo.clear()
    assert demo.load(now=SATURDAY + timedelta(minutes=1)).sent == first.sent > 0


@pytest.mark.django_db
def test_the_demo_logs_in_on_this_machine_only(rf):
    demo.load(now=SATURDAY)
    here, away = rf.get("/"), rf.get("/", REMOTE_ADDR="192.0.2.7")
    for login in demo.known_logins():
        user = User.objects.get(username=login.username)
        assert user.check_password(login.password)
        assert not user.is_superuser
        assert logins.may_log_in(user, here)
        assert not logins.may_log_in(user, away)


@pytest.mark.django_db
def test_the_command_prints_the_logins():
    out = StringIO()
    call_command("load_demo", now=SATURDAY.isoformat(), stdout=out)
    for login in demo.known_logins():
        assert f"{login.username} " in out.getvalue()
    assert demo.story()["password"] in out.getvalue()
    call_command("clear_demo", stdout=out)
    assert "The demo is gone" in out.getvalue()
    assert not User.objects.exists()
    call_command("clear_demo", stdout=out)
    assert "There is no demo" in out.getvalue()


@pytest.mark.django_db
def test_who_has_no_pages_yet_is_told_so():
    out = StringIO()
    call_command("load_demo", now=SATURDAY.isoformat(), stdout=out)
    for user in demo.story()["users"]:
        line = next(
            s for s in out.getvalue().splitlines() if s.startswith(f"  {user['username']} ")
        )
        assert line.endswith("; no pages yet, API only)") is not user.get("is_staff", False)


@pytest.mark.django_db
def test_a_second_time_says_that_the_demo_is_here():
    demo.load(now=SATURDAY)
    ClientFactory()
    out = StringIO()
    call_command("load_demo", stdout=out)
    assert out.getvalue().startswith("The demo is here already.\n")
    assert "ada " in out.getvalue()


@pytest.mark.django_db
@pytest.mark.parametrize("make", [ClientFactory, reachable_lead])
def test_beside_real_rows_it_comes_only_when_asked(make):
    make()
    with pytest.raises(CommandError, match="--beside-real-rows"):
        call_command("load_demo", now=SATURDAY.isoformat())
    call_command("load_demo", if_new=True, now=SATURDAY.isoformat())
    assert not demo.is_loaded()
    call_command("load_demo", beside_real_rows=True, now=SATURDAY.isoformat())
    assert demo.is_loaded()


@pytest.mark.django_db
def test_if_new_leaves_a_desk_with_a_client_alone():
    ClientFactory()
    call_command("load_demo", if_new=True)
    assert not demo.is_loaded()


@pytest.mark.django_db
def test_outside_of_capture_there_is_no_demo(settings):
    settings.SEND_MODE = "live"
    with pytest.raises(CommandError, match="SEND_MODE=capture"):
        call_command("load_demo")
    out = StringIO()
    call_command("load_demo", if_new=True, stdout=out)
    assert "No demo" in out.getvalue()


@pytest.mark.django_db
def test_a_person_who_has_a_name_of_the_demo_keeps_it():
    ada = UserFactory(username="ada")
    with pytest.raises(CommandError, match="a user ada already"):
        call_command("load_demo")
    assert list(User.objects.all()) == [ada]
    demo.clear()
    assert list(User.objects.all()) == [ada]


@pytest.mark.django_db
def test_what_something_real_hangs_on_is_not_torn_away():
    client = ClientFactory(is_demo=True)
    CampaignFactory(client=client, name="Ours")
    before = digests()
    with pytest.raises(CommandError, match=r"Ours.*nothing was removed"):
        call_command("clear_demo")
    assert digests() == before


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text", ["yesterday", "2026-06-01", "2026-06-01T09:00:00", "2026-13-01T00:00Z"]
)
def test_a_moment_that_is_none_is_refused(text):
    with pytest.raises(CommandError, match="--now"):
        call_command("load_demo", now=text)


@pytest.mark.django_db
def test_everybody_in_the_demo_lives_at_example_com():
    demo.load(now=SATURDAY)
    people = [
        *ContactAddress.objects.values_list("value", flat=True),
        *Message.objects.values_list("to_address", flat=True),
        *User.objects.values_list("email", flat=True),
        *Client.objects.values_list("email", flat=True),
    ]
    assert all(address.endswith((".example.com", "@example.com")) for address in people)
    for candidate in Candidate.objects.prefetch_related("facts"):
        said = f"{candidate.bio} {candidate.headline}"
        assert all(fact.value in said for fact in candidate.facts.all())
