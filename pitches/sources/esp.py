"""The mail providers of django-anymail.

Anymail's own classes verify and translate. Its views are not used: one bad event there fails
the whole batch, and without a secret they warn and accept.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any, ClassVar

from anymail.exceptions import AnymailError, AnymailWebhookValidationFailure
from anymail.signals import AnymailInboundEvent, RejectReason
from anymail.webhooks import (
    amazon_ses,
    brevo,
    mailersend,
    mailgun,
    mailjet,
    mailtrap,
    mandrill,
    postal,
    postmark,
    resend,
    sendgrid,
    sparkpost,
    unisender_go,
)
from anymail.webhooks.base import AnymailCoreWebhookView
from cryptography.hazmat.primitives import serialization
from django.core.exceptions import SuspiciousOperation
from django.utils.crypto import constant_time_compare

from pitches.models import Event, Message
from pitches.sources import (
    FORM,
    JSON,
    MULTIPART,
    Delivered,
    Part,
    Refused,
    Reply,
    Report,
    Source,
    Unreadable,
    bounce_kind_of,
    canonical,
    digest,
    line,
    read_json,
    read_object,
    shows_password,
)

KINDS = set(Event.Kind.values)
Bounce = Message.BounceKind

# What anymail calls the reason of a rejection, as a kind of bounce. `bounced` alone does not
# say for how long; the server's own answer comes first.
BOUNCES = {
    RejectReason.INVALID: Bounce.HARD,
    RejectReason.BOUNCED: Bounce.HARD,
    RejectReason.TIMED_OUT: Bounce.SOFT,
    RejectReason.BLOCKED: Bounce.POLICY,
    RejectReason.SPAM: Bounce.POLICY,
    RejectReason.UNSUBSCRIBED: Bounce.POLICY,
    RejectReason.OTHER: Bounce.SOFT,
}


class Anymail(Source):
    """A provider whose events anymail translates."""

    view: ClassVar[type[AnymailCoreWebhookView]]
    # what anymail's class calls the secret; empty: as the option is called
    anymail_name: ClassVar[str] = ""
    # events come as a JSON list
    is_list: ClassVar[bool] = False

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """By anymail's own check, with this one secret."""
        try:
            view = self.view(**self.given(delivered, secret))
            view.run_validators(delivered.as_request())
        except (AnymailError, AnymailWebhookValidationFailure, SuspiciousOperation):
            return False
        except (ValueError, KeyError, TypeError, AttributeError):
            return False  # a body or a key of a shape that anymail did not expect
        return True

    def given(self, delivered: Delivered, secret: str) -> dict[str, Any]:
        """What the anymail class is made with."""
        return {self.anymail_name or self.secret_option: secret, "webhook_secret": []}

    def parts(self, delivered: Delivered) -> list[Part]:
        """A list falls into its members; anything else is one event."""
        if delivered.is_form:
            return super().parts(delivered)
        read = read_json(delivered.body)
        events = read if self.is_list and isinstance(read, list) else [read]
        return [self.part(delivered, [event] if self.is_list else event) for event in events]

    def part(self, delivered: Delivered, event: Any) -> Part:
        body = canonical(event)
        return Part(delivered.with_body(body), hashlib.sha256(body).hexdigest())

    def reports(self, part: Part) -> list[Report]:
        """Translated by anymail; several only where one event names several recipients."""
        view = object.__new__(self.view)  # reading needs no secret
        events = view.parse_events(part.delivered.as_request())
        return [
            self.report(event, part.fingerprint, number) for number, event in enumerate(events)
        ]

    def report(self, event: Any, fingerprint: str, number: int) -> Report:
        """One of anymail's events in ours."""
        own = clean_id(event.event_id) or fingerprint
        event_id = f"{own}#{number}" if number else own
        if isinstance(event, AnymailInboundEvent):
            return _inbound(event, event_id)
        metadata = event.metadata if isinstance(event.metadata, dict) else {}
        kind = event.event_type if event.event_type in KINDS else Event.Kind.UNKNOWN
        reason = " ".join(
            line(text) for text in (event.mta_response, event.description) if text
        )
        return Report(
            event_id=event_id,
            kind=str(kind),
            occurred_at=event.timestamp,
            message_id=line(metadata.get("message_id")).strip("<> "),
            provider_id=line(event.message_id).strip("<> "),
            recipient=line(event.recipient, 320).lower(),
            bounce_kind=_bounce_kind(event, str(kind), reason),
            reason=reason[:300],
        )


def clean_id(value: object) -> str:
    """A provider's id as a key of at most 190 characters; longer ones by their digest."""
    text = line(value, 2_000)
    return text if len(text) <= 190 else digest(text)


