"""A mail server that does as it is told: refuse, hang or drop at any verb."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

DROP, HANG, ACCEPT_AND_DROP = "drop", "hang", "accept and drop"


@dataclass
class Received:
    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=policy.SMTP)


@dataclass
class Sink:
    """What the server is to answer, by verb (``DOT`` ends the body), and what it saw."""

    port: int = 0
    answers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    dots: int = 0
    # called where a test wants something to happen between two verbs
    on_dot: object = None

    def forget(self) -> None:
        self.answers, self.received = {}, []
        self.connections = self.dots = 0
        self.on_dot = None

    # -- aiosmtpd's hook ---------------------------------------------------------------------

    async def handle_DATA(self, server, session, envelope) -> str:
        self.dots += 1
        answer = self.answers.get("DOT")
        if answer in (None, ACCEPT_AND_DROP):
            self.received.append(
                Received(envelope.mail_from, list(envelope.rcpt_tos), envelope.original_content)
            )
        if self.on_dot:
            await asyncio.get_running_loop().run_in_executor(None, self.on_dot)
        if answer in (DROP, HANG, ACCEPT_AND_DROP):
            await server.misbehave(answer)
        return answer or "250 2.0.0 taken"


class _Server(SMTP):
    async def misbehave(self, answer: str) -> None:
        if answer == HANG:
            await asyncio.Event().wait()  # until the client is tired of it
        self.transport.abort()
        raise asyncio.CancelledError

    async def _told(self, verb: str) -> bool:
        answer = self.event_handler.answers.get(verb)
        if answer in (DROP, HANG):
            await self.misbehave(answer)
        if answer:
            await self.push(answer)
        return bool(answer)

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self.event_handler.connections += 1

    async def smtp_EHLO(self, arg) -> None:
        if not await self._told("EHLO"):
            await super().smtp_EHLO(arg)

    async def smtp_MAIL(self, arg) -> None:
        if not await self._told("MAIL"):
            await super().smtp_MAIL(arg)

    async def smtp_RCPT(self, arg) -> None:
        if not await self._told("RCPT"):
            await super().smtp_RCPT(arg)

    async def smtp_DATA(self, arg) -> None:
        if not await self._told("DATA"):
            await super().smtp_DATA(arg)

    async def smtp_AUTH(self, arg) -> None:
        if not await self._told("AUTH"):
            await super().smtp_AUTH(arg)


def _allow(server, session, envelope, mechanism, login) -> AuthResult:
    return AuthResult(success=True)


class _Controller(Controller):
    def factory(self) -> SMTP:
        return _Server(
            self.handler,
            hostname="sink.example.com",
            authenticator=_allow,
            auth_require_tls=False,
            loop=self.loop,
        )


def started() -> tuple[Sink, Controller]:
    """A running sink on a free port of this machine, and what stops it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sink = Sink(port=port)
    controller = _Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    sink.forget()
    return sink, controller
