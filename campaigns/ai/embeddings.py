"""Texts as 256 numbers, by the embedder that settings.EMBEDDINGS names.

Only vectors of one `model` are ever compared; a change of the setting embeds again.
"""

from __future__ import annotations

import logging
import math
import re
import zlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models import Q
from numpy.typing import NDArray

from config import backends
from config.db import EMBEDDING_DIMENSIONS

# What is read of one text; the rest of a long description says little new.
LONGEST_TEXT = 20_000
ROWS_AT_ONCE = 1_000

Vector = NDArray[np.float32]

# Letters and digits, and what belongs to a name: C++, C#, R&D.
WORD = re.compile(r"[^\W_]+(?:[+#&]+[^\W_]*)*")

# Too common to tell one text from another. Fixed, so that nothing has to be fitted.
STOP_WORDS = frozenset(
    WORD.findall(
        """
    a about after all also an and any are as at be because been before being between both but
    by can could did do does doing down during each every few first for from further get had has
    have having he her here hers him his how i if in into is it its itself just know like make
    may me more most my new no nor not now of off on once one only or other our out over own
    people same she should so some such than that the their them then there these they this
    those through time to too under until up us very was we well were what when where which
    while who whom whose why will with would you your yours com www http https podcast podcasts
    episode episodes show shows week weekly host hosts hosted join listen listening listeners
    featuring features series world life best"""
    )
)


def words(text: str) -> list[str]:
    """The words of `text` that say something, lower case, in order."""
    found = WORD.findall(text[:LONGEST_TEXT].lower())
    return [word for word in found if len(word) > 1 and word not in STOP_WORDS]


class Embedder(ABC):
    """Turns texts into unit vectors. `model` names the space they live in."""

    model: str
    # The score from which a guest match is worth a person's time (H000-02). Each model has a
    # scale of its own, so each has a mark of its own.
    match_threshold: Decimal

    @abstractmethod
    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        """One vector of unit length for each text; None for a text without a word."""


class Lexical(Embedder):
    """Hashed words and pieces of words: deterministic, offline, nothing fitted, no download.

    Each word and its pieces of four and five characters fall on fixed places with fixed signs;
    how often a word occurs counts by its logarithm, and short words count less than long ones.
    It finds shared words and shared stems, not shared meaning.
    """

    model = "lexical-1"
    # Measured (`python -m bench match_quality`): 1 in 100 pairs of unrelated shows reaches it.
    match_threshold = Decimal(20)

    PLACES = 4  # of each feature, so that one collision does not decide
    PIECES = (4, 5)
    PIECE_WEIGHT = 1.5
    LONG_WORD = 8

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        return [self._embed(text) for text in texts]

    def _embed(self, text: str) -> Vector | None:
        counts = Counter(words(text))
        if not counts:
            return None
        total = np.zeros(EMBEDDING_DIMENSIONS, np.float64)
        for word, count in counts.items():
            total += (1 + math.log(count)) * _word_vector(word)
        return _unit(total)


@lru_cache(maxsize=50_000)
def _word_vector(word: str) -> NDArray[np.float32]:
    vector = np.zeros(EMBEDDING_DIMENSIONS, np.float32)
    _add(vector, word, 1.0)
    edged = f"<{word}>"
    pieces = [
        edged[start : start + size]
        for size in Lexical.PIECES
        for start in range(len(edged) - size + 1)
    ]
    for piece in pieces:
        _add(vector, f"#{piece}", Lexical.PIECE_WEIGHT / math.sqrt(len(pieces)))
    return vector * min(1.0, len(word) / Lexical.LONG_WORD)


def _add(vector: NDArray[np.float32], feature: str, weight: float) -> None:
    # crc32 is the same on every machine and in every process, which hash() is not; the
    # multiplication spreads its bits, which for short words are much alike.
    spelled = feature.encode()
    for place in range(Lexical.PLACES):
        mixed = zlib.crc32(spelled, place + 1) * 2_654_435_761 & 0xFFFF_FFFF
        sign = 1.0 if mixed & 1 else -1.0
        vector[mixed >> 8 & EMBEDDING_DIMENSIONS - 1] += sign * weight


class WordLlama(Embedder):
    """Static word vectors of the package wordllama (extra `offline-embeddings`).

    Finds shared meaning too, a third more than the lexical one on recorded shows. It is used
    beside shared words, never alone.
    """

    model = "wordllama-0.4-256"
    match_threshold = Decimal(29)  # measured in the same way

    def __init__(self) -> None:
        self._table = _load_wordllama()

    def embed(self, texts: Sequence[str]) -> list[Vector | None]:
        # A text without a word has no direction: the package answers NaN, the database refuses.
        told = [number for number, text in enumerate(texts) if words(text)]
        vectors: list[Vector | None] = [None] * len(texts)
        if told:
            table = self._table.embed([texts[n][:LONGEST_TEXT] for n in told], norm=True)
            for number, vector in zip(told, table, strict=True):
                vectors[number] = _unit(np.asarray(vector, np.float64))
        return vectors


def _load_wordllama() -> Any:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        import wordllama
    except ImportError as e:
        raise backends.BackendError(
            "EMBEDDINGS=wordllama needs the package of that name: install the extra "
            "offline-embeddings, or use EMBEDDINGS=lexical."
        ) from e
    finally:
        # Importing it configures the root logger, which is ours to configure.
        root.handlers[:] = handlers
        root.setLevel(level)
    # Its own look-up misses the folder in its wheel and would go to the network.
    return wordllama.WordLlama.load(
        cache_dir=Path(wordllama.__file__).parent, disable_download=True
    )


