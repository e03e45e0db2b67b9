"""Addresses: what is refused, and one spelling for every way to write it."""

import pytest

from prospects import addresses, names
from prospects.addresses import AddressError

ACCEPTED = {
    "ada@example.com": "ada@example.com",
    "Ada@EXAMPLE.Com": "ada@example.com",
    "  ada@example.com\u00a0": "ada@example.com",
    "ada\u200b@example.com": "ada@example.com",
    "\ufeffada@example.com": "ada@example.com",
    "ad\x00a@example.com": "ada@example.com",
    "mailto:ada@example.com?subject=Hi": "ada@example.com",
    "<ada@example.com>": "ada@example.com",
    "ada+news@example.com": "ada@example.com",
    "ada+news+more@example.com": "ada@example.com",
    "a.d.a@example.com": "a.d.a@example.com",
    "A.D.A+x@gmail.com": "ada@gmail.com",
    "ada@googlemail.com": "ada@gmail.com",
    "a@bücher.example": "a@xn--bcher-kva.example",
    "a@BÜCHER.example": "a@xn--bcher-kva.example",
    "a@bu\u0308cher.example": "a@xn--bcher-kva.example",
    "a@xn--bcher-kva.example": "a@xn--bcher-kva.example",
    "a@straße.example": "a@xn--strae-oqa.example",
    "a@\u0440\u0430ypal.example": "a@xn--ypal-43d9g.example",
    "m10488076@dfec860.example.org": "m10488076@dfec860.example.org",
    "o'brien@example.com": "o'brien@example.com",
    "a_b-c@example.co.uk": "a_b-c@example.co.uk",
    "x" * 64 + "@example.com": "x" * 64 + "@example.com",
    "+tag@example.com": "+tag@example.com",
}
REFUSED = [
    "",
    "   ",
    "ada",
    "ada@",
    "@example.com",
    "ada@example",
    "ada@localhost",
    "ada@LOCALHOST",
    "ada@x.localhost",
    "ada@[127.0.0.1]",
    "ada@127.0.0.1",
    "ada@127.0.0.10",
    "ada@[IPv6:::1]",
    "x" * 65 + "@example.com",
    "ada@" + "x" * 64 + ".example.com",
    "ada@" + "x.example." * 30 + "com",
    '"ada"@example.com',
    '"ada lovelace"@example.com',
    "ada%other.example@example.com",
    "other.example!ada@example.com",
    "ada@example.com.",
    "ada@example..com",
    "ada@.example.com",
    "ada@-example.com",
    "ada@example.com/x",
    "ada@example.com:25",
    "ada..b@example.com",
    ".ada@example.com",
    "ada.@example.com",
    "jösé@example.com",
    "a@b@example.com",
    "Ada <ada@example.com>",
    '"Bob" <evil@example.com>',
    "c@example.com <e@example.com>",
    "a@example.com, b@example.com",
    "a@example.com;b@example.com",
    "a@example.com b@example.com",
    "a@example.com\r\nBcc: b@example.com",
    "ada lovelace@example.com",
    "ada@exam ple.com",
    "ada@ex_ample.com",
    "+49 170 1234567",
    "http://example.com/ada@example.com",
]


@pytest.mark.req("SEC-23")
@pytest.mark.parametrize(("written", "canonical"), ACCEPTED.items())
def test_one_spelling_for_every_way_to_write_an_address(written, canonical):
    assert addresses.canonical_email(written) == canonical


@pytest.mark.req("SEC-23")
@pytest.mark.parametrize("written", REFUSED)
def test_what_a_mail_server_could_misread_is_refused(written):
    with pytest.raises(AddressError):
        addresses.canonical_email(written)


@pytest.mark.req("H000-16")
def test_several_addresses_in_one_field_are_refused_with_a_clear_sentence():
    with pytest.raises(AddressError, match="several addresses; write one"):
        addresses.canonical_email("ada@example.com, bob@example.com")


