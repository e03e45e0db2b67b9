"""The providers as they call us: each with its secret, and how it proves itself with it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from pitches import callbacks
from pitches.models import Sender
from pitches.sources import twilio
from tests.clock import MONDAY
from tests.factories import SenderFactory

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


def public(key) -> str:
    pem = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return "".join(pem.decode().split("\n")[1:-2])


# made once: they are slow to make
RSA = [rsa.generate_private_key(65537, 2048) for _ in range(3)]
EC = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]


@dataclass(frozen=True)
class Request:
    body: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Caller:
    """``call(number, secret, event, at, url)`` makes the request that is signed."""

    name: str
    option: str
    call: Callable
    secrets: tuple
    in_options: Callable = str
    signs_body: bool = True
    signs_time: bool = False
    signs_token: bool = False
    transport: str = Sender.Transport.PROVIDER
    denied: int = 403

    def sender(self, *secrets) -> Sender:
        options = {self.option: " ".join(self.in_options(each) for each in secrets if each)}
        is_provider = self.transport == Sender.Transport.PROVIDER
        known = self.name in Sender.Provider.values
        return SenderFactory(
            transport=self.transport if known or not is_provider else "mailbox",
            provider=self.name if is_provider and known else "",
            provider_options=json.dumps(options),
        )

    def address(self, sender: Sender) -> str:
        return callbacks.address_of(self.name, sender.pk)

    def request(self, event, sender, *, secret=None, at=MONDAY) -> Request:
        secret = self.secrets[0] if secret is None else secret
        return self.call(event, secret, at, self.address(sender))


@dataclass(frozen=True)
class Happening:
    """What a provider tells: somebody's message was delivered."""

    message_id: str
    kind: str = "delivered"
    number: int = 1

    @property
    def token(self) -> str:
        return hashlib.sha256(f"{self.message_id}{self.kind}{self.number}".encode()).hexdigest()


def basic(word: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(word.encode()).decode()}


def dumped(what) -> bytes:
    return json.dumps(what).encode()


def postmark(event, secret, at, url):
    body = {
        "RecordType": {"delivered": "Delivery", "opened": "Open"}[event.kind],
        "MessageID": f"pm-{event.number}",
        "Recipient": "paula@example.com",
        "DeliveredAt": at.isoformat(),
        "ReceivedAt": at.isoformat(),
        "Metadata": {"message_id": event.message_id},
    }
    return Request(dumped(body), JSON, basic(secret))


def amazon_ses(event, secret, at, url):
    told = {
        "eventType": "Delivery",
        "delivery": {"timestamp": at.isoformat(), "recipients": ["paula@example.com"]},
        "mail": {
            "messageId": f"ses-{event.number}",
            "timestamp": at.isoformat(),
            "headers": [
                {"name": "X-Metadata", "value": json.dumps({"message_id": event.message_id})}
            ],
        },
    }
    body = {"Type": "Notification", "MessageId": event.token, "Message": json.dumps(told)}
    sns = {"X-Amz-Sns-Message-Type": "Notification", "X-Amz-Sns-Message-Id": event.token}
    return Request(dumped(body), "text/plain", {**sns, **basic(secret)})


def brevo(event, secret, at, url):
    body = {
        "event": "delivered",
        "email": "paula@example.com",
        "ts_epoch": int(at.timestamp() * 1000) + event.number,
        "message-id": "<brevo-1>",
        "X-Mailin-custom": json.dumps({"message_id": event.message_id}),
    }
    return Request(dumped(body), JSON, basic(secret))


def mailjet(event, secret, at, url):
    body = {
        "event": "sent",
        "time": int(at.timestamp()) + event.number,
        "MessageID": 19421777835146490,
        "email": "paula@example.com",
        "Payload": json.dumps({"message_id": event.message_id}),
    }
    return Request(dumped([body]), JSON, basic(secret))


def sparkpost(event, secret, at, url):
    told = {
        "type": "delivery",
        "event_id": event.token,
        "message_id": "sp-1",
        "rcpt_to": "paula@example.com",
        "rcpt_meta": {"message_id": event.message_id},
        "timestamp": str(int(at.timestamp())),
    }
    return Request(dumped([{"msys": {"message_event": told}}]), JSON, basic(secret))


def mailgun(event, secret, at, url):
    stamp = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), (stamp + event.token).encode(), "sha256").hexdigest()
    body = {
        "signature": {"timestamp": stamp, "token": event.token, "signature": signature},
        "event-data": {
            "event": event.kind,
            "timestamp": at.timestamp(),
            "recipient": "paula@example.com",
            "message": {"headers": {"message-id": "mg-1"}},
            "user-variables": {"message_id": event.message_id},
        },
    }
    return Request(dumped(body), JSON)


def mailersend(event, secret, at, url):
    body = dumped(
        {
            "type": "activity.delivered",
            "data": {
                "id": event.token,
                "type": "delivered",
                "created_at": at.isoformat(),
                "email": {
                    "message": {"id": event.message_id},
                    "recipient": {"email": "paula@example.com"},
                },
            },
        }
    )
    return Request(
        body, JSON, {"Signature": hmac.new(secret.encode(), body, "sha256").hexdigest()}
    )


def mailtrap(event, secret, at, url):
    told = {
        "event": "delivery",
        "timestamp": int(at.timestamp()),
        "message_id": "mt-1",
        "email": "paula@example.com",
        "event_id": event.token,
        "custom_variables": {"message_id": event.message_id},
    }
    body = dumped({"events": [told]})
    signed = hmac.new(secret.encode(), body, "sha256").hexdigest()
    return Request(body, JSON, {"Mailtrap-Signature": signed})


