"""Two new people a day at one company's mail domain; and caps that a race cannot pass."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns.models import Campaign
from pitches import gate, outbox, situations
from pitches.limits import Limits
from pitches.models import EmailLimit, Message, Sender
from prospects.addresses import is_free_mail
from tests.clock import MONDAY

HOUR = timedelta(hours=1)


def row(maximum, **fields):
    return EmailLimit(scope="domain", maximum=maximum, counts="initial", hours=24, **fields)


def held(limits, domain, *, is_shared=False, by_default=True):
    rules = limits.of_domain(domain, is_shared=is_shared, by_default=by_default)
    return [(rule.maximum, rule.counts, rule.hours) for rule in rules]


def test_a_domain_gets_two_new_people_a_day_and_free_mail_as_many_as_there_are():
    limits = Limits([])
    assert held(limits, "example.com") == [(2, "initial", 24)]
    assert held(limits, "gmail.com", is_shared=True) == []
    assert held(limits, "example.com", by_default=False) == []


def test_a_row_holds_for_placements_too_and_one_that_names_free_mail_holds_there():
    limits = Limits([row(5), row(9, domain="gmail.com")])
    assert held(limits, "example.com", by_default=False) == [(5, "initial", 24)]
    assert held(limits, "gmail.com", is_shared=True) == [(9, "initial", 24)]
    assert held(limits, "web.de", is_shared=True) == []


def test_free_mail_is_known_from_the_list_and_from_the_setting(settings):
    for domain in ("gmail.com", "googlemail.com", "outlook.com", "web.de", "GMX.net"):
        assert is_free_mail(domain), domain
    assert not is_free_mail("example.com")
    assert not is_free_mail("")
    settings.FREEMAIL_DOMAINS = ["freemail.example.com"]
    assert is_free_mail("freemail.example.com")


def test_a_ledger_is_read_no_further_back_than_the_limits_of_its_scope_reach():
    limits = Limits([row(5), EmailLimit(scope="all", maximum=9, counts="all", hours=48)])
    hours = {s: limits.reaching(s) / HOUR for s in EmailLimit.Scope.values}
    built_in = {"organization": 168, "contact": 720, "domain": 24}
    assert hours == {**built_in, "sender": 0, "campaign": 0, "all": 48}


def people_at(desk, domain, number):
    """So many people of as many organizations, with mailboxes at one domain."""
    for n in range(number):
        lead = desk.lead()
        desk.match(lead)
        address = lead.contacts.get().addresses.get(kind="email")
        address.value = address.canonical = f"person{n}@{domain}"
        address.save()
    desk.run()
    desk.approve_all()
    return outbox.plan(outbox.first_messages(None), now=MONDAY, until=MONDAY + HOUR)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("preset", "domain", "sent"),
    [
        ("podcast", "example.com", 2),
        ("podcast", "gmail.com", 4),
        ("podcast", "freemail.example.com", 4),
        ("placement", "example.com", 4),
    ],
)
def test_planner_and_gate_let_two_new_people_of_a_company_through(
    desk, settings, preset, domain, sent
):
    settings.FREEMAIL_DOMAINS = ["freemail.example.com"]
    Campaign.objects.update(preset=preset)
    decisions = people_at(desk, domain, 4)
    assert [d.verdict for d in decisions].count("send") == sent
    late = [d for d in decisions if d.verdict == "hold"]
    assert {d.reason for d in late} <= {"domain_limit"}
    # the gate, asked about all four, says the same
    Message.objects.filter(number=0).update(status="queued", send_at=MONDAY)
    assert desk.run(MONDAY).sending.sent == sent
    assert Message.objects.filter(hold_reason="domain_limit").count() == 4 - sent


@pytest.mark.django_db
@pytest.mark.parametrize("counts", ["initial", "all"])
@pytest.mark.parametrize(
    "scope", ["organization", "contact", "sender", "domain", "campaign", "all"]
)
@pytest.mark.req("REL-13")
def test_both_ways_of_counting_hold_in_every_scope(desk, scope, counts):
    """One a week: a first message takes the slot; a follow-up is held where all mail counts."""
    Campaign.objects.update(preset="product")
    pitch = desk.sent_pitch()
    for default in ("organization", "contact", "domain"):
        EmailLimit.objects.create(scope=default, maximum=99, counts="all")
    EmailLimit.objects.filter(scope=scope).delete()
    EmailLimit.objects.create(scope=scope, maximum=1, counts=counts, hours=168)
    follow_up = pitch.messages.get(number=1)
    (planned,) = outbox.plan(
        list(situations.readable(Message.objects.filter(pk=follow_up.pk))),
        now=MONDAY + 48 * HOUR,
        until=MONDAY + 49 * HOUR,
    )
    reasons = {"all": "total_limit"}
    expected = reasons.get(scope, f"{scope}_limit") if counts == "all" else "due_after_inbox"
    assert planned.reason == expected


@pytest.mark.django_db
def test_a_domains_mail_is_found_over_its_index_in_a_constant_number_of_queries(desk):
    Campaign.objects.update(preset="podcast")
    people_at(desk, "example.com", 3)
    rows = list(situations.readable(Message.objects.filter(number=0)))
    counts = []
    for some in (rows[:1], rows):
        with CaptureQueriesContext(connection) as asked:
            situations.survey([situations.target_of(m) for m in some], now=MONDAY)
        counts.append(len(asked))
    assert counts[0] == counts[1]
    (sql,) = [q["sql"] for q in asked if "split_part" in q["sql"]]
    (expression,) = set(re.findall(r'split_part\("prospects_contactaddress"[^)]*\)', sql))
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            f"EXPLAIN SELECT 1 FROM prospects_contactaddress WHERE {expression} = 'example.com'"
        )
        assert "address_by_mail_domain" in str(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
@pytest.mark.req("REL-13", "F-2")
@pytest.mark.parametrize("scope", ["sender", "campaign", "all", "domain", "organization"])
def test_eight_at_once_never_pass_a_cap_of_three(desk, scope):
    """Eight threads stand at the gate with a message each; three slots are free."""
    Campaign.objects.update(preset="podcast")
    Sender.objects.update(daily_limit=1000)
    for default in ("organization", "domain", "contact"):
        EmailLimit.objects.create(scope=default, maximum=99)
    EmailLimit.objects.filter(scope=scope).delete()
    EmailLimit.objects.create(scope=scope, maximum=3, counts="all", hours=24)
    lead = desk.lead()
    for n in range(8):
        desk.match(lead if scope == "organization" and not n else desk.lead())
    desk.run()
    desk.approve_all()
    rows = list(
        Message.objects.filter(number=0).select_related("pitch__lead", "pitch__address")
    )
    if scope == "organization":
        organization = lead.organization
        for message in rows:
            type(lead).objects.filter(pk=message.pitch.lead_id).update(
                organization=organization
            )
    for message in rows:
        Message.objects.filter(pk=message.pk).update(
            status="claimed",
            lease_owner="12345678-1234-5678-1234-567812345678",
            leased_until="2100-01-01T00:00Z",
        )
    start, passed, faults = threading.Barrier(len(rows)), [], []

    def knock(pk):
        message = situations.readable(Message.objects.filter(pk=pk)).get()
        try:
            start.wait(20)
            gate.pass_through(message, now=MONDAY)
            passed.append(pk)
        except gate.Held as held:
            if "limit" not in held.reason:
                faults.append(str(held))
        finally:
            connection.close()

    threads = [threading.Thread(target=knock, args=[message.pk]) for message in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(rows), faults) == (8, [])
    assert len(passed) == 3
    assert Message.objects.filter(status="handing").count() == 3
