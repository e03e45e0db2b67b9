"""What was written before this system was in use: who to, when, by whom, about whom.

Each row of the file becomes a sent Message of an imported Pitch, and a Match where it names a
candidate, so that the past counts in every limit and in never-twice like any other mail.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Max
from django.db.models.functions import Lower

from campaigns.models import Campaign, Candidate, Channel
from config import values
from config.imports import Columns, Field, Report, map_columns, need
from config.tables import Row, Table, UnreadableFile, batches
from config.text import LINE, NAME, clean_line, clean_text
from config.values import ValueUnclear
from pitches import fingerprints
from pitches.models import Match, Message, Pitch, ReviewTask, Sender, SenderCampaign
from pitches.models.sender import SendMode
from prospects import addresses, leads, names, sites, suppressions
from prospects.addresses import AddressError
from prospects.importing import KIND_OF_PRESET, ROLE_OF_CONTACT
from prospects.leads import FoundAddress, FoundContact, FoundLead, FoundOrganization, Identity
from prospects.models import ContactAddress, Lead, LeadIdentity, Suppression

BATCH = 1_000
PLATFORM = "history"
RECEIPT = "imported"
OLDEST_YEAR = 1995

FIELDS = [
    Field("email", "whom it went to", ("to", "e mail", "recipient", "contact email")),
    Field("sent_at", "when", ("date", "sent", "sent on", "date sent", "sent date", "time")),
    Field("sender", "the address it came from", ("from", "by", "sender email", "mailbox")),
    Field("candidate", "whom it was about: reference, address or name",
          ("guest", "intern", "product", "candidate name", "about", "candidate reference")),
    Field("lead", "the show, role, creator or buyer",
          ("name", "podcast", "show", "role", "title", "job title", "creator", "lead name")),
    Field("platform", "where the lead's id comes from"),
    Field("platform_id", "the lead's id there", ("lead id", "podcast id", "role id", "id")),
    Field("feed_url", "the show's feed", ("feed", "rss", "rss url")),
    Field("website", "the lead's site", ("site", "url", "homepage")),
    Field("organization", "the company", ("company", "publisher", "company name")),
    Field("contact_name", "the person", ("contact", "recipient name", "host", "to name")),
    Field("number", "0 for a first message, 1 for the first follow-up …",
          ("step", "follow up", "step number")),
    Field("subject", "subject line"),
    Field("body", "the text", ("text", "message")),
    Field("channel", "email, sms or LinkedIn", ()),
    Field("message_id", "its Message-ID, so that a late answer is recognised", ("message id",)),
    Field("replied_at", "when they answered", ("replied", "reply date", "answered")),
    Field("outcome", "what they answered", ("response", "reply", "result")),
]  # fmt: skip


@dataclass(slots=True)
class Told:
    """One row: a message that went out once."""

    line: int
    lead: FoundLead
    email: str
    sender: str
    sent_at: datetime
    day: str  # as far as the file tells the time
    number: int
    candidate: str
    subject: str
    body: str
    channel: str
    given_id: str
    replied_at: datetime | None
    outcome: str
    unsubscribed: bool
    lead_id: int = 0
    address: ContactAddress | None = None
    candidate_id: int | None = None
    message_id: str = ""

    def place(self) -> tuple[int, str]:
        """The lead and the person: what follow-ups belong to."""
        return self.lead_id, addresses.canonical_email(self.email)


@dataclass
class _Talk:
    """A pitch and what was said in it: the first message and its follow-ups."""

    pitch: Pitch
    numbers: set[int] = field(default_factory=set)
    new: list[Told] = field(default_factory=list)


def columns_of(table: Table, chosen: Mapping[str, str] | None = None) -> Columns:
    """Which column holds what. Raises UnreadableFile without address or date."""
    columns = map_columns(table, FIELDS, chosen)
    need(columns, table, "email")
    need(columns, table, "sent_at")
    return columns


def find_campaign(slug: str) -> Campaign:
    """The campaign the past belongs to. Raises UnreadableFile where there is none."""
    found = Campaign.objects.filter(slug=slug).select_related("client").first()
    if found is None:
        raise UnreadableFile(f"There is no campaign “{slug}”.")
    return found


def import_history(
    table: Table,
    campaign: Campaign,
    *,
    chosen: Mapping[str, str] | None = None,
    dry_run: bool = False,
    now: datetime,
) -> Report:
    """Record messages that went out before, again and again without counting one twice.

    The same row has the same Message-ID: a second import finds it there. Rows in the future, or
    without a date, an address or a sender, are refused. One transaction for the file. Raises
    UnreadableFile.
    """
    columns = columns_of(table, chosen)
    report = Report.of(table, columns)
    for verdict in ("created", "unchanged", "matches"):
        report.counts[verdict] = 0
    past = _Past(campaign, table.name, now, report)
    with transaction.atomic():
        # One at a time: rounds are counted on.
        Campaign.objects.select_for_update().get(pk=campaign.pk)
        past.bring(list(past.read(table.rows, columns)))
        transaction.set_rollback(dry_run)
    return report


class _Past:
    """The rows of one file on their way into the history of one campaign."""

    def __init__(self, campaign: Campaign, file: str, now: datetime, report: Report) -> None:
        self.campaign, self.file, self.now, self.report = campaign, file, now, report
        self.kind = KIND_OF_PRESET[Campaign.Preset(campaign.preset)]
        default = SenderCampaign.objects.filter(campaign=campaign, is_default=True)
        self.default_sender = default.values_list("sender__address", flat=True).first() or ""
        self.touched: set[Any] = set()

    # Reading

    def read(self, rows: Iterable[Row], columns: Columns) -> Iterable[Told]:
        for row in rows:
            try:
                yield self._told(row.line, columns.of(row.cells))
            except (AddressError, ValueUnclear) as e:
                self.report.refuse(row.line, str(e).rstrip("."))

    def _told(self, line: int, cells: dict[str, str]) -> Told:
        def text(name: str, limit: int = NAME) -> str:
            return clean_line(cells.get(name), limit)

        email = addresses.exact_email(text("email", 1_000))
        sender = text("sender", 400) or self.default_sender
        if not sender:
            raise ValueUnclear("nobody is named who wrote it, and the campaign has no sender")
        channel = text("channel").casefold() or Channel.EMAIL.value
        if channel not in Channel.values:
            raise ValueUnclear(f"channel “{channel}” is none of {', '.join(Channel.values)}")
        number = values.number(text("number")) or 0
        if number > 50:
            raise ValueUnclear(f"step {number} is more than a sequence has")
        sent = text("sent_at")
        sent_at = self._moment("sent_at", sent)
        return Told(
            line=line,
            lead=self._lead(line, text, email),
            email=email,
            sender=addresses.exact_email(sender),
            sent_at=sent_at,
            day=(sent_at if values.has_time(sent) else sent_at.date()).isoformat(),
            number=number,
            candidate=text("candidate"),
            subject=text("subject", LINE),
            body=clean_text(cells.get("body")),
            channel=channel,
            given_id=text("message_id").strip("<> "),
            replied_at=self._moment("replied_at", text("replied_at"))
            if text("replied_at")
            else None,
            outcome=outcome_of(text("outcome")),
            unsubscribed=bool(
                re.search(r"unsubscri|opt(ed)?.?out|spam|complain", text("outcome").casefold())
            ),
        )

    def _moment(self, name: str, cell: str) -> datetime:
        """A time that has been; a mere date counts to its end, so that limits hold longer."""
        at = values.moment(cell)
        if at is None:
            raise ValueUnclear("there is no date")
        if not values.has_time(cell):
            at = datetime.combine(at.date(), time(23, 59, 59), UTC)
            if at.date() == self.now.astimezone(UTC).date():
                at = min(at, self.now)
        if at > self.now:
            raise ValueUnclear(f"{name} {cell} lies in the future")
        if at.year < OLDEST_YEAR:
            raise ValueUnclear(f"{name} {cell} is older than e-mail")
        return at

    def _lead(self, line: int, text: Any, email: str) -> FoundLead:
        """As an import has it; without name and id it is whoever the address belongs to."""
        website, feed = text("website", 2_000), text("feed_url", 2_000)
        name, company = text("lead", LINE), text("organization")
        identities = leads.identities_of(
            self.kind,
            platform=text("platform", 40) or PLATFORM,
            platform_id=text("platform_id", 500),
            name=name,
            website=website if addresses.is_url(website) else "",
            feed_url=feed if addresses.is_url(feed) else "",
        )
        domain = sites.own_domain(website) if self.kind == Lead.Kind.BUYER else ""
        address = FoundAddress(
            ContactAddress.Kind.EMAIL, email, addresses.canonical_email(email)
        )
        role = ROLE_OF_CONTACT[Lead.Kind(self.kind)]
        return FoundLead(
            line=line,
            kind=self.kind,
            values={"name": name} if name else {},
            identities=identities,
            organization=FoundOrganization(company, domain) if company else None,
            contacts=[FoundContact([address], text("contact_name"), role)],
        )

    # Bringing in

    def bring(self, told: Sequence[Told]) -> None:
        """What the database refuses is tried again, lead by lead."""
        try:
            with transaction.atomic():
                self._bring(told)
        except DatabaseError as e:
            if len({each.email for each in told}) > 1:
                by_person: dict[str, list[Told]] = defaultdict(list)
                for each in told:
                    by_person[each.email].append(each)
                for some in by_person.values():
                    self.bring(some)
                return
            reason = clean_line(str(e).partition("\n")[0])
            for each in told:
                self.report.refuse(each.line, f"the database refused it: {reason}")

    def _bring(self, told: Sequence[Told]) -> None:
        self._recognise(told)
        told = self._addresses(self._leads(told))
        senders = self._senders({each.sender for each in told})
        self._candidates(told)
        self._name_messages(told)
        present = self._present(told)
        new: dict[str, Told] = {}
        for each in told:
            if each.message_id not in present:
                new.setdefault(each.message_id, each)
        pitches = {key: message.pitch for key, message in present.items()}
        pitches |= self._write(sorted(new.values(), key=_order), senders)
        self._answers(told, present)
        self._matches(told, pitches)
        for each in told:
            fresh = new.get(each.message_id) is each
            self.report.counts["created" if fresh else "unchanged"] += 1

    def _present(self, told: Sequence[Told]) -> dict[str, Message]:
        """Messages that are here already, by Message-ID."""
        return {
            message.message_id: message
            for some in batches((each.message_id for each in told), BATCH)
            for message in Message.objects.filter(message_id__in=some).select_related("pitch")
        }

    # Which lead

    def _recognise(self, told: Sequence[Told]) -> None:
        """Rows that do not say which lead they mean get the only one they can mean.

        That is a lead of the person written to, else one of this title at this organization.
        Where several would do, the row stands by itself.
        """
        open_rows = [each for each in told if not self._is_named(each)]
        by_email = self._leads_of({each.email for each in open_rows})
        by_title = self._titled({each.lead.values.get("name", "") for each in open_rows})
        chosen: dict[int, list[Told]] = defaultdict(list)
        for each in open_rows:
            theirs = by_email.get(addresses.canonical_email(each.email), {})
            title = each.lead.values.get("name", "")
            if title:
                key = names.title_key(title)
                theirs = {
                    pk: name for pk, name in theirs.items() if names.title_key(name) == key
                }
            found = set(theirs) or by_title.get(self._title_of(each), set())
            if len(found) == 1:
                chosen[next(iter(found))].append(each)
            elif not title:
                self._stand_in(each)
        self._use_identities(chosen)

    def _title_of(self, each: Told) -> tuple[str, str]:
        company = each.lead.organization
        title = names.title_key(each.lead.values.get("name", ""))
        return title, names.organization_key(company.name) if company else ""

    def _titled(self, titles: set[str]) -> dict[tuple[str, str], set[int]]:
        """Leads of this kind by title and company; shows and creators by title alone too."""
        found: dict[tuple[str, str], set[int]] = defaultdict(set)
        alone = self.kind in (Lead.Kind.PODCAST, Lead.Kind.CREATOR, Lead.Kind.BUYER)
        rows = Lead.objects.filter(kind=self.kind, merged_into__isnull=True)
        wanted = {title.lower() for title in titles if title}
        rows = rows.annotate(lower=Lower("name")).filter(lower__in=wanted)
        for pk, name, company in rows.values_list("pk", "name", "organization__name_key"):
            title = names.title_key(name)
            for key in {company or "", ""} if alone else {company or ""}:
                found[title, key].add(pk)
        return found

    def _is_named(self, each: Told) -> bool:
        return any(not name.platform_id.startswith("name:") for name in each.lead.identities)

    def _leads_of(self, emails: set[str]) -> dict[str, dict[int, str]]:
        """Leads of this kind by the canonical address of somebody behind them: id and name."""
        found: dict[str, dict[int, str]] = defaultdict(dict)
        canonical = {addresses.canonical_email(email) for email in emails}
        rows = Lead.objects.filter(
            kind=self.kind,
            merged_into__isnull=True,
            contacts__addresses__kind=ContactAddress.Kind.EMAIL,
            contacts__addresses__canonical__in=canonical,
        ).values_list("contacts__addresses__canonical", "pk", "name")
        for address, pk, name in rows:
            found[address][pk] = name
        return found

    def _stand_in(self, each: Told) -> None:
        """Nobody knows which lead it was: one that is closed stands for it, and limits hold."""
        company = each.lead.organization
        name = company.name if company else each.email.rpartition("@")[2]
        each.lead.values["name"] = name
        each.lead.closed_at = each.sent_at
        key = f"{self.kind}|{addresses.canonical_email(each.email)}"
        each.lead.identities = [Identity(PLATFORM, f"unnamed:{key}"[:500])]

    def _use_identities(self, chosen: Mapping[int, list[Told]]) -> None:
        known: dict[int, Identity] = {}
        rows = LeadIdentity.objects.filter(lead__in=chosen).order_by("pk")
        for lead, platform, platform_id in rows.values_list("lead", "platform", "platform_id"):
            known.setdefault(lead, Identity(platform, platform_id))
        without = [lead for lead in chosen if lead not in known]
        LeadIdentity.objects.bulk_create(
            LeadIdentity(lead_id=lead, platform=PLATFORM, platform_id=f"lead:{lead}")
            for lead in without
        )
        known |= {lead: Identity(PLATFORM, f"lead:{lead}") for lead in without}
        for lead, rows_of_lead in chosen.items():
            for each in rows_of_lead:
                each.lead.identities = [known[lead]]
                each.lead.organization = None  # it has its own

    def _leads(self, told: Sequence[Told]) -> list[Told]:
        """Find or make the leads and the people behind them."""
        kept = []
        for some in batches(told, BATCH):
            found = [each.lead for each in some]
            outcomes = leads.upsert(found, source=PLATFORM, now=self.now, touched=self.touched)
            for each, outcome in zip(some, outcomes, strict=True):
                if outcome.lead_id is None:
                    self.report.refuse(each.line, outcome.reason)
                else:
                    each.lead_id = outcome.lead_id
                    kept.append(each)
        return kept

    def _addresses(self, told: Sequence[Told]) -> list[Told]:
        known: dict[str, ContactAddress] = {}
        for some in batches({addresses.canonical_email(each.email) for each in told}, BATCH):
            rows = ContactAddress.objects.filter(
                kind=ContactAddress.Kind.EMAIL, canonical__in=some
            )
            known |= {row.canonical: row for row in rows}
        kept = []
        for each in told:
            each.address = known.get(addresses.canonical_email(each.email))
            if each.address is None:  # only those who asked to be forgotten are not kept
                reason = "asked to be erased; nothing of this row is stored"
                self.report.refuse(each.line, reason)
            else:
                kept.append(each)
        return kept

    # By whom and about whom

    def _senders(self, wanted: set[str]) -> dict[str, Sender]:
        """Senders by address; one who is unknown here is kept, paused."""
        known = {row.address.lower(): row for row in Sender.objects.all()}
        new = [
            Sender(
                name=address.partition("@")[0],
                address=address,
                transport=Sender.Transport.BY_HAND,
                status=Sender.Status.PAUSED,
                status_reason=f"known from {self.file} only",
            )
            for address in sorted(wanted - known.keys())
        ]
        made = Sender.objects.bulk_create(new)
        if made:
            told = ", ".join(row.address for row in made)
            self.report.notes.append(f"New senders, paused: {told}.")
        return known | {row.address: row for row in made}

    def _candidates(self, told: Sequence[Told]) -> None:
        if not any(each.candidate for each in told):
            return
        by_word: dict[str, set[int]] = defaultdict(set)
        rows = Candidate.objects.filter(client=self.campaign.client_id)
        for pk, reference, name, attributes in rows.values_list(
            "pk", "reference", "name", "attributes"
        ):
            for word in (reference, name, attributes.get("email", "")):
                by_word[word.casefold()].add(pk)
        for each in told:
            found = by_word.get(each.candidate.casefold(), set()) if each.candidate else set()
            if len(found) == 1:
                each.candidate_id = next(iter(found))
            elif each.candidate:
                which = "more than one here" if found else "unknown"
                self.report.warn(
                    each.line,
                    f"candidate “{each.candidate}” is {which}: the message counts in limits, "
                    "but not for the candidate; import candidates, then this file again",
                )

    # Rows

    def _name_messages(self, told: Sequence[Told]) -> None:
        """The Message-ID the file has, else one that is the same for the same row."""
        first: dict[int, str] = {}
        for some in batches({each.lead_id for each in told}, BATCH):
            rows = LeadIdentity.objects.filter(lead__in=some).order_by("pk")
            for lead, platform, platform_id in rows.values_list(
                "lead", "platform", "platform_id"
            ):
                first.setdefault(lead, f"{platform}:{platform_id}")
        for each in told:
            each.message_id = each.given_id[:200] or self._message_id(each, first[each.lead_id])

    def _message_id(self, each: Told, identity: str) -> str:
        canonical = addresses.canonical_email(each.email)
        keys = [RECEIPT, self.campaign.slug, identity, canonical, each.sender]
        keys += [each.day, str(each.number), each.channel]
        secret = settings.MESSAGE_ID_KEY.encode()
        name = hmac.new(secret, json.dumps(keys).encode(), hashlib.sha256).hexdigest()
        return f"{name[:40]}@{each.sender.rpartition('@')[2]}"

    def _write(self, told: Sequence[Told], senders: dict[str, Sender]) -> dict[str, Pitch]:
        """Make pitches and messages, oldest first; the pitch by Message-ID."""
        talks = self._talks(told, senders)
        new = [talk.pitch for talk in talks if talk.pitch.pk is None]
        grown = [talk.pitch for talk in talks if talk.pitch.pk is not None]
        Pitch.objects.bulk_create(new, batch_size=BATCH)
        if grown:
            Pitch.objects.bulk_update(grown, ["ended_at"], batch_size=BATCH)
        messages = [
            self._message(each, talk.pitch, senders[each.sender])
            for talk in talks
            for each in talk.new
        ]
        Message.objects.bulk_create(messages, batch_size=BATCH)
        return {each.message_id: talk.pitch for talk in talks for each in talk.new}

    def _talks(self, told: Sequence[Told], senders: dict[str, Sender]) -> list[_Talk]:
        """A first message begins a pitch of its own; a later step joins the one before it."""
        lead_ids = {each.lead_id for each in told}
        rounds = self._rounds(lead_ids)
        latest = self._latest(lead_ids)
        talks: dict[int, _Talk] = {}
        for each in told:
            talk = latest.get(each.place())
            if talk is None or not each.number or each.number in talk.numbers:
                rounds[each.lead_id] += 1
                pitch = self._pitch(each, senders[each.sender], rounds[each.lead_id])
                talk = latest[each.place()] = _Talk(pitch)
            talk.numbers.add(each.number)
            talk.new.append(each)
            talk.pitch.ended_at = max(each.sent_at, talk.pitch.ended_at or each.sent_at)
            talks[id(talk)] = talk
        return list(talks.values())

    def _rounds(self, lead_ids: set[int]) -> dict[int, int]:
        rows = Pitch.objects.filter(campaign=self.campaign, lead__in=lead_ids)
        counted = rows.values("lead").annotate(last=Max("round")).values_list("lead", "last")
        return defaultdict(int, counted)

    def _latest(self, lead_ids: set[int]) -> dict[tuple[int, str], _Talk]:
        """The newest imported pitch to each person, which a follow-up may join."""
        rows = (
            Pitch.objects.filter(campaign=self.campaign, lead__in=lead_ids, is_imported=True)
            .select_related("address")
            .prefetch_related("messages")
            .order_by("first_sent_at")
        )
        return {
            (row.lead_id, row.address.canonical): _Talk(
                row, {message.number or 0 for message in row.messages.all()}
            )
            for row in rows
        }

    def _pitch(self, each: Told, sender: Sender, number: int) -> Pitch:
        return Pitch(
            campaign=self.campaign,
            lead_id=each.lead_id,
            round=number,
            address=each.address,
            sender=sender,
            send_mode=SendMode.LIVE,
            status=Pitch.Status.COMPLETED,
            status_reason=f"imported from {self.file}"[:300],
            is_imported=True,
            first_sent_at=each.sent_at,
            ended_at=each.sent_at,
        )

    def _message(self, each: Told, pitch: Pitch, sender: Sender) -> Message:
        words = json.dumps([each.email, each.sender, each.subject, each.body])
        return Message(
            pitch=pitch,
            number=each.number,
            channel=each.channel,
            status=Message.Status.SENT,
            send_mode=SendMode.LIVE,
            sender=sender,
            to_address=each.email,
            message_id=each.message_id,
            subject=each.subject,
            body=each.body,
            approved_sha256=fingerprints.digest(words),
            approved_policy=RECEIPT,
            counted_at=each.sent_at,
            handed_at=each.sent_at,
            sent_at=each.sent_at,
            receipt=RECEIPT,
        )

    def _answers(self, told: Sequence[Told], present: Mapping[str, Message]) -> None:
        """What the file knows of answers, where nothing is known yet."""
        answered = {each.message_id: each for each in told if each.replied_at or each.outcome}
        if not answered:
            return
        messages = dict(present) | self._present(list(answered.values()))
        changed_messages, changed_pitches = [], []
        for key, each in answered.items():
            message = messages[key]
            if message.replied_at is None:
                message.replied_at = each.replied_at or each.sent_at
                changed_messages.append(message)
            pitch = message.pitch
            if pitch.is_imported and pitch.replied_at is None:
                pitch.status, pitch.replied_at = Pitch.Status.REPLIED, message.replied_at
                pitch.outcome = each.outcome or Pitch.Outcome.OTHER
                changed_pitches.append(pitch)
        if changed_messages:
            Message.objects.bulk_update(changed_messages, ["replied_at"], batch_size=BATCH)
        if changed_pitches:
            fields = ["status", "replied_at", "outcome"]
            Pitch.objects.bulk_update(changed_pitches, fields, batch_size=BATCH)
        self._suppress([each for each in answered.values() if each.unsubscribed])

    def _suppress(self, told: Sequence[Told]) -> None:
        """Who unsubscribed then has unsubscribed now."""
        rows = [
            suppressions.row(
                Suppression.Kind.EMAIL,
                each.email,
                reason=Suppression.Reason.UNSUBSCRIBED,
                source=self.file,
                now=self.now,
            )
            for each in told
        ]
        if rows:
            self.report.counts["suppressed"] += suppressions.add_many(rows)
            leads.mark_suppressed(now=self.now)

    def _matches(self, told: Sequence[Told], pitches: Mapping[str, Pitch]) -> None:
        """Who was pitched to whom. A match that waits here is closed by its past."""
        wanted: dict[tuple[int, int, int], Told] = {}
        for each in told:
            if each.candidate_id is not None:
                key = (each.candidate_id, each.lead_id, pitches[each.message_id].pk)
                wanted.setdefault(key, each)
        known = self._known_matches(wanted)
        new, closed = [], []
        for (candidate, lead, pitch), each in wanted.items():
            rows = known[candidate, lead]
            if any(row.pitch_id == pitch for row in rows):
                continue
            match = self._waiting(rows)
            if match is None:
                match = self._match(
                    each, candidate, max((row.cycle for row in rows), default=0) + 1
                )
                rows.append(match)
                new.append(match)
            else:
                match.status = Match.Status.CLOSED
                closed.append(match)
            match.pitch_id = pitch
        self.report.counts["matches"] += len(new) + len(closed)
        Match.objects.bulk_create(new, batch_size=BATCH)
        self._close(closed)

    def _waiting(self, rows: Sequence[Match]) -> Match | None:
        """This campaign's match that has no pitch, unless its cycle was pitched elsewhere."""
        pitched = {row.cycle for row in rows if row.pitch_id is not None}
        for row in rows:
            mine = row.campaign_id == self.campaign.pk and row.pitch_id is None
            if mine and row.cycle not in pitched:
                return row
        return None

    def _known_matches(
        self, wanted: Iterable[tuple[int, int, int]]
    ) -> dict[tuple[int, int], list[Match]]:
        found: dict[tuple[int, int], list[Match]] = defaultdict(list)
        candidates = {candidate for candidate, _, _ in wanted}
        for some in batches({lead for _, lead, _ in wanted}, BATCH):
            for row in Match.objects.filter(lead__in=some, candidate__in=candidates):
                found[row.candidate_id, row.lead_id].append(row)
        return found

    def _match(self, each: Told, candidate: int, cycle: int) -> Match:
        return Match(
            campaign=self.campaign,
            candidate_id=candidate,
            lead_id=each.lead_id,
            cycle=cycle,
            cycle_reason="written to again before this system was in use" if cycle > 1 else "",
            status=Match.Status.CLOSED,
            score=0,
            reasoning=f"Imported from {self.file}.",
            suggested_at=each.sent_at,
        )

    def _close(self, matches: Sequence[Match]) -> None:
        if not matches:
            return
        Match.objects.bulk_update(matches, ["status", "pitch"], batch_size=BATCH)
        tasks = ReviewTask.objects.filter(match__in=matches, status=ReviewTask.Status.OPEN)
        tasks.update(
            status=ReviewTask.Status.CANCELED, reason="was pitched before, by the history"
        )


def _order(each: Told) -> tuple[datetime, int, int]:
    return each.sent_at, each.number, each.line


def outcome_of(said: str) -> str:
    """``Pitch.Outcome`` from what a file calls it; "other" for words of its own."""
    words = said.casefold().replace(" ", "_").replace("-", "_")
    if not words or words in {"none", "no_response", "no_reply", "no", "false", "sent"}:
        return ""
    return words if words in Pitch.Outcome.values else Pitch.Outcome.OTHER