def test_the_canonical_spelling_is_its_own_canonical_spelling():
    for canonical in ACCEPTED.values():
        assert addresses.canonical_email(canonical) == canonical


def test_the_exact_spelling_keeps_dots_and_tag():
    assert addresses.exact_email("A.B+x@GoogleMail.com") == "a.b+x@googlemail.com"


@pytest.mark.parametrize(
    ("written", "domain"),
    [
        ("example.com", "example.com"),
        ("https://www.example.com/about?x=1", "example.com"),
        ("HTTP://Example.COM:8080", "example.com"),
        ("www.bücher.example", "xn--bcher-kva.example"),
        ("//example.com", "example.com"),
        ("www.com", "www.com"),
        ("https://user:pass@example.com/", "example.com"),
    ],
)
def test_a_domain_is_read_from_whatever_holds_it(written, domain):
    assert addresses.canonical_domain(written) == domain


@pytest.mark.parametrize(
    "written",
    [
        "",
        "localhost",
        "http://127.0.0.1/",
        "http://[::1]/",
        "x",
        "a b.com",
        "http://[",
        "1.2.3",
    ],
)
def test_what_no_site_may_be_called_is_no_domain(written):
    with pytest.raises(AddressError):
        addresses.canonical_domain(written)


@pytest.mark.parametrize(
    "written",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//evil.test",
        "file:///etc/passwd",
        "x",
        "ftp://example.com",
        "http://127.0.0.1/",
        pytest.param("http://example.com/" + "x" * 100_000, id="endless"),
    ],
)
def test_only_web_addresses_of_named_hosts_are_links(written):
    assert not addresses.is_url(written)
    assert addresses.is_url("https://example.com/page")


def test_telephone_numbers_are_kept_with_their_country():
    assert addresses.canonical_phone("+49 (0)170 / 123-45 67") == "+491701234567"
    assert addresses.canonical_phone("0170 1234567", country="de") == "+491701234567"
    for wrong in ("0170 1234567", "ada@example.com", "+49 1", ""):
        with pytest.raises(AddressError):
            addresses.canonical_phone(wrong)


@pytest.mark.parametrize(
    "written",
    [
        "https://www.linkedin.com/in/Ada-Lovelace/",
        "linkedin.com/in/ada-lovelace?trk=x",
        "de.linkedin.com/in/ada-lovelace/details/x",
        "http://linkedin.com/pub/ada-lovelace/1/2/3",
        "@ada-lovelace",
    ],
)
def test_a_linkedin_page_has_one_spelling(written):
    assert addresses.canonical_linkedin(written) == "linkedin.com/in/ada-lovelace"


def test_a_linkedin_page_is_on_linkedin():
    for wrong in (
        "https://notlinkedin.com/in/ada",
        "https://linkedin.com/feed",
        "ada lovelace",
    ):
        with pytest.raises(AddressError):
            addresses.canonical_linkedin(wrong)


def test_a_profile_has_one_spelling_where_the_network_ignores_case():
    assert addresses.canonical_profile("https://www.Instagram.com/Ada/") == "instagram.com/ada"
    assert addresses.canonical_profile("https://twitter.com/Ada") == "x.com/ada"
    assert addresses.canonical_profile("https://example.com/Ada") == "example.com/Ada"
    with pytest.raises(AddressError):
        addresses.canonical_profile("https://instagram.com/")


def test_legal_forms_do_not_make_another_company():
    for written in ("Stripe, Inc.", "STRIPE", "The Stripe Co.", "Stripe™ GmbH & Co. KG"):
        assert names.organization_key(written).startswith("stripe")
    assert names.organization_key("Stripe, Inc.") == names.organization_key("stripe")
    assert names.organization_key("Inc") == "inc"
    assert names.organization_key("🦊🦊") == "🦊🦊"
    assert names.organization_key("Müller & Söhne") == names.organization_key(
        "Muller and Sohne"
    )
