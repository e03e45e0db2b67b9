"""OAuth 2 tokens of a mailbox (RFC 6749 section 6), renewed by the refresh token, kept secret.

SMTP and IMAP log in with the same access token, so both get it here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from config import http
from config.db import database_now
from pitches.models import Sender

# Renewed this long before it ends, so that it does not end between here and the login.
MARGIN = timedelta(minutes=2)
# RFC 6749 only recommends to say how long it lives; then it is asked for again soon.
UNSAID = timedelta(minutes=10)
LONGEST = timedelta(days=1)


class TokenRefused(Exception):
    """No access token: a sentence for a person, without any secret.

    ``permanent``: the mailbox has to be connected anew.
    """

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        self.permanent = permanent
        super().__init__(message)


def access(sender: Sender, *, anew: bool = False) -> str:
    """A valid access token for SMTP and IMAP; raises TokenRefused.

    ``anew`` asks for a new one although the kept one should still hold: the server said no.
    """
    kept = sender.oauth_access_token
    if not anew and kept and _still_holds(sender):
        return kept
    return _renewed(sender)


def _still_holds(sender: Sender) -> bool:
    ends = sender.oauth_expires_at
    return ends is not None and database_now() + MARGIN < ends


def _renewed(sender: Sender) -> str:
    if not (sender.oauth_token_url and sender.oauth_refresh_token):
        raise TokenRefused("the token address or the refresh token is missing", permanent=True)
    form = {
        "grant_type": "refresh_token",
        "refresh_token": sender.oauth_refresh_token,
        "client_id": sender.oauth_client_id,
    }
    if sender.oauth_client_secret:
        form["client_secret"] = sender.oauth_client_secret
    try:
        answer = http.ask("POST", sender.oauth_token_url, data=form)
    except http.HttpError as e:
        raise TokenRefused(f"no new token: {e}") from e
    told = answer.json()
    if not answer.is_ok or not isinstance(told, dict):
        raise _refusal(answer.status, told)
    token = told.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise TokenRefused("the token server answered without a token")
    _keep(sender, token, told)
    return token


# The answers of RFC 6749 section 5.2, in words; others are told by number, never by their text.
REFUSALS = {
    "invalid_grant": "the refresh token has ended or was withdrawn: connect the mailbox again",
    "invalid_client": "the client id or its secret is wrong",
    "unauthorized_client": "this client may not renew tokens",
    "unsupported_grant_type": "the token server renews no tokens",
    "invalid_scope": "the token server does not grant what was asked for",
    "invalid_request": "the token server does not understand the request",
}


def _refusal(status: int, told: Any) -> TokenRefused:
    error = told.get("error") if isinstance(told, dict) else None
    if isinstance(error, str) and error in REFUSALS:
        return TokenRefused(REFUSALS[error], permanent=True)
    return TokenRefused(
        f"the token server answered {status}", permanent=400 <= status < 429 and status != 408
    )


def _keep(sender: Sender, token: str, told: dict[str, Any]) -> None:
    """The token and its end; some servers hand out a new refresh token with each."""
    sender.oauth_access_token = token
    sender.oauth_expires_at = database_now() + _lifetime(told.get("expires_in"))
    changed = ["oauth_access_token", "oauth_expires_at"]
    renewed = told.get("refresh_token")
    if isinstance(renewed, str) and renewed:
        sender.oauth_refresh_token = renewed
        changed.append("oauth_refresh_token")
    Sender.objects.filter(pk=sender.pk).update(
        **{name: getattr(sender, name) for name in changed}
    )


def _lifetime(seconds: Any) -> timedelta:
    try:
        return min(timedelta(seconds=max(0, int(seconds))), LONGEST)
    except (TypeError, ValueError, OverflowError):
        return UNSAID
