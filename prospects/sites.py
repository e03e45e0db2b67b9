"""Web addresses as dedupe sees them: whose site it is, and one spelling of a page."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from urllib.parse import urlsplit

from prospects import addresses
from prospects.addresses import AddressError

# Sites on which many people have a page: the domain does not say who it is.
SHARED = {
    *("acast.com", "alonetone.com", "amazon.com", "anchor.fm", "angel.co", "apple.com"),
    *("archive.org", "ashbyhq.com", "audioboo.fm", "audioboom.com", "bandcamp.com"),
    *("blogger.com", "blogspot.com", "blogtalkradio.com", "blubrry.com", "buzzsprout.com"),
    *("captivate.fm", "castbox.fm", "castos.com", "cyberears.com", "delicious.com"),
    *("facebook.com", "fb.com", "feedblitz.com", "feedburner.com", "fireside.fm"),
    *("github.com", "github.io", "gitlab.io", "google.com", "greenhouse.io", "gumroad.com"),
    *("hipcast.com", "icims.com", "iheart.com", "indeed.com", "instagram.com", "itunes.com"),
    *("jellycast.com", "jimdo.com", "jobvite.com", "lever.co", "libsyn.com", "linkedin.com"),
    *("linktr.ee", "listennotes.com", "live.com", "livejournal.com", "medium.com"),
    *("megaphone.fm", "mixcloud.com", "myshopify.com", "myspace.com", "myworkdayjobs.com"),
    *("notion.site", "overcast.fm", "patreon.com", "pinecast.com", "pinterest.com"),
    *("player.fm", "podbean.com", "podcastgarden.com", "podcastmachine.com"),
    *("podiobooks.com", "podomatic.com", "rapidfeeds.com", "redcircle.com", "reddit.com"),
    *("rss.com", "simplecast.com", "simplify.jobs", "smartrecruiters.com", "soundcloud.com"),
    *("spotify.com", "spreaker.com", "squarespace.com", "stitcher.com", "substack.com"),
    *("talkshoe.com", "threads.net", "tiktok.com", "transistor.fm", "tumblr.com"),
    *("twitch.tv", "twitter.com", "typepad.com", "vimeo.com", "voiceamerica.com"),
    *("webs.com", "weebly.com", "wellfound.com", "wix.com", "wixsite.com", "wordpress.com"),
    *("workable.com", "x.com", "youtube.com", "zencast.fm"),
}
_FEED_SCHEME = re.compile(r"^(feed|itpc|pcast):(//)?", re.IGNORECASE)


def own_domain(url: str) -> str:
    """The domain of a site that is somebody's own; empty for shared sites and for no site."""
    try:
        domain = addresses.canonical_domain(url) if url else ""
    except AddressError:
        return ""
    return "" if is_shared(domain) else domain


@lru_cache(8_192)
def is_shared(domain: str) -> bool:
    """Whether many people have a page on this domain."""
    labels = domain.split(".")
    return any(".".join(labels[at:]) in SHARED for at in range(len(labels) - 1))


def site_key(url: str) -> str:
    """Whose site it is: the domain, or on a shared one the page or the name before it."""
    domain = own_domain(url)
    if domain:
        return domain
    key = page_key(url)
    return key if "/" in key or key.count(".") > 1 else ""


def page_key(url: str) -> str:
    """One spelling of a page or feed: without scheme, ``www.`` and a last slash.

    At most 480 characters; the rest of a longer one is a digest.
    """
    url = _FEED_SCHEME.sub("http://", url.strip()).replace("http://http", "http", 1)
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    key = f"{host}{parts.path.rstrip('/')}{'?' if parts.query else ''}{parts.query}"
    if len(key) > 480:
        return f"{key[:400]}#{hashlib.sha256(key.encode()).hexdigest()}"
    return key
