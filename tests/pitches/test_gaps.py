"""Steps of one pitch keep the distance they were planned with, whatever made one late."""

from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Campaign
from pitches import outreach
from pitches.models import FollowUpTask, Message, Pitch

pytestmark = pytest.mark.django_db
THURSDAY = datetime(2026, 6, 4, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def weekdays(desk):
    """A desk that writes from Monday to Friday, nine to five."""
    Campaign.objects.filter(pk=desk.campaign.pk).update(window_days=[1, 2, 3, 4, 5])
    desk.campaign.refresh_from_db()
    return desk


def sent(pitch):
    rows = pitch.messages.filter(status=Message.Status.SENT).order_by("number")
    return [message.sent_at for message in rows]


def walk(desk, pitch, *, hours):
    """Let the runs happen every three hours."""
    for step in range(0, hours, 3):
        desk.follow_up(THURSDAY + step * HOUR)
    return sent(pitch)


@pytest.mark.req("S003-033", "S003-034", "REL-24", "F-15")
def test_a_follow_up_that_the_weekend_held_back_pushes_the_later_ones(weekdays):
    """48 h after Thursday is Saturday: it leaves on Monday, and the next 48 h after that."""
    pitch = weekdays.sent_pitch(THURSDAY)
    times = walk(weekdays, pitch, hours=24 * 9)
    gaps = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert len(times) == 4
    assert min(gaps) >= 48 * HOUR


@pytest.mark.req("S003-035")
def test_moving_on_leaves_the_last_follow_up_its_time(weekdays):
    pitch = weekdays.sent_pitch(THURSDAY)
    last = walk(weekdays, pitch, hours=24 * 9)[-1]
    weekdays.follow_up(last + 47 * HOUR)
    assert Pitch.objects.get(pk=pitch.pk).status == Pitch.Status.ACTIVE
    weekdays.follow_up(last + 48 * HOUR)
    assert Pitch.objects.get(pk=pitch.pk).status == Pitch.Status.MOVED


@pytest.mark.req("S003-049")
def test_a_plan_never_puts_two_steps_of_one_pitch_side_by_side(weekdays):
    """Both are overdue; the second is held, and the plan says until when."""
    pitch = weekdays.sent_pitch(THURSDAY)
    monday = datetime(2026, 6, 8, 11, tzinfo=UTC)
    assert FollowUpTask.objects.filter(pitch=pitch, due_at__lte=monday).count() == 2
    first, second = outreach.plan_follow_ups(now=monday).decisions[:2]
    assert (first.verdict, first.send_at) == ("send", monday)
    assert (second.verdict, second.reason) == ("hold", "not_due")
    assert second.not_before == monday + 48 * HOUR
