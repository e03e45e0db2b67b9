"""How long a text may be, channel by channel."""

import pytest

from campaigns import channels
from campaigns.models import Channel


def codes(channel, subject, body):
    return [problem["code"] for problem in channels.problems(channel, subject, body)]


@pytest.mark.req("S001-028", "S001-029", "S001-031")
@pytest.mark.parametrize(
    ("channel", "most"),
    [
        (Channel.LINKEDIN_NOTE, 300),
        (Channel.LINKEDIN_MESSAGE, 500),
        (Channel.LINKEDIN_INMAIL, 1500),
        (Channel.SMS, 160),
    ],
)
def test_a_text_at_its_limit_passes_and_one_character_more_does_not(channel, most):
    assert codes(channel, "", "a" * most) == []
    assert codes(channel, "", "a" * (most + 1)) == ["too_long"]


@pytest.mark.req("S001-027", "S001-031")
def test_a_mail_may_be_long_but_its_subject_may_not():
    assert codes(Channel.EMAIL, "s" * 200, "a" * 20_000) == []
    assert codes(Channel.EMAIL, "s" * 201, "a") == ["too_long"]


@pytest.mark.req("S001-030")
def test_by_hand_everything_goes():
    assert codes(Channel.CUSTOM, "s" * 1000, "a" * 100_000) == []


@pytest.mark.req("S001-028")
def test_linkedin_and_sms_have_no_subject_but_inmail_and_mail_need_one():
    without = [channel for channel in Channel if not channels.has_subject(channel)]
    assert without == [Channel.LINKEDIN_NOTE, Channel.LINKEDIN_MESSAGE, Channel.SMS]
    needing = [channel for channel in Channel if channels.needs_subject(channel)]
    assert needing == [Channel.EMAIL, Channel.LINKEDIN_INMAIL]


@pytest.mark.req("S001-029")
def test_characters_of_the_extension_table_count_twice():
    assert channels.sms_length("€" * 80) == 160
    assert codes(Channel.SMS, "", "€" * 81) == ["too_long"]


@pytest.mark.req("S001-029")
def test_an_unusual_character_in_a_text_message_is_a_warning_that_names_it_and_counts_parts():
    found = channels.problems(Channel.SMS, "", "Grüße 😀" + "a" * 70)
    assert [problem["code"] for problem in found] == ["sms_unicode"]
    assert "😀" in found[0]["detail"]
    assert "ü" not in found[0]["detail"]
    assert "takes 2" in found[0]["detail"]
    assert {problem["code"] for problem in found} <= channels.WARNINGS


@pytest.mark.req("S001-029", "S001-031")
def test_too_long_says_how_long_and_how_long_it_may_be():
    [problem] = channels.problems(Channel.SMS, "", "word " * 40)
    assert "200" in problem["detail"]
    assert "160" in problem["detail"]
