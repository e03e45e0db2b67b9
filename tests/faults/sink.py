"""A mail server in a process of its own, which remembers and misbehaves as told.

Whatever it accepts lies fsynced in a file before the answer goes out: a history that does not
depend on anything of ours. It listens on one port per script and writes the ports to a file.

A script is ``VERB action`` joined by commas; verbs are CONNECT, EHLO, MAIL, RCPT, DATA, DOT.
Actions: an answer (``450 4.2.0 busy``), ``drop``, ``hang``, ``drip`` (the usual answer byte by
byte), ``garbage``, ``later SECONDS``. After the dot the mail counts as accepted with ``drip``,
``garbage``, ``later`` and every action that begins with ``take``. A recipient ``SCRIPT.n@…``
that names a script is treated by it, whatever the port.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from pathlib import Path

# By the first part of a recipient's address.
BY_RECIPIENT = {
    "no": "RCPT 554 5.7.1 not wanted",
    "busy": "RCPT 450 4.2.0 busy",
    "refused": "DOT 554 5.7.1 not wanted",
    "full": "DOT 452 4.3.1 no room",
    "mute": "DOT take hang",
    "cut": "DOT take drop",
    "lost": "DOT drop",
    "slow": "DOT later 0.2",
}
USUAL = {
    "CONNECT": "220 sink.example.com ESMTP",
    "EHLO": "250-sink.example.com\r\n250 8BITMIME",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "DOT": "250 2.0.0 taken",
}
DRIP = 0.005


class Gone(Exception):
    """The conversation is over."""


class History:
    """The file of what was accepted."""

    def __init__(self, path: Path) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def remember(self, recipient: str, raw: bytes) -> None:
        head = raw.split(b"\r\n\r\n", 1)[0].replace(b"\r\n ", b" ")
        names = [
            line.split(b":", 1)[1].strip(b" <>\r").decode()
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"message-id:")
        ]
        line = {
            "message_id": names[0] if len(names) == 1 else f"{len(names)} of them",
            "recipient": recipient,
            "at": time.time(),
            "raw": raw.decode("latin-1"),
        }
        os.write(self.file, json.dumps(line).encode() + b"\n")
        os.fsync(self.file)


def read_script(text: str) -> dict[str, str]:
    rules = (entry.strip().partition(" ") for entry in text.split(",") if entry.strip())
    return {verb: action for verb, _, action in rules}


class Talk:
    """One connection."""

    def __init__(self, reader, writer, script: str, history: History) -> None:
        self.reader, self.writer = reader, writer
        self.script, self.history = read_script(script), history
        self.of_mail: dict[str, str] = {}
        self.recipient = ""

    async def held(self) -> None:
        try:
            await self.answer("CONNECT")
            while True:
                line = await self.reader.readline()
                if not line:
                    return
                await self.told(line.decode("latin-1").strip())
        except (Gone, ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.writer.close()

    async def told(self, line: str) -> None:
        verb = line[:4].upper()
        if verb in ("EHLO", "HELO"):
            await self.answer("EHLO")
        elif verb == "MAIL":
            self.of_mail = {}
            await self.answer("MAIL")
        elif verb == "RCPT":
            self.recipient = line.partition("<")[2].rstrip(">")
            self.of_mail = read_script(BY_RECIPIENT.get(self.recipient.split(".")[0], ""))
            await self.answer("RCPT")
        elif verb == "DATA":
            await self.answer("DATA")
            if self.open:
                await self.taken(await self.body())
        elif verb == "QUIT":
            await self.say("221 bye")
            raise Gone
        else:
            await self.say("250 ok")

    async def body(self) -> bytes:
        lines = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise Gone  # hung up without the dot: nothing was delivered
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    async def taken(self, raw: bytes) -> None:
        action = self.of_mail.get("DOT") or self.script.get("DOT", "")
        takes = not action or action.split()[0] in ("take", "drip", "garbage", "later")
        if takes:
            self.history.remember(self.recipient, raw)
        await self.answer("DOT")

    async def answer(self, verb: str) -> None:
        action = (self.of_mail.get(verb) or self.script.get(verb, "")).removeprefix("take ")
        self.open = verb != "DATA" or not action or action == "drip"
        word, _, rest = action.partition(" ")
        if not action:
            await self.say(USUAL[verb])
        elif word == "drop":
            self.cut()
        elif word == "reset":
            await self.say(USUAL[verb])
            self.cut()
        elif word == "hang":
            await self.reader.read()  # until the client is tired of it
            raise Gone
        elif word == "drip":
            for byte in f"{USUAL[verb]}\r\n".encode():
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(DRIP)
        elif word == "garbage":
            await self.say("\x00\xff what do you want?")
        elif word == "later":
            await asyncio.sleep(float(rest))
            await self.say(USUAL[verb])
        else:
            await self.say(action.replace("|", "\r\n"))
            if action.startswith("421"):
                raise Gone

    async def say(self, text: str) -> None:
        self.writer.write(f"{text}\r\n".encode("latin-1"))
        await self.writer.drain()

    def cut(self) -> None:
        """Hang up with a reset, as a crashed server does."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Gone


async def main(folder: Path, scripts: dict[str, str]) -> None:
    history, ports = History(folder / "accepted.jsonl"), {}
    for name, script in {"": "", **scripts}.items():

        async def talk(reader, writer, script=script):
            await Talk(reader, writer, script, history).held()

        server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=200)
        ports[name] = server.sockets[0].getsockname()[1]
    (folder / "ports.new").write_text(json.dumps(ports))
    (folder / "ports.new").rename(folder / "ports.json")
    # until whoever started it lets go of its input
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.buffer.read)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), json.loads(sys.argv[2])))
