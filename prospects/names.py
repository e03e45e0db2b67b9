"""Names as dedupe sees them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from config.text import clean_line

# Legal forms say how a company is taxed, not which company it is.
_FORMS = frozenset(
    [
        "ab",
        "ag",
        "aps",
        "bv",
        "co",
        "corp",
        "corporation",
        "company",
        "gmbh",
        "inc",
        "incorporated",
        "kg",
        "limited",
        "llc",
        "llp",
        "ltd",
        "nv",
        "oy",
        "plc",
        "pty",
        "sa",
        "sarl",
        "sas",
        "se",
        "spa",
        "srl",
    ]
)
_NOT_A_WORD = re.compile(r"[^\w]+")


@lru_cache(8_192)
def words_of(name: str) -> str:
    """The words of a name: lower case, without accents and punctuation, ``&`` as "and"."""
    plain = unicodedata.normalize("NFKD", clean_line(name, 500).replace("&", " and "))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    plain = plain.replace("'", "").replace("\u2019", "").replace(".", "")
    return _NOT_A_WORD.sub(" ", plain).strip()


@lru_cache(8_192)
def organization_key(name: str) -> str:
    """``Organization.name_key``: its words without "the" and legal forms: ``stripe`` for
    ``Stripe, Inc.``

    Where nothing is left (a name of emoji only), the name itself.
    """
    words = words_of(name).split()
    while len(words) > 1 and words[-1] in _FORMS:
        words.pop()
    if len(words) > 1 and words[0] == "the":
        words.pop(0)
    return (" ".join(words) or clean_line(name).casefold())[:200]


def title_key(name: str) -> str:
    """The title of a show or page as dedupe sees it; the name itself where it has no words."""
    return (words_of(name) or clean_line(name, 500).casefold())[:200]
