"""Settings of every installation: the environment (or `.env`) is the only difference.

`.env.example` explains each name that is read here.
"""

import os
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config import environment, look

BASE_DIR = Path(__file__).resolve().parent.parent

env = environment.Environment()
# The environment wins over the file. ENV_FILE lets the tests stand on a file of their own.
environment.read_file(Path(os.environ.get("ENV_FILE") or BASE_DIR / ".env"))

# Keys. Each has one purpose, so that changing one leaves what the others protect alone.

SECRET_KEY = env("SECRET_KEY", default="")
CREDENTIALS_KEY = env.list("CREDENTIALS_KEY", default=[])
SUPPRESSION_KEY = env("SUPPRESSION_KEY", default="")
MESSAGE_ID_KEY = env("MESSAGE_ID_KEY", default="")

if not (SECRET_KEY and CREDENTIALS_KEY and SUPPRESSION_KEY and MESSAGE_ID_KEY):
    raise ImproperlyConfigured(
        "SECRET_KEY, CREDENTIALS_KEY, SUPPRESSION_KEY and MESSAGE_ID_KEY must all be set: "
        "`make run` or `python -m config.first_run` writes fresh ones to .env."
    )

# Where it lives

DEBUG = env.bool("DEBUG", default=False)
PUBLIC_URL = env("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")
PUBLIC_HOST = urlsplit(PUBLIC_URL).hostname or ""
# Only what these wrote into X-Forwarded-For is believed: addresses or networks.
TRUSTED_PROXIES = env.list("TRUSTED_PROXIES", default=[])
LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[]) or [PUBLIC_HOST, *LOOPBACK_HOSTS]
STATE_DIR = Path(env("STATE_DIR", default=str(BASE_DIR / "var"))).absolute()
JOURNAL_DIR = Path(env("JOURNAL_DIR", default=str(STATE_DIR / "journal"))).absolute()
MEDIA_ROOT = STATE_DIR / "media"
MEDIA_URL = "media/"

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"

INSTALLED_APPS = [
    "config",
    "campaigns",
    "prospects",
    "pitches",
    "crm_sync",
    # unfold replaces the admin's templates, so it comes before it.
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.inlines",
    "unfold.contrib.import_export",
    "unfold.contrib.simple_history",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_q",
    "import_export",
    "simple_history",
    "axes",
    "anymail",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.content_security_policy",
    "config.middleware.no_nul",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.middleware.login_rules",
    "config.viewer.viewers_zone",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "axes.middleware.AxesMiddleware",
]

# An address typed without a scheme means https, as it will in the next Django.
FORMS_URLFIELD_ASSUME_HTTPS = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# Database and cache

if env("DATABASE_URL", default=""):
    DATABASES = {"default": env.postgres("DATABASE_URL")}
else:
    DATABASES = {
        "default": {
            "ENGINE": "config.postgres",
            "NAME": "overture",
            "DATA_DIR": env("EMBEDDED_PG_DIR", default="") or str(STATE_DIR / "pgdata"),
            "SERVER_OPTIONS": env.list("EMBEDDED_PG_OPTIONS", default=[]),
        }
    }
# Never OPTIONS["pool"]: the queue forks, and forked sockets run jobs twice.
DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Shared by all processes; a cache per process would hide the workers from the web.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "overture_cache",
    }
}

# Time, in UTC everywhere but on the screen

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
FORMAT_MODULE_PATH = ["config.formats"]

# Logging in

AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "config.logins.Backend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
] + [{"NAME": "config.logins.NewPassword"}]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_ON_SUCCESS = True
# The name together with the address: one office behind one address is not locked out by a typo,
# and a stranger elsewhere cannot lock a known name out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_VERBOSE = False

SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
if PUBLIC_URL.startswith("https://"):
    CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # The health of the process is asked by its neighbours, which speak plain HTTP.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
    SECURE_HSTS_SECONDS = int(timedelta(days=365).total_seconds())
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
# HSTS for subdomains and preloading: the desk must not decide for the rest of its domain.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

# Static files are served from the packages; there is no collecting step to forget.

STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600

# Jobs

# A job stops taking new work after TICK_SECONDS; one message may then still wait
# EMAIL_DATA_TIMEOUT for the server's last word. The queue's own timeout must never come first
# (check config.E001).
TICK_SECONDS = env.int("TICK_SECONDS", default=240)
CLAIM_LEASE = env.int("CLAIM_LEASE", default=120)
HANDING_LEASE = env.int("HANDING_LEASE", default=900)
Q_CLUSTER = {
    "name": "overture",
    "orm": "default",
    "workers": 4,
    "bulk": 1,
    "queue_limit": 1,
    "timeout": 900,
    "retry": 1800,
    "max_attempts": 1,
    "ack_failures": True,
    "catch_up": False,
    "save_limit": 100,
    "recycle": 200,
    "poll": 1,
    "time_zone": "UTC",
}

