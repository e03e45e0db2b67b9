"""Does the likeness of texts find what listeners find? Recall@10 on recorded shows.

Each show with known neighbours asks for others like it, as a campaign would: its text is
embedded, its words are its keywords. The file README of the data gives .167 for TF-IDF.
"""

from __future__ import annotations

import csv
from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from bench import _real
from bench.harness import Results, timed
from campaigns.ai import embeddings
from config import backends
from pitches.matching import guest_scores, scores

TF_IDF = 0.167
RANDOM_PAIRS = 200_000


def run(results: Results) -> None:
    for name in backends.names("EMBEDDERS"):
        try:
            ours = backends.load("EMBEDDERS", name, embeddings.Embedder)
        except backends.BackendError as e:
            results.note(f"{name} is not measured: {e}")
        else:
            results.note(f"{name}:")
            measure(ours, results)


def measure(ours: embeddings.Embedder, results: Results) -> None:
    """Recall and marks of one embedder."""
    folder = _real.folder("match_quality", results)
    if folder is None:
        return
    with (folder / "podcasts_apple.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    place = {row["apple_id"]: number for number, row in enumerate(rows)}
    near: dict[int, set[int]] = defaultdict(set)
    with (folder / "also_subscribed_qrels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["query_apple_id"] in place and row["relevant_apple_id"] in place:
                near[place[row["query_apple_id"]]].add(place[row["relevant_apple_id"]])
    asking = np.array(sorted(near))
    texts = [
        "\n".join([row["title"], row["producer"], row["genre"], row["description"]])
        for row in rows
    ]
    duration, vectors = timed(lambda: ours.embed(texts))
    results.fact("shows", len(rows))
    results.fact("shows that ask, and their known neighbours", len(asking))
    results.fact(f"texts a second, {ours.model}", round(len(texts) / duration))
    empty = np.zeros(256, np.float32)
    matrix = np.stack([empty if vector is None else vector for vector in vectors])
    cosine = matrix[asking] @ matrix.T
    shared = overlap([frozenset(embeddings.words(text)) for text in texts], asking)

    def recall(score: NDArray) -> float:
        score = score.copy()
        score[np.arange(len(asking)), asking] = -9
        best = np.argpartition(-score, 10, axis=1)[:, :10]
        found = [
            len(near[show] & set(row)) / len(near[show])
            for show, row in zip(asking.tolist(), best.tolist(), strict=True)
        ]
        return float(np.mean(found))

    results.fact("Recall@10, vectors alone", recall(cosine))
    results.fact("Recall@10, words alone (Jaccard)", recall(shared))
    both = recall(0.5 * cosine + 0.5 * shared)
    results.check(
        "Recall@10, half and half (products, creators)", both >= TF_IDF, both, "TF-IDF's .167"
    )
    # No show names keywords: five of its words stand for them, and another show has those that
    # its text contains.
    said = keywords_said([texts[number] for number in asking.tolist()], texts)
    guest = recall(0.7 * cosine + 0.3 * said)
    results.fact("Recall@10, guests (0.7 likeness and 0.3 keywords)", guest)
    results.check(
        "words and vectors together find more than vectors alone",
        both > recall(cosine) < guest,
        f"{guest / recall(cosine):.2f}x, {both / recall(cosine):.2f}x",
        "above 1",
    )

    # The mark of guests: what hardly any pair of unrelated shows reaches.
    score = 100 * (0.7 * np.clip(cosine, 0, 1) + 0.3 * said)
    luck = np.random.default_rng(1)
    rows_, columns = (
        luck.integers(0, len(asking), RANDOM_PAIRS),
        luck.integers(0, len(texts), RANDOM_PAIRS),
    )
    unrelated = np.array(
        [
            column not in near[asking[row]] and column != asking[row]
            for row, column in zip(rows_.tolist(), columns.tolist(), strict=True)
        ]
    )
    unrelated_scores = score[rows_, columns][unrelated]
    related = np.array(
        [score[n, show] for n, q in enumerate(asking.tolist()) for show in near[q]]
    )
    for share in (0.05, 0.02, 0.01, 0.005):
        mark = float(np.quantile(unrelated_scores, 1 - share))
        results.fact(
            f"mark that {share:.1%} of unrelated pairs reach; share of related pairs",
            f"{mark:.1f}; {np.mean(related >= mark):.0%}",
        )
    mark = float(ours.match_threshold)
    reached = float(np.mean(unrelated_scores >= mark))
    results.check(
        f"unrelated pairs that reach the threshold {mark:g}",
        reached <= 0.012,
        f"{reached:.2%}",
        "about 1 in 100",
    )
    enough = float(np.mean(related >= mark))
    results.fact(f"related pairs that reach the threshold {mark:g}", f"{enough:.0%}")
    assert guest_scores.guest_score(0.62, 0.20) == scores.points(4940)


def overlap(sets: list[frozenset[str]], asking: NDArray) -> NDArray[np.float32]:
    """Jaccard of the asking sets with all."""
    number = {word: n for n, word in enumerate(sorted(frozenset().union(*sets)))}
    table = np.zeros((len(sets), len(number)), np.float32)
    for row, words in enumerate(sets):
        table[row, [number[word] for word in words]] = 1
    both = table[asking] @ table.T
    size = table.sum(axis=1)
    either = size[asking][:, None] + size[None, :] - both
    found: NDArray[np.float32] = both / np.maximum(either, 1)
    return found


def keywords_said(asking: list[str], texts: list[str]) -> NDArray[np.float32]:
    """The share of each asking text's five longest words that each text contains."""
    chosen = [
        sorted(set(embeddings.words(text)), key=lambda word: (-len(word), word))[:5]
        for text in asking
    ]
    names = sorted({word for words in chosen for word in words})
    place = {name: number for number, name in enumerate(names)}
    found = scores.spoken(names, texts)
    return np.stack(
        [found[[place[word] for word in words]].mean(axis=0) for words in chosen]
    ).astype(np.float32)