def _unit(vector: NDArray[Any]) -> Vector | None:
    length = float(np.linalg.norm(vector))
    if not math.isfinite(length) or length == 0:
        return None
    return (vector / length).astype(np.float32)


def embedder() -> Embedder:
    """The one that settings.EMBEDDINGS names.

    Raises BackendError if it does not exist or does not load.
    """
    chosen: Embedder = backends.load("EMBEDDERS", settings.EMBEDDINGS, Embedder)
    return chosen


def embed_missing(
    rows: models.QuerySet,
    *,
    text: Callable[[Any], str],
    with_model: Embedder | None = None,
    at_once: int = ROWS_AT_ONCE,
) -> int:
    """Embed the rows that have no vector, or one of another model; answer how many were stored.

    `rows` are of a model with `embedding` and `embedding_model`; `text` says what to embed of
    one row. Where that text changes, the database forgets the vector (migrations
    `…changed_text_forgets_its_embedding`). Two queries per `at_once` rows.
    """
    ours = with_model or embedder()
    missing = rows.filter(Q(embedding=None) | ~Q(embedding_model=ours.model)).order_by("pk")
    stored, after = 0, 0
    while batch := list(missing.filter(pk__gt=after)[:at_once]):
        after = batch[-1].pk
        vectors = ours.embed([text(row) for row in batch])
        stored += store(
            rows.model,
            {row.pk: vector for row, vector in zip(batch, vectors, strict=True)},
            model=ours.model,
        )
    return stored


def store(table: type[models.Model], vectors: dict[int, Vector | None], *, model: str) -> int:
    """Write vectors of `model` to rows of a table, by id; answer how many. One query."""
    known = {pk: vector for pk, vector in vectors.items() if vector is not None}
    if not known:
        return 0
    quoted = connection.ops.quote_name(table._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {quoted} SET embedding = told.vector::vector, embedding_model = %s "
            "FROM unnest(%s::bigint[], %s::text[]) AS told(id, vector) "
            f"WHERE {quoted}.id = told.id",
            [model, list(known), [_spelled(vector) for vector in known.values()]],
        )
        return int(cursor.rowcount)


def _spelled(vector: Vector) -> str:
    return "[" + ",".join(f"{number:.7g}" for number in vector.tolist()) + "]"


def matrix(
    rows: models.QuerySet, *, text: Callable[[Any], str], with_model: Embedder | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The ids of `rows` and their vectors, one row each; rows without a word are left out.

    What is not stored yet is embedded on the way and not stored, so that a dry run sees what
    the real run will see. Two queries.
    """
    ours = with_model or embedder()
    kept = rows.filter(embedding_model=ours.model, embedding__isnull=False)
    ids, vectors = _stored(kept.order_by("pk"))
    missing = list(rows.filter(Q(embedding=None) | ~Q(embedding_model=ours.model)))
    embedded = zip(missing, ours.embed([text(row) for row in missing]), strict=True)
    new = [(row.pk, vector) for row, vector in embedded if vector is not None]
    if not new:
        return ids, vectors
    return (
        np.concatenate([ids, np.array([pk for pk, _ in new], np.int64)]),
        np.concatenate([vectors, np.stack([vector for _, vector in new])]),
    )


# A row of COPY (FORMAT BINARY): the number of columns, then each with its length before it. A
# vector is its dimension, two bytes unused, and its numbers.
_ROW = np.dtype(
    [
        ("columns", ">i2"),
        ("id_bytes", ">i4"),
        ("id", ">i8"),
        ("vector_bytes", ">i4"),
        ("dimension", ">i2"),
        ("unused", ">i2"),
        ("vector", ">f4", EMBEDDING_DIMENSIONS),
    ]
)
_HEADER_BYTES, _TRAILER_BYTES = 19, 2
_BYTES_AT_ONCE = 64 * 2**20


def _stored(rows: models.QuerySet) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Ids and vectors as the database has them: binary, since their spelling takes ten times
    as long to read.
    """
    ids, vectors = [np.zeros(0, np.int64)], [np.zeros((0, EMBEDDING_DIMENSIONS), np.float32)]
    try:
        sql, params = rows.values_list("pk", "embedding").query.sql_with_params()
    except EmptyResultSet:  # Django knows without asking: pk in an empty list
        return ids[0], vectors[0]
    postgres: Any = connection.ops

    def read(buffer: bytearray) -> None:
        whole = len(buffer) // _ROW.itemsize
        told = np.frombuffer(buffer, _ROW, whole)
        ids.append(told["id"].astype(np.int64))
        vectors.append(told["vector"].astype(np.float32))
        del told  # or the buffer cannot be shortened
        del buffer[: whole * _ROW.itemsize]

    waiting = bytearray()
    with connection.cursor() as cursor:
        asked = postgres.compose_sql(sql, params)
        with cursor.copy(f"COPY ({asked}) TO STDOUT (FORMAT BINARY)") as copy:
            for number, piece in enumerate(copy):
                waiting += bytes(piece)[_HEADER_BYTES:] if number == 0 else piece
                if len(waiting) > _BYTES_AT_ONCE:
                    read(waiting)
    del waiting[-_TRAILER_BYTES:]
    read(waiting)
    return np.concatenate(ids), np.concatenate(vectors)
