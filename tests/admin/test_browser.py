"""A walk through the desk as a person takes it, in a real browser."""

from datetime import UTC, datetime, time, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import expect

from campaigns import presets
from pitches.models import Message, Pitch, SenderCampaign
from tests import factories

BERLIN = ZoneInfo("Europe/Berlin")
PASSWORD = "harbour-lights-27"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def browser_context_args(browser_context_args):
    return browser_context_args | {
        "timezone_id": BERLIN.key,
        "viewport": {"width": 1360, "height": 900},
    }


@pytest.fixture
def complaints(page, live_server):
    """What a page should never do: fail in a script, break the policy, or ask another host."""
    found = []
    ours = urlsplit(live_server.url).netloc
    page.on("console", lambda m: m.type == "error" and found.append(m.text))
    page.on("pageerror", lambda error: found.append(str(error)))

    def requested(request):
        host = urlsplit(request.url).netloc
        if host not in ("", ours):
            found.append(f"asked {host}")

    page.on("request", requested)
    yield found
    assert not found


@pytest.fixture
def small_desk(transactional_db):
    """One match to decide, with all that is needed to write to its lead."""
    presets.install()
    user = User.objects.create_superuser("ada", "ada@example.com", PASSWORD)
    sender = factories.SenderFactory(user=user, name="Sam Sender", gap_min=0, gap_max=0)
    campaign = factories.CampaignFactory(
        name="Interns for spring", sequence=presets.sequence("placement"), client__name="Tagus"
    )
    SenderCampaign.objects.create(sender=sender, campaign=campaign, is_default=True)
    lead = factories.reachable_lead(name="Finance Intern", organization__name="Banco Example")
    candidate = factories.CandidateFactory(
        client=campaign.client,
        name="Ines Ito",
        responsible=user,
        starts_on=timezone.now().date() + timedelta(days=300),
    )
    campaign.candidates.add(candidate)
    return factories.ReviewTaskFactory(
        of_match=True,
        match__campaign=campaign,
        match__candidate=candidate,
        match__lead=lead,
        match__score="61.50",
        match__parts={"industry_1": "40.00", "skills": "21.50"},
    )


def next_working_hour():
    """Ten o'clock UTC on the next weekday, as the viewer types it."""
    day = timezone.now().date() + timedelta(days=1)
    while day.isoweekday() > 5:
        day += timedelta(days=1)
    moment = datetime.combine(day, time(10), UTC)
    return f"{moment.astimezone(BERLIN):%Y-%m-%dT%H:%M}"


def shoot(page, folder, name):
    """A picture of the page as it is, in the dark, and on a telephone; none may overflow."""
    page.screenshot(path=folder / f"{name}.png")
    dark = "document.documentElement.classList.{}('dark')"
    page.evaluate(dark.format("add"))
    page.screenshot(path=folder / f"{name}-dark.png")
    page.evaluate(dark.format("remove"))
    wide = page.viewport_size
    page.set_viewport_size(PHONE)
    page.screenshot(path=folder / f"{name}-phone.png")
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(wide)
    assert width <= PHONE["width"], f"{name} is {width} px wide on a telephone"


def log_in(page, live_server):
    page.goto(f"{live_server.url}/admin/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    expect(page.get_by_text("nothing leaves this machine")).to_be_visible()


@pytest.mark.req("S000-003", "S000-008")
def test_from_a_match_to_the_answer(page, live_server, small_desk, complaints, tmp_path):
    at = next_working_hour()
    log_in(page, live_server)
    shoot(page, tmp_path, "today")

    # decide the match, with one key
    page.click("text=matches to decide")
    shoot(page, tmp_path, "queue")
    page.click("text=Ines Ito → Finance Intern")
    expect(page.get_by_text("61.50").first).to_be_visible()
    shoot(page, tmp_path, "match")
    page.keyboard.press("a")
    expect(page.get_by_text("That was the last one")).to_be_visible()

    # make the draft
    page.goto(f"{live_server.url}/admin/pitches/pitch/plan/?at={at}")
    expect(page.locator("#drafts")).to_contain_text("Ines Ito")
    page.click("text=Apply: draft 1")
    expect(page.get_by_role("status")).to_contain_text("1 drafted")

    # read it, edit it, approve it
    page.click("text=Read the drafts")
    page.click("text=Finance Intern")
    page.keyboard.press("2")
    chosen = page.locator("input[data-leads]:checked").get_attribute("data-subject")
    heads = page.locator("[data-subject-of]").all_text_contents()
    assert heads[:2] == [chosen, f"Re: {chosen}"]
    shoot(page, tmp_path, "pitch")
    page.locator(".variant:has(input:checked) >> text=Edit").first.click()
    edited = page.locator(".variant:has(input:checked) textarea").first
    edited.fill("Dear Paula,\n\nmay I introduce Ines?")
    page.locator(".variant:has(input:checked) >> text=Save").first.click()
    expect(page.get_by_text("edited", exact=True)).to_be_visible()
    expect(page.locator(".variant:has(input:checked)").first).to_contain_text("introduce Ines?")
    page.keyboard.press("?")
    expect(page.locator("dialog.keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    expect(page.get_by_text("That was the last one")).to_be_visible()

    # see what would go out, and let it
    page.goto(f"{live_server.url}/admin/pitches/pitch/plan/?at={at}")
    expect(page.locator("#going")).to_contain_text("Finance Intern")
    shoot(page, tmp_path, "plan")
    page.click("text=Apply: queue 1")
    expect(page.get_by_role("status")).to_contain_text("1 sent")
    shoot(page, tmp_path, "applied")

    # answer in the recipient's place
    page.click("text=See the captured mail")
    shoot(page, tmp_path, "captured")
    page.click("tr[data-row] a[data-open]")
    expect(page.locator(".letter")).to_contain_text("may I introduce Ines?")
    shoot(page, tmp_path, "letter")
    page.fill("#text", "Yes, sounds good. Let us talk on Thursday.")
    page.click("text=Send the answer")

    # and see what follows
    timeline = page.locator(".timeline")
    expect(timeline).to_contain_text("Let us talk on Thursday")
    expect(timeline).to_contain_text("Canceled: follow up 1")
    shoot(page, tmp_path, "story")
    pitch = Pitch.objects.get()
    assert pitch.status == "replied"
    assert pitch.messages.exclude(status="canceled").count() == 1
    first = Message.objects.get(number=0)
    assert first.body.startswith("Dear Paula,\n\nmay I introduce Ines?")


def test_the_hands_stay_on_the_keys(page, live_server, small_desk, complaints):
    second = factories.ReviewTaskFactory(
        of_match=True,
        match__campaign=small_desk.campaign,
        match__candidate__name="Second One",
        match__lead__name="Audit Intern",
    )
    log_in(page, live_server)
    page.goto(f"{live_server.url}/admin/pitches/reviewtask/{small_desk.pk}/change/")
    page.keyboard.press("j")
    expect(page.get_by_text("Second One").first).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_text("Ines Ito").first).to_be_visible()
    page.keyboard.press("r")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.type("a reason with keys: a r j k")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Rejected:")).to_be_visible()
    expect(page.get_by_text("Second One").first).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("That was the last one")).to_be_visible()
    small_desk.refresh_from_db()
    second.refresh_from_db()
    assert (small_desk.decision, small_desk.reason) == (
        "rejected",
        "a reason with keys: a r j k",
    )
    assert second.decision == "approved"
    assert second.seconds_taken is not None
