"""Is recorded mail read for what it is? Kinds, permanence, recipients, people's own words."""

from __future__ import annotations

from bench import _mail, _real
from bench.harness import Results, timed


def run(results: Results) -> None:
    """The shares, each with its goal."""
    if folder := _real.folder("inbound_mail", results):
        duration, figures = timed(lambda: _mail.inbound(folder))
        for what in sorted(figures.asked):
            told = f"{figures.right[what]} of {figures.asked[what]}"
            if what in {"recipients", "number of recipients", "reply text of the mails"}:
                results.fact(what, told)
            else:
                results.check(what, figures.share(what) >= 0.95, told, "95 %")
        as_human = len(figures.read_as_human)
        results.check(
            "bounces and the like read as a human reply", as_human == 0, as_human, "0"
        )
        results.fact("mails a second", round(sum(_kinds(figures).values()) / duration))
        for line in figures.wrong:
            results.note(f"wrong: {line}")
    if folder := _real.folder("replies", results):
        figures = _mail.replies(folder)
        told = f"{figures.right['strict']} of {figures.asked['strict']}"
        results.check(
            "people's own words, strict", figures.share("strict") >= 0.9, told, "90 %"
        )
        results.fact("people's own words, loose", figures.share("loose"))


def _kinds(figures: _mail.Figures) -> dict[str, int]:
    return {what: n for what, n in figures.asked.items() if what.startswith("kind ")}
