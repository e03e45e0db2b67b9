"""A private IMAP server for tests: dovecot with a folder, an account and a port of its own."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PROGRAM = shutil.which(
    "dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
)
USER, PASSWORD = "sam@example.com", "correct horse"

CONFIG = """
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {internal}
default_login_user = {login}
default_internal_group = {group}
ssl = yes
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login xoauth2 oauthbearer
mail_location = maildir:{root}/mail/%u
first_valid_uid = 1
first_valid_gid = 1
mail_uid = {uid}
mail_gid = {gid}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {root}/passwd
}}
passdb {{
  driver = passwd-file
  mechanisms = xoauth2 oauthbearer
  args = scheme=PLAIN username_format=%u {root}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/home/%u
}}
namespace inbox {{
  inbox = yes
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Spam {{
    auto = create
    special_use = \\Junk
  }}
}}
service anvil {{
  chroot =
  # no penalty for the wrong passwords of a test, which the next one would wait for
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
"""


@dataclass
class Dovecot:
    """One server; its mail is files that a test may put, take and change."""

    root: Path
    port: int
    tls_port: int
    owner: tuple[int, int]
    process: subprocess.Popen | None = field(default=None, repr=False)

    @property
    def maildir(self) -> Path:
        return self.root / "mail" / USER

    def start(self) -> None:
        assert PROGRAM is not None
        self.process = subprocess.Popen(
            [PROGRAM, "-F", "-c", str(self.root / "dovecot.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        give_up = time.monotonic() + 10
        while time.monotonic() < give_up:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as line:
                    if line.recv(4) == b"* OK":
                        return
            except OSError:
                pass
            time.sleep(0.05)
        log = self.root / "log"
        raise RuntimeError(f"dovecot did not start: {log.read_text() if log.exists() else ''}")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the server; with SIGKILL as a crash would, its children included."""
        process, self.process = self.process, None
        if process is None:
            return
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)],
            capture_output=True, text=True, check=False,
        ).stdout.split()  # fmt: skip
        process.send_signal(how)
        process.wait(20)
        if how == signal.SIGKILL:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(child), how)

    def forget(self) -> None:
        """An empty mailbox under a new numbering."""
        shutil.rmtree(self.maildir, ignore_errors=True)

    def put(self, raw: bytes, folder: str = "") -> Path:
        """Deliver a mail, as a mail server would: one rename."""
        box = self.maildir / f".{folder}" if folder else self.maildir
        for part in ("tmp", "new", "cur"):
            (box / part).mkdir(parents=True, exist_ok=True)
        for path in (self.root / "mail", self.maildir, box, *box.iterdir()):
            os.chown(path, *self.owner)
        # a name that sorts by arrival
        name = f"{time.time_ns()}.{uuid.uuid4().hex[:8]}.test"
        written = box / "tmp" / name
        written.write_bytes(raw.replace(b"\r\n", b"\n"))
        os.chown(written, *self.owner)
        return written.rename(box / "new" / name)

    def number_anew(self) -> None:
        """A new UIDVALIDITY, as after a restored mailbox: the server forgets its index."""
        uidlist = self.maildir / "dovecot-uidlist"
        version, validity, _, *rest = uidlist.read_text().splitlines()[0].split()
        head = [version, f"V{int(validity[1:]) + 7}", "N1", *rest]
        uidlist.write_text(" ".join(head) + "\n")
        for path in self.maildir.glob("dovecot.index*"):
            path.unlink()

    def files(self) -> list[Path]:
        return sorted(p for part in ("new", "cur") for p in (self.maildir / part).iterdir())


def prepared(root: Path) -> Dovecot:
    """A server's folder with configuration, certificate and account; not started yet."""
    owner = pwd.getpwuid(os.getuid())
    is_root = owner.pw_uid == 0
    # Mail of root's is refused, and so are login processes of root's.
    keeper = pwd.getpwnam("nobody") if is_root else owner
    server = Dovecot(root, _free_port(), _free_port(), (keeper.pw_uid, keeper.pw_gid))
    root.chmod(0o755)
    for name in ("run", "mail", "home"):
        (root / name).mkdir(parents=True)
        os.chown(root / name, *server.owner)
    (root / "passwd").write_text(f"{USER}:{{PLAIN}}{PASSWORD}\n")
    _certify(root)
    # The package brings users for its own processes.
    internal, login = ("dovecot", "dovenull") if is_root else (owner.pw_name, owner.pw_name)
    config = CONFIG.format(
        root=root,
        internal=internal,
        login=login,
        group="dovecot" if is_root else grp.getgrgid(owner.pw_gid).gr_name,
        uid=keeper.pw_uid,
        gid=keeper.pw_gid,
        port=server.port,
        tls_port=server.tls_port,
    )
    (root / "dovecot.conf").write_text(config)
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _certify(root: Path) -> None:
    """A certificate of its own, for this machine alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    here = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(here), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (root / "cert.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    (root / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