# Mail

SEND_MODE = env("SEND_MODE", default="capture")
SEND_ALLOWLIST = env.list("SEND_ALLOWLIST", default=[])
FREEMAIL_DOMAINS = env.list("FREEMAIL_DOMAINS", default=[])
EMAIL_CONNECT_TIMEOUT = env.int("EMAIL_CONNECT_TIMEOUT", default=30)
EMAIL_COMMAND_TIMEOUT = env.int("EMAIL_COMMAND_TIMEOUT", default=60)
EMAIL_DATA_TIMEOUT = env.int("EMAIL_DATA_TIMEOUT", default=600)
# Hearing: seconds for one answer of an IMAP server, and for one reading of a mailbox in all.
IMAP_TIMEOUT = env.int("IMAP_TIMEOUT", default=30)
IMAP_TOTAL_TIMEOUT = env.int("IMAP_TOTAL_TIMEOUT", default=180)
# Seconds for one question to DNS.
DNS_TIMEOUT = env.int("DNS_TIMEOUT", default=5)
# Every other server that is asked over the web.
HTTP_CONNECT_TIMEOUT = env.int("HTTP_CONNECT_TIMEOUT", default=10)
HTTP_READ_TIMEOUT = env.int("HTTP_READ_TIMEOUT", default=30)
# Bytes of attachments that one mail may carry.
ATTACHMENTS_MAX_BYTES = env.int("ATTACHMENTS_MAX_BYTES", default=5_000_000)
# What tests break on purpose (config.faults). Refused where mail is live (check config.E032).
FAULTS = env("FAULTS", default="")
BRAND_NAME = env("BRAND_NAME", default="Overture") or "Overture"
BRAND_NAME_IS_SET = bool(env("BRAND_NAME", default=""))
BRAND_WEBSITE = env("BRAND_WEBSITE", default="")
POSTAL_ADDRESS = env("POSTAL_ADDRESS", default="")
# Where the mailto way out leads; empty: to the mailbox that wrote.
UNSUBSCRIBE_EMAIL = env("UNSUBSCRIBE_EMAIL", default="").strip()

# How messages leave: one class per transport of a sender. `capture` takes everything while
# SEND_MODE is capture.
CHANNELS = {
    "capture": "pitches.channels.capture.CaptureChannel",
    "mailbox": "pitches.channels.smtp.SmtpChannel",
    "provider": "pitches.channels.provider.ProviderChannel",
    "instantly": "pitches.channels.instantly.InstantlyChannel",
    "twilio": "pitches.channels.twilio.TwilioChannel",
}

# The system's own mail (password resets), which has nothing to do with pitches.
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
SYSTEM_EMAIL_BACKEND = vars()["EMAIL_BACKEND"]
EMAIL_BACKEND = "config.mail.Automatic"
EMAIL_TIMEOUT = EMAIL_COMMAND_TIMEOUT
# Who is told of what needs a person, and the chat that is told: its address is a secret.
ALERT_EMAILS = [each.strip() for each in env.list("ALERT_EMAILS", default=[]) if each.strip()]
ALERT_WEBHOOK_URL = env("ALERT_WEBHOOK_URL", default="").strip()
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default=f"overture@{PUBLIC_HOST or 'localhost'}")

# Webhooks: who may report, and the class that understands it. One more is one more line.

WEBHOOK_SOURCES = {
    "amazon_ses": "pitches.sources.esp.AmazonSES",
    "amazon_ses_inbound": "pitches.sources.esp.AmazonSESInbound",
    "brevo": "pitches.sources.esp.Brevo",
    "instantly": "pitches.sources.instantly.Instantly",
    "mailersend": "pitches.sources.esp.MailerSend",
    "mailersend_inbound": "pitches.sources.esp.MailerSendInbound",
    "mailgun": "pitches.sources.esp.Mailgun",
    "mailgun_inbound": "pitches.sources.esp.MailgunInbound",
    "mailjet": "pitches.sources.esp.Mailjet",
    "mailjet_inbound": "pitches.sources.esp.MailjetInbound",
    "mailtrap": "pitches.sources.esp.Mailtrap",
    "mandrill": "pitches.sources.esp.Mandrill",
    "postal": "pitches.sources.esp.Postal",
    "postal_inbound": "pitches.sources.esp.PostalInbound",
    "postmark": "pitches.sources.esp.Postmark",
    "postmark_inbound": "pitches.sources.esp.PostmarkInbound",
    "resend": "pitches.sources.esp.Resend",
    "sendgrid": "pitches.sources.esp.SendGrid",
    "sendgrid_inbound": "pitches.sources.esp.SendGridInbound",
    "sparkpost": "pitches.sources.esp.SparkPost",
    "sparkpost_inbound": "pitches.sources.esp.SparkPostInbound",
    "twilio": "pitches.sources.twilio.Twilio",
    "unisender_go": "pitches.sources.esp.UnisenderGo",
}

