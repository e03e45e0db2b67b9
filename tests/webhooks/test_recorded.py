"""Requests that providers really sent, with the events they mean."""

from __future__ import annotations

import base64
import json

import pytest
from django.utils.dateparse import parse_datetime

from pitches import sources
from pitches.sources import Delivered

# Translated by a setting of anymail, or from what the provider keeps elsewhere.
ELSEWHERE = {
    "test_initial_open_event_as_opened": "a setting of anymail changes the word",
    "test_inbound_s3": "the mail lies in S3",
}


def recorded(real_data):
    path = real_data / "webhooks" / "esp_webhooks_anymail.jsonl"
    for text in path.read_text().splitlines():
        row = json.loads(text)
        kept_elsewhere = row["kind"] == "inbound" and row["esp"] in ("resend", "brevo")
        is_special = row["test"].rpartition(".")[2] in ELSEWHERE
        if row["method"] == "POST" and not kept_elsewhere and not is_special:
            yield row


def read(row):
    inbound = row["kind"].startswith("inbound")
    name = row["esp"] + ("_inbound" if inbound else "")
    body = base64.b64decode(row["body_b64"]) if row["body_b64"] else row["body"].encode()
    headers = {key.lower(): value for key, value in row["headers"].items()}
    source = sources.find(name)
    delivered = Delivered(body, {**headers, "content-type": row["content_type"]})
    assert delivered.content_type in source.content_types
    return [report for part in source.parts(delivered) for report in source.reports(part)]


@pytest.mark.req("S001-069")
def test_every_recorded_request_means_what_its_label_says(real_data):
    rows = list(recorded(real_data))
    wrong = []
    for row in rows:
        told = [(r.kind, r.occurred_at) for r in read(row)]
        meant = [
            (each["event_type"], each["timestamp"] and parse_datetime(each["timestamp"]))
            for each in row["expected_events"]
        ]
        if told != meant:
            wrong.append((row["id"], told, meant))
    assert len(rows) == 188
    assert wrong == []


def test_every_recorded_recipient_and_id_is_kept(real_data):
    wrong = []
    for row in recorded(real_data):
        for report, meant in zip(read(row), row["expected_events"], strict=True):
            if meant["signal"] != "tracking":
                continue
            recipient = (meant["recipient"] or "").lower()
            theirs = str(meant["message_id"] or "").strip("<>")
            if (report.recipient, report.provider_id) != (recipient, theirs):
                wrong.append((row["id"], report))
    assert wrong == []


def test_a_recorded_mail_is_handed_on_whole(real_data):
    mails = [
        report.reply.raw
        for row in recorded(real_data)
        if row["kind"].startswith("inbound")
        for report in read(row)
        if report.reply
    ]
    assert len(mails) > 20
    assert sum(b"from:" in raw.lower() for raw in mails) > 15