def mandrill(event, secret, at, url):
    told = {
        "event": "open",
        "ts": int(at.timestamp()),
        "_id": event.token,
        "msg": {
            "_id": "md-1",
            "email": "paula@example.com",
            "metadata": {"message_id": event.message_id},
        },
    }
    events = json.dumps([told])
    signed = hmac.new(secret.encode(), f"{url}mandrill_events{events}".encode(), "sha1")
    signature = base64.b64encode(signed.digest()).decode()
    body = urlencode({"mandrill_events": events}).encode()
    return Request(body, FORM, {"X-Mandrill-Signature": signature})


def postal(event, secret, at, url):
    told = {
        "event": "MessageSent",
        "timestamp": at.timestamp(),
        "uuid": event.token,
        "payload": {
            "status": "Sent",
            "message": {"id": event.message_id, "to": "paula@example.com"},
        },
    }
    body = dumped(told)
    signed = secret.sign(body, padding.PKCS1v15(), hashes.SHA1())
    return Request(body, JSON, {"X-Postal-Signature": base64.b64encode(signed).decode()})


def resend(event, secret, at, url):
    told = {
        "type": f"email.{event.kind}",
        "created_at": at.isoformat(),
        "data": {
            "email_id": "re-1",
            "to": ["paula@example.com"],
            "headers": [
                {"name": "X-Metadata", "value": json.dumps({"message_id": event.message_id})}
            ],
        },
    }
    body = dumped(told)
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"msg_{event.token}.{stamp}.".encode() + body, "sha256")
    headers = {
        "svix-id": f"msg_{event.token}",
        "svix-timestamp": stamp,
        "svix-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
    return Request(body, JSON, headers)


def sendgrid(event, secret, at, url):
    told = {
        "event": "delivered",
        "sg_event_id": event.token,
        "sg_message_id": "sg-1",
        "email": "paula@example.com",
        "timestamp": int(at.timestamp()),
        "message_id": event.message_id,
    }
    body, stamp = dumped([told]), str(int(at.timestamp()))
    signed = secret.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signed).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    return Request(body, JSON, headers)


def unisender_go(event, secret, at, url):
    told = {
        "event_name": "transactional_email_status",
        "event_data": {
            "job_id": "ug-1",
            "status": "delivered",
            "email": "paula@example.com",
            "event_time": at.strftime("%Y-%m-%d %H:%M:%S"),
            "metadata": {"message_id": event.message_id},
        },
    }
    body = dumped({"auth": secret, "events_by_user": [{"user_id": 1, "events": [told]}]})
    signed = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return Request(body.replace(secret.encode(), signed.encode()), JSON)


def instantly(event, secret, at, url):
    told = {
        "event_type": {"delivered": "email_opened"}.get(event.kind, event.kind),
        "timestamp": at.isoformat(),
        "campaign_id": "11111111-1111-4111-8111-111111111111",
        "lead_email": "paula@example.com",
        "email_id": f"in-{event.number}",
        "step": 1,
        "overture_id": event.message_id,
    }
    return Request(dumped(told), JSON, {"X-Webhook-Secret": secret})


def twilio_sms(event, secret, at, url):
    told = {
        "MessageSid": event.message_id,
        "MessageStatus": event.kind,
        "To": "+15550100",
        "From": "+15550199",
    }
    fields = {name: [value] for name, value in told.items()}
    signature = twilio.signature(secret, url, fields, "sha1")
    return Request(urlencode(told).encode(), FORM, {"X-Twilio-Signature": signature})


WORDS = ("example-word-one", "example-word-two", "example-word-three")
PASSWORDS = ("overture:word-one", "overture:word-two", "overture:word-three")
WHSEC = tuple("whsec_" + base64.b64encode(word.encode() * 2).decode() for word in WORDS)


def unsigned(name, call):
    return Caller(name, "webhook_secret", call, PASSWORDS, signs_body=False)


CALLERS = [
    unsigned("postmark", postmark),
    unsigned("amazon_ses", amazon_ses),
    unsigned("brevo", brevo),
    unsigned("mailjet", mailjet),
    unsigned("sparkpost", sparkpost),
    Caller(
        "mailgun", "webhook_signing_key", mailgun, WORDS, signs_body=False, signs_time=True,
        signs_token=True,
    ),
    Caller("mailersend", "signing_secret", mailersend, WORDS),
    Caller("mailtrap", "signing_secret", mailtrap, WORDS),
    Caller("mandrill", "webhook_key", mandrill, WORDS),
    Caller("postal", "webhook_key", postal, tuple(RSA), in_options=public),
    Caller("resend", "signing_secret", resend, WHSEC, signs_time=True),
    Caller(
        "sendgrid", "verification_key", sendgrid, tuple(EC), in_options=public, signs_time=True
    ),
    Caller("unisender_go", "api_key", unisender_go, WORDS),
    Caller(
        "instantly", "webhook_secret", instantly, WORDS, signs_body=False,
        transport=Sender.Transport.INSTANTLY,
    ),
    Caller("twilio", "auth_token", twilio_sms, WORDS, transport=Sender.Transport.TWILIO),
]  # fmt: skip
BY_NAME = {caller.name: caller for caller in CALLERS}
SOON = timedelta(seconds=10)
