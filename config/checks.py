"""System checks: what is wrong with the configuration, told at start with an id and a hint."""

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from . import logins, visitors

SEND_MODES = ["capture", "allowlist", "live"]
SHORTEST_KEY = 32
WAITS = (
    "TICK_SECONDS",
    "CLAIM_LEASE",
    "HANDING_LEASE",
    "EMAIL_CONNECT_TIMEOUT",
    "EMAIL_COMMAND_TIMEOUT",
    "EMAIL_DATA_TIMEOUT",
    "IMAP_TIMEOUT",
    "IMAP_TOTAL_TIMEOUT",
    "DNS_TIMEOUT",
    "HTTP_CONNECT_TIMEOUT",
    "HTTP_READ_TIMEOUT",
)


@register
def timeouts(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """The queue may cut a job off only after the job had time to stop by itself."""
    longest = settings.TICK_SECONDS + settings.EMAIL_DATA_TIMEOUT
    queue: dict[str, Any] = settings.Q_CLUSTER
    timeout, retry = queue["timeout"], queue["retry"]
    if timeout <= longest:
        yield Error(
            f"A job may take {longest} s (TICK_SECONDS + EMAIL_DATA_TIMEOUT), but the queue "
            f"kills it after {timeout} s, in the middle of handing a message over.",
            hint=f"Lower TICK_SECONDS or EMAIL_DATA_TIMEOUT to a sum below {timeout}.",
            id="config.E001",
        )
    if retry < 2 * timeout:
        yield Error(
            f"The queue starts a job again after {retry} s, while it may still run.",
            hint=f'Set Q_CLUSTER["retry"] to {2 * timeout} or more.',
            id="config.E002",
        )
    if settings.HANDING_LEASE <= settings.EMAIL_DATA_TIMEOUT:
        yield Error(
            "HANDING_LEASE ends before a mail server must have answered (EMAIL_DATA_TIMEOUT).",
            hint=f"Set HANDING_LEASE above {settings.EMAIL_DATA_TIMEOUT}.",
            id="config.E003",
        )
    if settings.CLAIM_LEASE <= settings.EMAIL_CONNECT_TIMEOUT + settings.EMAIL_COMMAND_TIMEOUT:
        yield Error(
            "CLAIM_LEASE ends before a mail server must have taken the envelope.",
            hint="Set it above EMAIL_CONNECT_TIMEOUT + EMAIL_COMMAND_TIMEOUT.",
            id="config.E004",
        )


@register
def waits(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Every wait has an end, and none ends before it began."""
    for name in WAITS:
        if getattr(settings, name) <= 0:
            yield Error(
                f"{name} is {getattr(settings, name)}: nothing could ever answer in that time.",
                hint="Set it to seconds above 0, or take it out for the default.",
                id="config.E005",
            )


@register(Tags.security)
def keys(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Each key is long, well-formed and used for one purpose."""
    own = ("SECRET_KEY", "SUPPRESSION_KEY", "MESSAGE_ID_KEY")
    hint = "`python -m config.first_run` writes good ones to .env, if there is none."
    for name in own:
        if len(getattr(settings, name)) < SHORTEST_KEY:
            yield Error(
                f"{name} is shorter than {SHORTEST_KEY} characters.",
                hint=hint,
                id="config.E010",
            )
    for number, key in enumerate(settings.CREDENTIALS_KEY, start=1):
        try:
            Fernet(key)
        except ValueError:
            yield Error(
                f"Key {number} of CREDENTIALS_KEY is not 32 bytes in url-safe base64.",
                hint=hint,
                id="config.E011",
            )
    values = [*(getattr(settings, name) for name in own), *settings.CREDENTIALS_KEY]
    if len(set(values)) < len(values):
        yield Error(
            "Two keys are equal, so changing one would break what the other protects.",
            hint=hint,
            id="config.E012",
        )


@register(Tags.security)
def exposure(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Error pages with settings and code are for this machine only."""
    hosts = [settings.PUBLIC_HOST, *settings.ALLOWED_HOSTS]
    if settings.DEBUG and not all(logins.is_loopback_host(host) for host in hosts):
        yield Error(
            "DEBUG shows code and settings to everybody who causes an error.",
            hint="Set DEBUG=False, or PUBLIC_URL and ALLOWED_HOSTS to this machine alone.",
            id="config.E020",
        )
    if not logins.is_loopback_host(settings.PUBLIC_HOST) and not settings.PUBLIC_URL.startswith(
        "https://"
    ):
        yield Warning(
            f"Passwords travel unencrypted to {settings.PUBLIC_URL}.",
            hint="Put a proxy with a certificate in front and set PUBLIC_URL to https://…",
            id="config.W020",
        )


@register(Tags.security)
def proxies(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Whose word is taken for where a request comes from."""
    for entry in settings.TRUSTED_PROXIES:
        try:
            ip_network(entry)
        except ValueError:
            yield Error(
                f"TRUSTED_PROXIES names {entry!r}, which is no address and no network.",
                hint="Write 10.0.0.5 or 10.0.0.0/8.",
                id="config.E021",
            )


@register
def sending(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Mail leaves only by an explicit, complete decision."""
    if settings.SEND_MODE not in SEND_MODES:
        yield Error(
            f"SEND_MODE is {settings.SEND_MODE!r}.",
            hint=f"It is one of {', '.join(SEND_MODES)}.",
            id="config.E030",
        )
    if settings.SEND_MODE == "live" and settings.FAULTS:
        yield Error(
            "FAULTS would kill workers while they send real mail.",
            hint="Take FAULTS out of the environment; it is for tests.",
            id="config.E032",
        )
    if settings.SEND_MODE == "allowlist" and not settings.SEND_ALLOWLIST:
        yield Warning(
            "SEND_MODE is allowlist and the list is empty, so nothing is sent.",
            hint="Set SEND_ALLOWLIST to addresses or domains.",
            id="config.W031",
        )
    if settings.SEND_MODE != "capture" and not settings.BRAND_NAME_IS_SET:
        yield Warning(
            f"BRAND_NAME is not set: mail to real people is signed {settings.BRAND_NAME}.",
            hint="Set BRAND_NAME to the name your recipients know.",
            id="config.W034",
        )
    if settings.SEND_MODE == "live" and not settings.POSTAL_ADDRESS:
        yield Warning(
            "No live mail goes out: each must carry a postal address, and there is none.",
            hint="Set POSTAL_ADDRESS.",
            id="config.W032",
        )
    if settings.SEND_MODE == "live" and not visitors.is_public(settings.PUBLIC_URL):
        yield Warning(
            f"No live mail goes out: recipients cannot reach {settings.PUBLIC_URL} to "
            "unsubscribe.",
            hint="Set PUBLIC_URL to the https address under which people reach this desk.",
            id="config.W033",
        )


@register
def alerting(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """The chat's address is told only to the chat."""
    url = settings.ALERT_WEBHOOK_URL
    if url and not url.startswith("https://"):
        yield Error(
            "ALERT_WEBHOOK_URL does not begin with https://, so everybody on the way reads it.",
            hint="Copy the address that the chat shows, or leave it empty.",
            id="config.E033",
        )


@register(Tags.database)
def database(app_configs: Any, **kwargs: Any) -> Iterator[CheckMessage]:
    """Connections are not pooled: the queue forks, and a shared one runs jobs twice."""
    options = settings.DATABASES["default"].get("OPTIONS", {})
    if options.get("pool"):
        yield Error(
            "The database connection is pooled inside the process.",
            hint="Take `pool` out of DATABASE_URL.",
            id="config.E040",
        )
