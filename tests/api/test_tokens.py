"""API tokens: printed once, kept as a hash, ending by themselves (SEC-8)."""

import io
from datetime import timedelta

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.utils.timezone import now
from knox.models import AuthToken
from rest_framework.test import APIClient

from tests.api.conftest import V1

CLIENTS = f"{V1}/clients/"

pytestmark = pytest.mark.req("SEC-8")


def run(*arguments):
    out = io.StringIO()
    call_command("api_token", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue().strip()


def with_token(token):
    client = APIClient(enforce_csrf_checks=True)
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    return client


def test_a_token_is_the_user(ada):
    token = run("ada")
    assert token.startswith("ovt_")
    assert len(token) == len("ovt_") + 64  # 256 bits in hexadecimal
    assert with_token(token).get(CLIENTS).status_code == 200


def test_a_token_opens_nothing_its_user_may_not(stranger):
    assert with_token(run("stranger")).get(CLIENTS).status_code == 403


@pytest.mark.req("SEC-12")
def test_a_token_needs_no_csrf_and_ignores_cookies(ada, stranger):
    client = with_token(run("ada"))
    client.force_login(stranger)
    assert client.post(CLIENTS, {"name": "A"}, format="json").status_code == 201


def test_a_wrong_token_is_no_fallback_to_the_session(ada):
    client = with_token("ovt_" + "0" * 64)
    client.force_login(ada)
    response = client.get(CLIENTS)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Token")


@pytest.mark.parametrize(
    "header", ["Token", "Token a b", "Token \xff", "Token \x00", "Bearer x"]
)
def test_a_header_that_is_none_is_refused(header, db):
    response = APIClient().get(CLIENTS, HTTP_AUTHORIZATION=header)
    assert response.status_code == 401
    assert response.json()["error"]["code"]


def test_no_table_holds_the_token(ada):
    token = run("ada")
    secret = token.removeprefix("ovt_")
    for model in apps.get_models():
        for row in model._base_manager.values_list():
            assert all(secret not in str(value) for value in row), model
    assert AuthToken.objects.get().digest != token


@pytest.mark.parametrize("days", ["0", "366", "-1", "1e3", "١٢", "x"])
def test_a_token_lives_a_year_at_most(ada, days):
    with pytest.raises(CommandError):
        run("ada", f"--days={days}")
    assert not AuthToken.objects.exists()


def test_a_token_ends_on_its_day(ada):
    token = run("ada", "--days=365")
    row = AuthToken.objects.get()
    assert timedelta(days=364) < row.expiry - now() <= timedelta(days=365)
    AuthToken.objects.update(expiry=now() - timedelta(seconds=1))
    assert with_token(token).get(CLIENTS).status_code == 401


def test_a_token_can_be_revoked_by_what_the_list_shows(ada):
    token, other = run("ada"), run("ada")
    shown = run("ada", "--list").splitlines()
    assert len(shown) == 2
    prefix = next(line.split("…")[0] for line in shown if token.startswith(line.split("…")[0]))
    assert run("ada", f"--revoke={prefix}") == "Ended 1 tokens."
    assert with_token(token).get(CLIENTS).status_code == 401
    assert with_token(other).get(CLIENTS).status_code == 200


def test_who_does_not_exist_or_may_not_log_in_gets_none(ada):
    with pytest.raises(CommandError, match="no user"):
        run("nobody")
    ada.is_active = False
    ada.save()
    with pytest.raises(CommandError, match="may not log in"):
        run("ada")


def test_a_user_who_may_no_longer_log_in_loses_the_token(ada):
    token = run("ada")
    ada.is_active = False
    ada.save()
    assert with_token(token).get(CLIENTS).status_code == 401
