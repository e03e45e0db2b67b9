"""Whether a domain vouches for its mail: fourteen set-ups that do not, each by its name."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from pitches import deliverability, jobs, limits
from pitches.deliverability import BAD, GOOD, UNKNOWN
from pitches.models import Sender
from tests.clock import MONDAY
from tests.factories import SenderFactory
from tests.pitches.names import SILENT, Zone, dkim_key

KEY = dkim_key()
SPF, DMARC = ("example.com", "TXT"), ("_dmarc.example.com", "TXT")
DKIM, MX = ("s1._domainkey.example.com", "TXT"), ("example.com", "MX")
A, PTR = ("mail.example.com", "A"), ("10.2.0.192.in-addr.arpa", "PTR")
GOOD_ZONE = {
    SPF: ["some-token=1", "v=spf1 ip4:192.0.2.0/24 include:_spf.example.net ~all"],
    ("_spf.example.net", "TXT"): ["v=spf1 a mx ip6:2001:db8::/32 -all"],
    DMARC: ["v=DMARC1; p=none; rua=mailto:dmarc@example.com"],
    DKIM: [KEY],
    MX: ["10 mail.example.com."],
    A: ["192.0.2.10"],
    PTR: ["mail.example.com."],
}


def sender(**fields) -> Sender:
    wanted = {
        "address": "sam@example.com",
        "smtp_host": "mail.example.com",
        "dkim_selector": "s1",
    }
    return Sender(**wanted | fields)


def found(zone, **fields):
    report = deliverability.look(sender(**fields), resolver=Zone(zone))
    return {each.name: each for each in report.findings}


def test_a_domain_in_order_is_good_in_all_six():
    told = found(GOOD_ZONE)
    assert {name: each.state for name, each in told.items()} == dict.fromkeys(
        ["SPF", "DKIM", "DMARC", "MX", "TLS", "PTR"], GOOD
    )
    assert "3 of 10 look-ups" in told["SPF"].sentence
    assert "2048 bits" in told["DKIM"].sentence


ELEVEN = " ".join(f"a:h{n}.example.net" for n in range(11))
NESTED = {
    SPF: ["v=spf1 include:a.example.net include:b.example.net -all"],
    ("a.example.net", "TXT"): [
        f"v=spf1 {' '.join(f'a:h{n}.example.net' for n in range(5))} -all"
    ],
    ("b.example.net", "TXT"): [
        f"v=spf1 {' '.join(f'mx:h{n}.example.net' for n in range(4))} -all"
    ],
}
BROKEN = {
    "no SPF": ({SPF: ["some-token=1"]}, "SPF", "spf_missing", "has no SPF"),
    "two SPF records": (
        {SPF: ["v=spf1 -all", "v=spf1 mx -all"]}, "SPF", "spf_twice", "2 SPF records"),
    "open to everybody": ({SPF: ["v=spf1 mx +all"]}, "SPF", "spf_open", "everybody"),
    "more than ten look-ups": ({SPF: [f"v=spf1 {ELEVEN} -all"]}, "SPF", "spf_lookups", "10"),
    "SPF syntax": ({SPF: ["v=spf1 ipv4:192.0.2.1 -all"]}, "SPF", "spf_syntax", "ipv4:"),
    "no DMARC": ({DMARC: None}, "DMARC", "dmarc_missing", "p=none"),
    "two DMARC records": (
        {DMARC: ["v=DMARC1; p=none", "v=DMARC1; p=reject"]}, "DMARC", "dmarc_twice", "2 DMARC"),
    "DMARC without a policy": (
        {DMARC: ["v=DMARC1; p=monitor"]}, "DMARC", "dmarc_policy", "quarantine"),
    "no DKIM key": ({DKIM: None}, "DKIM", "dkim_missing", "s1._domainkey.example.com"),
    "revoked DKIM key": ({DKIM: ["v=DKIM1; p="]}, "DKIM", "dkim_revoked", "revoked"),
    "short DKIM key": ({DKIM: "short"}, "DKIM", "dkim_short", "1024"),
    "DNS gives no answer": ({DMARC: SILENT}, "DMARC", "not_asked", "Could not be asked"),
    "nobody takes answers": ({MX: ["0 ."]}, "MX", "mx_null", "takes no mail"),
    "PTR leads elsewhere": (
        {PTR: ["host7.example.net."]}, "PTR", "ptr_mismatch", "host7.example.net"),
}  # fmt: skip


@pytest.mark.req("LAW-5")
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_set_up_is_named_and_nothing_else_is(case):
    changed, name, code, words = BROKEN[case]
    if changed.get(DKIM) == "short":
        changed = {DKIM: [SHORT_KEY]}
    told = found(GOOD_ZONE | changed)
    assert told[name].code == code
    assert words in told[name].sentence
    assert told[name].state == (UNKNOWN if code == "not_asked" else BAD)
    assert [each.name for each in told.values() if each.state != GOOD] == [name]


# 512 bits, which no library makes any more
SHORT_KEY = (
    "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAOnFtCNbBrDXbu04uaYRLdvU9DlVqgx4qOv/No"
    "1y0HoG+qdN874T3Xb6rzL+BFqju34ObNS7O5n4MjM4fRwXM68CAwEAAQ=="
)
assert len(BROKEN) == 14


@pytest.mark.parametrize(
    ("changed", "name", "code"),
    [
        (NESTED, "SPF", "spf_lookups"),
        ({SPF: ["v=spf1 include:nowhere.example.net -all"]}, "SPF", "spf_syntax"),
        ({SPF: ["v=spf1 include:example.com -all"]}, "SPF", "spf_syntax"),
        ({SPF: ["v=spf1 include: -all"]}, "SPF", "spf_syntax"),
        ({SPF: ["v=spf1 ip4:2001:db8::1 -all"]}, "SPF", "spf_syntax"),
        ({SPF: ["v=spf1 all"]}, "SPF", "spf_open"),
        ({DMARC: ["v=DMARC1"]}, "DMARC", "dmarc_policy"),
        ({DKIM: ["v=DKIM1; p=%%%"]}, "DKIM", "dkim_broken"),
        ({MX: None}, "MX", "mx_missing"),
        ({PTR: None}, "PTR", "ptr_missing"),
        ({A: None}, "PTR", "ptr_missing"),
    ],
)
def test_other_faults_have_names_too(changed, name, code):
    assert found(GOOD_ZONE | changed)[name].code == code


def test_eleven_look_ups_in_included_records_count_ten_do_not():
    told = found(GOOD_ZONE | NESTED)
    assert told["SPF"].code == "spf_lookups"
    nine = f"v=spf1 {' '.join(f'mx:h{n}.example.net' for n in range(3))} -all"
    assert found(GOOD_ZONE | NESTED | {("b.example.net", "TXT"): [nine]})["SPF"].state == GOOD


def test_the_usual_selectors_are_tried_where_none_is_set():
    zone = GOOD_ZONE | {DKIM: None, ("google._domainkey.example.com", "TXT"): [KEY]}
    assert found(zone, dkim_selector="")["DKIM"].sentence.endswith("selector google.")
    assert found(zone)["DKIM"].code == "dkim_missing"


def test_a_policy_of_the_domain_above_holds_for_the_one_below():
    zone = {DMARC: ["v=DMARC1; p=reject"]}
    told = found(zone, address="sam@news.example.com")
    assert told["DMARC"].sentence == "p=reject at _dmarc.example.com."
    assert ("_dmarc.com", "TXT") not in Zone(zone).asked


def test_one_silent_server_costs_one_wait_for_each_part():
    zone = Zone({(f"{name}._domainkey.example.com", "TXT"): SILENT
                 for name in deliverability.SELECTORS})  # fmt: skip
    deliverability.look(sender(dkim_selector=""), resolver=zone)
    assert len([name for name, _ in zone.asked if "_domainkey" in name]) == 1


def test_a_server_of_somebody_else_is_not_asked_for_its_name():
    assert "PTR" not in found(GOOD_ZONE, smtp_host="smtp.example.net")


def test_mail_in_clear_is_wrong_beyond_this_machine():
    assert found(GOOD_ZONE, smtp_security="none")["TLS"].code == "tls_missing"
    assert found(GOOD_ZONE, smtp_security="none", smtp_host="127.0.0.1")["TLS"].state == GOOD


@pytest.mark.req("LAW-5")
def test_live_mail_is_a_hundred_a_day_until_the_domain_vouches_for_it(db):
    row = SenderFactory(address="sam@example.com", daily_limit=250, dkim_selector="s1")

    def cap(**known):
        (limit,) = limits.of_sender(row, on=MONDAY.date(), **known)
        return limit.maximum, limit.label

    told = "sam@example.com (its domain does not vouch for its mail)"
    assert cap(is_live=True) == (100, told)
    assert cap() == (250, "sam@example.com")
    deliverability.check(row, now=MONDAY, resolver=Zone(GOOD_ZONE | {DMARC: None}))
    assert cap(is_live=True) == (100, told)
    deliverability.check(row, now=MONDAY, resolver=Zone(GOOD_ZONE))
    row.refresh_from_db()
    assert row.dns_checked_at == MONDAY
    assert cap(is_live=True) == (250, "sam@example.com")
    row.address = "sam@example.org"  # what was found about the old domain says nothing
    assert cap(is_live=True)[0] == 100
    row.daily_limit = 40
    assert cap(is_live=True) == (40, "sam@example.org")


def test_who_writes_no_mail_needs_no_domain():
    assert sender(transport=Sender.Transport.BY_HAND).is_vouched_for
    assert not sender().is_vouched_for


@pytest.fixture
def zone(monkeypatch):
    known = Zone(dict(GOOD_ZONE))
    monkeypatch.setattr("dns.resolver.Resolver", lambda: known)
    return known


def test_the_job_and_the_command_keep_what_they_found(db, zone):
    row = SenderFactory(address="sam@example.com", dkim_selector="s1")
    SenderFactory(address="lee@example.com", transport=Sender.Transport.BY_HAND)
    jobs.check_domains()
    row.refresh_from_db()
    assert row.is_vouched_for
    zone.records[DKIM] = ["v=DKIM1; p="]
    out = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("check_domains", "SAM@example.com", "--json", stdout=out)
    assert refused.value.returncode == 1
    report = json.loads(out.getvalue())["sam@example.com"]
    assert [f["code"] for f in report["findings"] if f["state"] != "good"] == ["dkim_revoked"]
    row.refresh_from_db()
    assert not row.is_vouched_for


def test_the_command_in_words_dry_and_for_nobody(db, zone):
    row = SenderFactory(address="sam@example.com", dkim_selector="s1")
    out = StringIO()
    call_command("check_domains", "--dry-run", stdout=out)
    assert "good    SPF" in out.getvalue()
    row.refresh_from_db()
    assert row.dns_checked_at is None
    with pytest.raises(CommandError) as refused:
        call_command("check_domains", "nobody@example.com")
    assert refused.value.returncode == 2