def _bounce_kind(event: Any, kind: str, reason: str) -> str:
    if kind == Event.Kind.DEFERRED:
        return Bounce.SOFT
    if kind not in (Event.Kind.BOUNCED, Event.Kind.REJECTED, Event.Kind.FAILED):
        return ""
    return bounce_kind_of(reason) or BOUNCES.get(event.reject_reason, Bounce.SOFT)


def _inbound(event: AnymailInboundEvent, event_id: str) -> Report:
    mail = event.message
    sender = getattr(mail, "from_email", None)
    return Report(
        event_id=event_id,
        kind=Event.Kind.INBOUND,
        occurred_at=event.timestamp,
        recipient=line(getattr(sender, "addr_spec", ""), 320).lower(),
        reply=Reply(raw=mail.as_bytes()) if mail is not None else None,
    )


class BasicAuth(Anymail):
    """A provider that signs nothing: it shows the password of the address it was given."""

    is_signed = False
    wants_challenge = True

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """By HTTP basic authentication."""
        return shows_password(delivered, secret)


class Postmark(BasicAuth):
    view = postmark.PostmarkTrackingWebhookView


class Brevo(BasicAuth):
    view = brevo.BrevoTrackingWebhookView


class Mailjet(BasicAuth):
    view = mailjet.MailjetTrackingWebhookView
    is_list = True


class SparkPost(BasicAuth):
    view = sparkpost.SparkPostTrackingWebhookView
    is_list = True


class _SESView(amazon_ses.AmazonSESTrackingWebhookView):
    """Reads without the AWS library, and fetches nothing."""

    def auto_confirm_sns_subscription(self, sns_message: Any) -> None:
        """A person confirms the subscription at AWS; its address is in the stored delivery."""


class AmazonSES(BasicAuth):
    view = _SESView
    # SNS says text/plain and means JSON
    content_types: ClassVar[Sequence[str]] = ("text/plain", JSON)
    kept_headers: ClassVar[Sequence[str]] = ("x-amz-sns-message-type", "x-amz-sns-message-id")

    def delivery_id(self, delivered: Delivered) -> str:
        """The id of SNS, which stays the same when it tries again."""
        found = read_object(delivered.body).get("MessageId")
        return clean_id(found) or delivered.sha256


class Mailgun(Anymail):
    """Signs a time and a token, and not the body: the token is good for one request."""

    view = mailgun.MailgunTrackingWebhookView
    secret_option = "webhook_signing_key"
    content_types: ClassVar[Sequence[str]] = (JSON, FORM, MULTIPART)

    def signed_at(self, delivered: Delivered) -> str | None:
        """Beside the token."""
        return self._signed(delivered, "timestamp")

    def delivery_id(self, delivered: Delivered) -> str:
        """The signed token."""
        return clean_id(self._signed(delivered, "token")) or delivered.sha256

    @staticmethod
    def _signed(delivered: Delivered, name: str) -> str:
        if delivered.content_type != JSON:
            return delivered.as_request().POST.get(name, "")
        try:
            block = read_object(delivered.body).get("signature")
        except Unreadable as e:
            raise Refused("the signature cannot be read") from e
        return str(block.get(name, "")) if isinstance(block, dict) else ""


class MailerSend(Anymail):
    view = mailersend.MailerSendTrackingWebhookView
    secret_option = "signing_secret"


class Mailtrap(Anymail):
    view = mailtrap.MailtrapTrackingWebhookView
    secret_option = "signing_secret"
    anymail_name = "tracking_secret"

    def parts(self, delivered: Delivered) -> list[Part]:
        """The members of ``events``."""
        events = read_object(delivered.body).get("events", [])
        if not isinstance(events, list):
            raise Unreadable("it has no list of events")
        return [self.part(delivered, {"events": [event]}) for event in events]


class Mandrill(Anymail):
    """Signs the address it knows us by, and the form."""

    view = mandrill.MandrillCombinedWebhookView
    secret_option = "webhook_key"
    content_types: ClassVar[Sequence[str]] = (FORM, MULTIPART)

    def given(self, delivered: Delivered, secret: str) -> dict[str, Any]:
        """With our public address, for it is part of what is signed."""
        return {**super().given(delivered, secret), "webhook_url": delivered.url}

    def parts(self, delivered: Delivered) -> list[Part]:
        """The members of the JSON list in the field ``mandrill_events``."""
        events = read_json(delivered.as_request().POST.get("mandrill_events", ""))
        if not isinstance(events, list):
            raise Unreadable("it has no list of events")
        return [self.part(delivered, event) for event in events]

    def reports(self, part: Part) -> list[Report]:
        """Translated by anymail, from the one event instead of from the form."""
        event = json.loads(part.delivered.body)
        view = object.__new__(self.view)
        translated = view.esp_to_anymail_event(event)
        return [] if translated is None else [self.report(translated, part.fingerprint, 0)]


