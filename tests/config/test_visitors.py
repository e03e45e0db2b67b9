"""Who calls from outside, how often, and who can reach us."""

import pytest
from django.test import RequestFactory

from config import checks, visitors


def request(remote, forwarded=None):
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    return RequestFactory(headers=headers).get("/", REMOTE_ADDR=remote)


@pytest.mark.req("SEC-10")
@pytest.mark.parametrize(
    ("proxies", "remote", "forwarded", "who"),
    [
        ([], "192.0.2.1", None, "192.0.2.1"),
        ([], "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ([], "127.0.0.1", "198.51.100.7", "127.0.0.1"),
        (["10.0.0.0/8"], "192.0.2.1", "198.51.100.7", "192.0.2.1"),
        (["10.0.0.0/8"], "10.1.2.3", "198.51.100.7", "198.51.100.7"),
        # whatever the caller wrote himself stands before what the proxy added
        (["10.0.0.0/8"], "10.1.2.3", "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (["10.0.0.0/8"], "10.1.2.3", "203.0.113.9, 198.51.100.7, 10.9.9.9", "198.51.100.7"),
        (["10.0.0.0/8"], "10.1.2.3", "nonsense", "10.1.2.3"),
        (["10.0.0.0/8"], "10.1.2.3", "", "10.1.2.3"),
        (["::1"], "::1", "2001:db8::5", "2001:db8::5"),
        ([], "", "198.51.100.7", ""),
    ],
)
def test_forwarded_addresses_are_believed_from_our_proxies_only(
    settings, proxies, remote, forwarded, who
):
    settings.TRUSTED_PROXIES = proxies
    assert visitors.caller(request(remote, forwarded)) == who


def test_a_caller_holds_a_whole_small_network_of_the_new_kind():
    ask = visitors.neighbourhood
    assert ask("2001:db8:1:2:3::4") == ask("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert ask("2001:db8:1:2::1") != ask("2001:db8:1:3::1")
    assert (ask("192.0.2.1"), ask("")) == ("192.0.2.1", "")


@pytest.mark.parametrize(
    ("url", "is_public"),
    [
        ("https://desk.example.com", True),
        ("https://desk.example.com:8443", True),
        ("https://8.8.8.8", True),
        ("http://desk.example.com", False),
        ("http://127.0.0.1:8000", False),
        ("https://127.0.0.1", False),
        ("https://192.168.1.7", False),
        ("https://[::1]", False),
        ("https://localhost", False),
        ("https://desk", False),
        ("https://desk.local", False),
        ("https://desk.internal.", False),
        ("", False),
    ],
)
def test_only_https_at_a_name_the_world_knows_is_public(url, is_public):
    assert visitors.is_public(url) is is_public


@pytest.mark.parametrize(
    ("proxies", "ids"),
    [([], set()), (["10.0.0.0/8", "::1"], set()), (["10.0.0.1/8"], {"config.E021"}),
     (["proxy"], {"config.E021"})],
)  # fmt: skip
def test_a_proxy_is_an_address_or_a_network(settings, proxies, ids):
    settings.TRUSTED_PROXIES = proxies
    assert {found.id for found in checks.proxies(None)} == ids
