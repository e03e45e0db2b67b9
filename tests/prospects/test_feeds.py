"""Feeds: real ones come in with their episodes, hostile ones cost seconds and nothing else."""

import time

import pytest

from config.tables import UnreadableFile
from prospects import feeds, importing
from prospects.importing import Job
from prospects.models import ContentItem, Lead
from tests import digests
from tests.clock import MONDAY

ITEM = (
    "<item><title>Episode {0}</title><guid>e{0}</guid><description>On law</description></item>"
)


def rss(*inside, head=""):
    return (
        f'<?xml version="1.0"?>{head}<rss version="2.0" '
        'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>'
        "<title>Law and Code</title><link>https://law.example.com</link>"
        "<itunes:owner><itunes:name>Ada</itunes:name>"
        "<itunes:email>ada@example.com</itunes:email></itunes:owner>"
        f"{''.join(inside)}</channel></rss>"
    ).encode()


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BOMBS = {
    "billion laughs": rss(head=f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'),
    "quadratic": rss(head=f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]>'),
    "entity of a file": rss(head='<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'),
    "entity of a page": rss(head='<!doctype x SYSTEM "http://127.0.0.1/x.dtd">'),
    "document type in UTF-16": rss(head="<!DOCTYPE x>").decode().encode("utf-16"),
    "200,000 tags deep": rss("<a>" * 200_000),
    "65 tags deep": rss("<a>" * 64 + "</a>" * 64),
    "a web page": b"<!DOCTYPE html><html><body>hello</body></html>",
    "1M unclosed tags": b"<html>" + b"<b>" * 1_000_000,
    "a path": b"/etc/hostname",
    "nothing": b"<x></x>",
    "empty": b"",
}


@pytest.mark.req("SEC-20")
@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_what_is_hostile_or_no_feed_is_refused_quickly(content):
    began = time.monotonic()
    with pytest.raises(UnreadableFile):
        feeds.read(content, "x.xml")
    assert time.monotonic() - began < 5


@pytest.mark.req("SEC-20")
def test_the_child_is_stopped_when_it_takes_too_long_or_too_much(monkeypatch):
    feed = rss(*(ITEM.format(n) for n in range(300)))
    monkeypatch.setattr(feeds, "MEMORY", 30 * 1024**2)
    with pytest.raises(UnreadableFile, match="to read"):
        feeds.read(feed, "x.xml")
    monkeypatch.undo()
    monkeypatch.setattr(feeds, "CPU_SECONDS", 1)
    slow = b"<rss><channel><title>" + b"&" * 3_000_000 + b"</title>" + b"<i a=" * 400_000
    began = time.monotonic()
    with pytest.raises(UnreadableFile):
        feeds.read(slow, "x.xml")
    assert time.monotonic() - began < 7


@pytest.mark.req("SEC-20")
def test_of_20_000_items_the_first_300_are_read():
    answer = feeds.read(rss(*(ITEM.format(n) for n in range(20_000))), "x.xml")
    assert len(answer["items"]) == 300
    assert answer["items"][0]["guid"] == "e0"
    assert answer["more"] == 19_700


@pytest.mark.parametrize("date", ["1601-01-01", "Sat, 01 Jan 9999 00:00:00 GMT", "32 Foo", ""])
@pytest.mark.django_db
def test_dates_of_no_calendar_do_not_stop_a_feed(date):
    item = f"<item><title>E</title><guid>e</guid><pubDate>{date}</pubDate></item>"
    bring(rss(item))
    assert ContentItem.objects.get().title == "E"


def bring(content, name="x.xml", **options):
    job = Job.of("podcast", name, now=MONDAY)
    return importing.carry_out_file(content, name, job, **options)


@pytest.mark.django_db
def test_a_feed_is_a_lead_with_its_owner_and_episodes():
    item = (
        "<item><title>On &lt;b&gt;law&lt;/b&gt;</title><guid>e1</guid>"
        "<link>https://law.example.com/1</link><itunes:duration>1:02:03</itunes:duration>"
        "<pubDate>Mon, 01 Jun 2026 09:00:00 +0200</pubDate>"
        "<description>&lt;p&gt;A &amp;amp; B&lt;/p&gt;&lt;script&gt;x()&lt;/script&gt;"
        "</description></item>"
    )
    report = bring(rss(item))
    assert report.counts["created"] == 1
    lead = Lead.objects.get()
    assert (lead.name, lead.website) == ("Law and Code", "https://law.example.com")
    contact = lead.contacts.get()
    assert (contact.name, contact.addresses.get().value) == ("Ada", "ada@example.com")
    episode = lead.content_items.get()
    assert (episode.title, episode.text, episode.seconds) == ("On law", "A & B", 3723)
    assert episode.published_at.isoformat() == "2026-06-01T07:00:00+00:00"


@pytest.mark.django_db
def test_a_feed_that_comes_again_brings_only_what_is_new():
    bring(rss(ITEM.format(1)))
    before = digests.of_tables()
    assert bring(rss(ITEM.format(1))).counts["unchanged"] == 1
    assert digests.of_tables() == before
    report = bring(rss(ITEM.format(2), ITEM.format(1).replace("On law", "On code")))
    assert report.counts["updated"] == 1
    texts = dict(ContentItem.objects.values_list("guid", "text"))
    assert texts == {"e1": "On code", "e2": "On law"}


@pytest.mark.django_db
def test_a_list_of_feeds_is_as_many_leads():
    opml = (
        b'<?xml version="1.0"?><opml version="2.0"><body><outline text="Law">'
        b'<outline type="rss" text="One" xmlUrl="https://one.example.com/feed"/>'
        b'<outline type="rss" text="Two" xmlUrl="https://two.example.com/feed"/>'
        b"</outline></body></opml>"
    )
    assert bring(opml, "list.opml").counts["created"] == 2
    assert set(Lead.objects.values_list("name", "feed_url")) == {
        ("One", "https://one.example.com/feed"),
        ("Two", "https://two.example.com/feed"),
    }
    assert bring(opml, "list.opml").counts["unchanged"] == 2


@pytest.mark.django_db
def test_a_feed_is_no_role_and_has_no_columns(tmp_path):
    job = Job.of("role", "x.xml", now=MONDAY)
    with pytest.raises(UnreadableFile, match="not a role"):
        importing.carry_out_file(rss(), "x.xml", job)
    with pytest.raises(UnreadableFile, match="no columns"):
        bring(rss(), chosen={"name": "title"})
    with pytest.raises(UnreadableFile, match="no files ending in"):
        feeds.files_in(tmp_path)


@pytest.mark.django_db
def test_real_feeds_come_in_and_broken_ones_are_reported(real_data):
    found = feeds.files_in(real_data / "podcast_rss")
    assert len(found) == 19
    job = Job.of("podcast", "podcast_rss", now=MONDAY)
    report = importing.carry_out_feeds(found, job)
    assert report.counts["created"] == 14
    told = "\n".join(problem.reason for problem in report.problems)
    for name in ("empty-root.xml", "empty.xml", "html-response.xml", "no-feed.xml"):
        assert name in told
    assert Lead.objects.get(name="99% Invisible").content_items.count() == 212
    # Of its 805 items the first 300 are read, and two of these are one.
    assert Lead.objects.get(name="RadioLeMans.com").content_items.count() == 299
    before = digests.of_tables()
    assert importing.carry_out_feeds(found, job).counts["unchanged"] == 14
    assert digests.of_tables() == before