# Matching: who turns texts into numbers

EMBEDDERS = {
    "lexical": "campaigns.ai.embeddings.Lexical",
    "wordllama": "campaigns.ai.embeddings.WordLlama",
}
EMBEDDINGS = env("EMBEDDINGS", default="lexical")

# API

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.logins.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # A view that does not say who may come in lets nobody in.
    "DEFAULT_PERMISSION_CLASSES": ["config.rest.Nobody"],
    "DEFAULT_THROTTLE_CLASSES": ["config.rest.PerMinute"],
    "DEFAULT_PARSER_CLASSES": ["config.rest.JSON"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["config.rest.Filters"],
    "DEFAULT_PAGINATION_CLASS": "config.rest.Pages",
    "EXCEPTION_HANDLER": "config.api.answer_error",
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "COERCE_DECIMAL_TO_STRING": True,
}
REST_KNOX = {
    "TOKEN_TTL": timedelta(days=365),
    "TOKEN_PREFIX": "ovt_",
    "SECURE_HASH_ALGORITHM": "hashlib.sha512",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Overture",
    "DESCRIPTION": "Review-first outreach.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["campaigns.access.LoggedIn"],
    "ENUM_NAME_OVERRIDES": {
        "ClientKind": "campaigns.models.client.ClientKind",
        "ClientPlan": "campaigns.models.client.ClientPlan",
        "MembershipRole": "campaigns.models.client.MembershipRole",
        "PersonRole": "campaigns.people.Role",
        "CampaignStatus": "campaigns.models.campaign.CampaignStatus",
        "CandidateKind": "campaigns.models.candidate.CandidateKind",
        "CandidateStatus": "campaigns.models.candidate.CandidateStatus",
        "Visa": "campaigns.models.candidate.CandidateVisa",
        "TemplateKind": "campaigns.models.sequence.PitchTemplateKind",
        "AIUsageStatus": "campaigns.models.ai_usage.AIUsageStatus",
        "LeadKind": "prospects.models.lead.LeadKind",
        "ContactRole": "prospects.models.organization.ContactRole",
        "AddressKind": "prospects.models.organization.ContactAddressKind",
        "SuppressionKind": "prospects.models.suppression.SuppressionKind",
        "SuppressionReason": "prospects.models.suppression.SuppressionReason",
        "MatchStatus": "pitches.models.match.MatchStatus",
        "MatchDecision": "pitches.models.match.MatchDecision",
        "PitchStatus": "pitches.models.pitch.PitchStatus",
        "MessageStatus": "pitches.models.message.MessageStatus",
        "SendMode": "pitches.models.sender.SendMode",
        "SenderStatus": "pitches.models.sender.SenderStatus",
        "StopKind": "pitches.models.sender.StopKind",
        "StopScope": "pitches.models.sender.StopScope",
        "LimitScope": "pitches.models.sender.EmailLimitScope",
        "IncomingKind": "pitches.models.inbound.IncomingMessageKind",
        "IncomingIntent": "pitches.models.inbound.IncomingMessageIntent",
        "PlacementKind": "pitches.models.placement.PlacementKind",
        "PlacementStatus": "pitches.models.placement.PlacementStatus",
        "ReviewTaskKind": "pitches.models.review_task.ReviewTaskKind",
        "ReviewTaskStatus": "pitches.models.review_task.ReviewTaskStatus",
    },
    "PREPROCESSING_HOOKS": ["config.api.canonical_only"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.describe_errors",
        "config.api.describe_times",
        "config.api.without_ids",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Admin

UNFOLD = look.unfold(BRAND_NAME)

# Logging: one format for the web, the workers and the commands

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "text": {"format": "%(asctime)s %(levelname)-7s %(name)s: %(message)s"},
        "json": {"()": "config.logs.JSONFormatter"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": env("LOG_FORMAT", default="text"),
        }
    },
    "root": {"handlers": ["stderr"], "level": env("LOG_LEVEL", default="INFO")},
    "loggers": {
        # Django's own handlers would print a line twice, or not at all.
        "django": {"handlers": [], "propagate": True},
        # The queue tells of every job it takes and ends; the jobs speak for themselves.
        "django-q": {"handlers": ["stderr"], "propagate": False, "level": "WARNING"},
    },
}
