"""The day's list in a real browser: with keys, with the clipboard, and on a telephone."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from pitches.models import Message, Sender, Stop
from tests.admin.test_browser import (
    PASSWORD,
    browser_context_args,  # noqa: F401  a fixture
    complaints,  # noqa: F401  a fixture
    log_in,
    shoot,
)
from tests.pitches.test_by_hand import approved, hands  # noqa: F401  a fixture


@pytest.fixture
def three_to_send(transactional_db, hands, ada):  # noqa: F811
    """Three approved connection requests in ada's list of today."""
    ada.set_password(PASSWORD)
    ada.save()
    Sender.objects.update(daily_limit=100)
    now = timezone.now()
    return [approved(hands, now, name=f"Finance Intern {n}") for n in range(3)]


@pytest.mark.req("S001-067", "S001-070")
def test_a_days_list_is_worked_with_the_hands_on_the_keys(
    page, live_server, three_to_send, complaints, tmp_path  # noqa: F811
):  # fmt: skip
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    log_in(page, live_server)
    page.click("text=By hand")
    expect(page.locator("article")).to_have_count(3)
    shoot(page, tmp_path, "by-hand")

    # copy the words of the second one, and say that they were sent
    page.keyboard.press("j")
    page.keyboard.press("j")
    row = page.locator("article.is-current")
    words = row.locator(".letter").text_content()
    page.keyboard.press("c")
    expect(row.get_by_text("Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == words
    page.keyboard.press("s")
    expect(page.get_by_text("and written down")).to_be_visible()
    expect(page.locator("article")).to_have_count(2)
    assert Message.objects.get(status="sent").body == words

    # leave one out, with a reason
    page.keyboard.press("x")
    page.locator("article").first.get_by_role("button", name="Already connected").click()
    shoot(page, tmp_path, "skip")
    page.keyboard.press("Enter")
    expect(page.get_by_text("The sequence goes on")).to_be_visible()
    expect(page.locator("article")).to_have_count(1)

    # a stop came in while the page was open: it is told, and nothing is recorded
    Stop.objects.create(
        scope=Stop.Scope.EVERYTHING,
        kind=Stop.Kind.STAFF,
        reason="wrong words",
        begins_at=timezone.now(),
    )
    complaints.clear()
    page.keyboard.press("s")
    expect(page.get_by_role("alert")).to_contain_text("wrong words")
    shoot(page, tmp_path, "held")
    # the browser reports the 409 that carries this page
    complaints[:] = [each for each in complaints if "409" not in each]
    assert Message.objects.filter(status="sent").count() == 1
    page.fill("[name=reason]", "at nine, before the stop")
    page.click("text=Write down that it was sent")
    expect(page.get_by_text("Written down as sent")).to_be_visible()
    expect(page.get_by_text("Nothing by hand today")).to_be_visible()
    assert Message.objects.filter(status="sent").count() == 2
