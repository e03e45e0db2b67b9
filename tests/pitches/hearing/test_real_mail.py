"""The recorded mail and answers, held to the goals that the benchmark prints."""

import pytest

from bench import _mail


@pytest.fixture(scope="module")
def figures(real_data):
    return _mail.inbound(real_data / "inbound_mail")


@pytest.mark.parametrize("kind", list(_mail.KINDS))
def test_recorded_mail_is_known_for_what_it_is(real_data, figures, kind):
    assert figures.share(f"kind {kind}") >= 0.95


def test_no_recorded_report_is_read_as_a_human_reply(real_data, figures):
    assert figures.read_as_human == []


def test_what_is_permanent_is_called_so(real_data, figures):
    assert figures.share("permanence") >= 0.95


def test_the_recipients_are_exact(real_data, figures):
    # Four labels hold what no address is, or what the server made of the one we wrote to.
    assert figures.asked["recipients"] - figures.right["recipients"] <= 4


def test_recorded_answers_lose_their_quotations(real_data):
    assert _mail.replies(real_data / "replies").share("strict") >= 0.9