class Postal(Anymail):
    """Signs with its private key; the option holds the public one."""

    view = postal.PostalTrackingWebhookView
    secret_option = "webhook_key"


class Resend(Anymail):
    """Standard Webhooks, formerly Svix: base64(HMAC-SHA256(key, id.time.body)).

    https://www.standardwebhooks.com
    """

    view = resend.ResendTrackingWebhookView
    secret_option = "signing_secret"
    kept_headers: ClassVar[Sequence[str]] = ("svix-id",)

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """Any of the signatures in the header may be the one."""
        signed = b".".join(
            [
                delivered.headers.get("svix-id", "").encode(),
                delivered.headers.get("svix-timestamp", "").encode(),
                delivered.body,
            ]
        )
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        shown = delivered.headers.get("svix-signature", "").split()[:10]
        return any([constant_time_compare(each, f"v1,{expected}") for each in shown])

    def signed_at(self, delivered: Delivered) -> str | None:
        """In a header."""
        return delivered.headers.get("svix-timestamp", "")

    def delivery_id(self, delivered: Delivered) -> str:
        """The signed id."""
        return clean_id(delivered.headers.get("svix-id")) or delivered.sha256


class SendGrid(Anymail):
    """Signs time and body by ECDSA; for mailboxes that send through SendGrid's SMTP."""

    view = sendgrid.SendGridTrackingWebhookView
    secret_option = "verification_key"
    is_list = True

    def proves(self, delivered: Delivered, secret: str) -> bool:
        """By anymail's check, without its warning that the provider is no longer tested."""
        view = object.__new__(self.view)
        try:
            view.webhook_verification_key = serialization.load_pem_public_key(
                f"-----BEGIN PUBLIC KEY-----\n{secret}\n-----END PUBLIC KEY-----".encode()
            )
            view.validate_request(delivered.as_request())
        except (AnymailWebhookValidationFailure, ValueError, TypeError):
            return False
        return True

    def signed_at(self, delivered: Delivered) -> str | None:
        """In a header."""
        return delivered.headers.get("x-twilio-email-event-webhook-timestamp", "")


class UnisenderGo(Anymail):
    """Puts the MD5 of the body, with the API key in place of itself, into the body."""

    view = unisender_go.UnisenderGoTrackingWebhookView
    secret_option = "api_key"

    def given(self, delivered: Delivered, secret: str) -> dict[str, Any]:
        """It checks no password where one is not set."""
        return {"api_key": secret, "webhook_secret": []}

    def parts(self, delivered: Delivered) -> list[Part]:
        """The events of its one user, or the single flat one."""
        read = read_object(delivered.body)
        users = read.get("events_by_user")
        if users is None:
            # the signature differs from one attempt to the next, the event does not
            bare = {name: value for name, value in read.items() if name != "auth"}
            return [self.part(delivered, bare)]
        if not (isinstance(users, list) and all(isinstance(user, dict) for user in users)):
            raise Unreadable("it has no list of users")
        return [
            self.part(delivered, {"events_by_user": [{"events": [event]}]})
            for user in users
            for event in (user.get("events") or [])
        ]


# -- mail that a provider receives for us ------------------------------------------------------


class PostmarkInbound(Postmark):
    view = postmark.PostmarkInboundWebhookView


class MailgunInbound(Mailgun):
    view = mailgun.MailgunInboundWebhookView


class MailerSendInbound(MailerSend):
    view = mailersend.MailerSendInboundWebhookView
    anymail_name = "inbound_secret"


class MailjetInbound(Mailjet):
    view = mailjet.MailjetInboundWebhookView
    is_list = False


class SparkPostInbound(SparkPost):
    view = sparkpost.SparkPostInboundWebhookView


class _SESInboundView(amazon_ses.AmazonSESInboundWebhookView):
    """Takes mail that SNS carries itself; what was put into S3 stays there."""

    def auto_confirm_sns_subscription(self, sns_message: Any) -> None:
        """A person confirms the subscription at AWS."""


class AmazonSESInbound(AmazonSES):
    view = _SESInboundView


class PostalInbound(Postal):
    view = postal.PostalInboundWebhookView


class SendGridInbound(BasicAuth):
    view = sendgrid.SendGridInboundWebhookView
    content_types: ClassVar[Sequence[str]] = (MULTIPART, FORM)
