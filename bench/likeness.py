"""Scoring 100 products against 100,000 buyers in arrays, against pgvector's exact search."""

from __future__ import annotations

import numpy as np
from django.db import connection

from bench import _roles
from bench.harness import Results, timed
from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate, Client
from pitches import matching
from prospects.models import Lead

LEADS, CANDIDATES = 100_000, 100
# pgvector is asked for so many candidates, and its time multiplied.
ASKED = 4
BEST = 25


def run(results: Results) -> None:
    campaign = _fill()
    reading, (ids, vectors) = timed(
        lambda: embeddings.matrix(Lead.objects.filter(kind=Lead.Kind.BUYER), text=str)
    )
    results.fact("vectors read, a second", f"{len(ids) / reading:,.0f}")
    planning, planned = timed(lambda: matching.plan(campaign, now=_roles.NOW))
    results.fact("pairs", f"{planned.outcome.pairs:,}")
    results.fact("plan with everything read, seconds", planning)

    pool = matching.pool_of(campaign, now=_roles.NOW)
    everything = slice(0, len(pool.leads))
    scoring, _ = timed(lambda: pool.scores.block(everything), rounds=5)
    _, wishes = embeddings.matrix(Candidate.objects.all(), text=str)
    product, _ = timed(lambda: wishes @ vectors.T, rounds=5)
    results.fact("the product alone, seconds", product)
    results.fact("scores of all pairs, seconds", scoring)
    nearest, _ = timed(lambda: _nearest(wishes, vectors), rounds=5)
    searching, _ = timed(_search)
    searched = searching / ASKED * CANDIDATES
    results.note(
        f"pgvector was asked for {ASKED} of {CANDIDATES} candidates; its time is multiplied."
    )
    results.pair(
        f"the {BEST} nearest of each against pgvector's exact search",
        ours=nearest,
        theirs=searched,
        at_least=20,
    )


def _fill() -> Campaign:
    client = Client.objects.create(name="Bench", slug="bench")
    campaign = Campaign.objects.create(
        client=client, name="Bench", slug="bench", preset=Campaign.Preset.PRODUCT
    )
    with connection.cursor() as cursor:
        Lead.objects.create(
            kind=Lead.Kind.BUYER,
            name="First",
            first_seen_at=_roles.NOW,
            last_seen_at=_roles.NOW,
        )
        _multiply(cursor, Lead, LEADS - 1, {"name": "'Buyer ' || n", "text": "'Payroll ' || n"})
        Candidate.objects.create(
            client=client, kind=Candidate.Kind.PRODUCT, reference="first", name="First"
        )
        _multiply(cursor, Candidate, CANDIDATES - 1, {"reference": "'p' || n"})
    luck = np.random.default_rng(1)
    for table in (Lead, Candidate):
        ids = list(table.objects.values_list("pk", flat=True))
        for first in range(0, len(ids), 10_000):
            some = ids[first : first + 10_000]
            drawn = luck.standard_normal((len(some), 256), np.float32)
            drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
            embeddings.store(
                table, dict(zip(some, drawn, strict=True)), model=embeddings.embedder().model
            )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    campaign.candidates.set(Candidate.objects.all())
    return campaign


def _multiply(cursor, model, times: int, changed: dict[str, str]) -> None:
    """Copies of the one row of a table, with some columns changed."""
    columns = [
        field.column for field in model._meta.local_concrete_fields if not field.primary_key
    ]
    values = [changed.get(column, f'"{column}"') for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    cursor.execute(
        f"INSERT INTO {model._meta.db_table} ({names}) SELECT {', '.join(values)} "
        f"FROM {model._meta.db_table}, generate_series(1, {times}) AS n"
    )


def _nearest(wishes: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    likeness = wishes @ vectors.T
    return np.argpartition(-likeness, BEST, axis=1)[:, :BEST]


def _search() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET enable_indexscan = off")
        cursor.execute(
            "SELECT wish.id, found.id FROM (SELECT id, embedding FROM campaigns_candidate "
            f"ORDER BY id LIMIT {ASKED}) AS wish, "
            "LATERAL (SELECT id FROM prospects_lead "
            f"ORDER BY embedding <=> wish.embedding LIMIT {BEST}) AS found"
        )
        cursor.fetchall()
        cursor.execute("RESET enable_indexscan")
