import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.urls import reverse
from django.utils.crypto import get_random_string
from knox.models import AuthToken

from config import logins

PASSWORD = "known to everybody 17"
FAR = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def demo(db):
    user = User.objects.create_user("demo", password=PASSWORD, is_staff=True)
    logins.restrict_to_loopback(user)
    return user


def log_in(client, name="demo", password=PASSWORD, **request):
    client.post(reverse("admin:login"), {"username": name, "password": password}, **request)
    return "_auth_user_id" in client.session


def test_a_known_password_works_on_the_machine(client, demo):
    assert log_in(client)
    assert log_in(client, HTTP_HOST="localhost:8000")


@pytest.mark.parametrize(
    "request_meta",
    [
        FAR,
        {"HTTP_X_FORWARDED_FOR": "203.0.113.9"},
        {"HTTP_HOST": "desk.example.com"},
        {"HTTP_HOST": "192.168.1.7:8000"},
    ],
)
def test_a_known_password_does_not_work_from_elsewhere(client, demo, settings, request_meta):
    settings.ALLOWED_HOSTS = ["*"]
    assert not log_in(client, **request_meta)


def test_a_known_password_does_not_work_once_the_server_is_public(client, demo, settings):
    settings.PUBLIC_HOST = "desk.example.com"
    assert not log_in(client)


def test_an_ordinary_user_comes_in_from_anywhere(client, db):
    User.objects.create_user("eve", password=PASSWORD, is_staff=True)
    assert log_in(client, "eve", **FAR)


def test_an_open_session_ends_once_the_server_is_public(client, demo, settings):
    assert log_in(client)
    settings.PUBLIC_HOST = "desk.example.com"
    assert client.get(reverse("admin:index")).status_code == 403
    assert "_auth_user_id" not in client.session


def test_a_token_of_such_a_user_is_bound_to_the_machine(demo, rf):
    token = AuthToken.objects.create(demo)[1]
    header = {"HTTP_AUTHORIZATION": f"Token {token}"}
    authentication = logins.TokenAuthentication()
    assert authentication.authenticate(rf.get("/", **header))[0] == demo
    with pytest.raises(logins.AuthenticationFailed):
        authentication.authenticate(rf.get("/", **header, **FAR))


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("0.0.0.0", False),
        ("localhost.example.com", False),
        ("10.0.0.1", False),
        ("", False),
    ],
)
def test_what_this_machine_is_called(host, here):
    assert logins.is_loopback_host(host) is here


# The first administrator


@pytest.fixture
def password(db, capsys):
    call_command("first_admin")
    return capsys.readouterr().out.split(" / ")[1].split()[0]


def test_the_first_administrator_is_made_once(password, capsys):
    call_command("first_admin")
    assert capsys.readouterr().out == ""
    assert User.objects.get().username == "admin"


def test_the_printed_password_opens_nothing_but_its_own_change(client, password):
    change = reverse("admin:password_change")
    assert log_in(client, "admin", password)
    assert client.get(reverse("admin:index")).headers["Location"] == change
    assert client.get(change).status_code == 200

    new = get_random_string(20)
    fields = {"old_password": password, "new_password1": new, "new_password2": new}
    assert client.post(change, fields).status_code == 302
    assert client.get(reverse("admin:index")).status_code == 200


def test_the_printed_password_cannot_be_chosen_again(client, password):
    log_in(client, "admin", password)
    fields = {
        "old_password": password,
        "new_password1": password,
        "new_password2": password,
    }
    answer = client.post(reverse("admin:password_change"), fields)
    assert "another password" in answer.content.decode()


def test_five_wrong_passwords_lock_the_door(client, admin_user):
    for _ in range(5):
        assert not log_in(client, "admin", "wrong")
    assert not log_in(client, "admin", "password")
