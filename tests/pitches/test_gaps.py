"""Steps of one pitch keep the distance they were planned with, whatever made one late."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from campaigns.models import Campaign
from pitches import outreach, reaping
from pitches.models import FollowUpTask, Message, Pitch
from tests.clock import MONDAY
from tests.factories import MessageFactory

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
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
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


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_a_step_that_will_never_leave_does_not_hold_up_the_others(desk, status):
    pitch = desk.sent_pitch()
    pitch.messages.filter(number=1).update(status=status)
    reaping.reap(now=MONDAY + 49 * HOUR)
    (task,) = pitch.follow_up_tasks.filter(canceled_at__isnull=False)
    assert (task.step.number, task.reason) == (1, "its message failed or expired")
    desk.follow_up(MONDAY + 96 * HOUR)
    assert pitch.messages.get(number=2).status == Message.Status.SENT


def test_a_pitch_whose_last_step_will_never_leave_is_over(desk):
    pitch = desk.sent_pitch()
    pitch.follow_up_tasks.exclude(step__number=3).update(done_at=MONDAY)
    pitch.messages.filter(number=3).update(status="failed")
    reaping.reap(now=MONDAY + 150 * HOUR)
    pitch.refresh_from_db()
    assert (pitch.status, pitch.outcome) == ("completed", "no_response")


def test_a_step_that_was_written_anew_is_waited_for(desk):
    pitch = desk.sent_pitch()
    old = pitch.messages.get(number=1)
    Message.objects.filter(pk=old.pk).update(status="canceled")
    MessageFactory(pitch=pitch, number=1, step=old.step)
    reaping.reap(now=MONDAY + 49 * HOUR)
    assert pitch.follow_up_tasks.filter(canceled_at__isnull=False).count() == 0
