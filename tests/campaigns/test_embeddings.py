"""Texts as numbers: the same everywhere, comparable, and never NaN."""

import importlib.util
import logging
import subprocess
import sys

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings

from campaigns.ai import embeddings
from campaigns.models import Campaign, Candidate
from config.backends import BackendError
from pitches import matching
from tests.clock import MONDAY
from tests.factories import (
    CampaignFactory,
    CandidateFactory,
    ContentItemFactory,
    LeadFactory,
)


def texts(candidate: Candidate) -> str:
    return candidate.bio


def test_the_lexical_embedder_is_the_default_and_gives_unit_vectors():
    ours = embeddings.embedder()
    assert isinstance(ours, embeddings.Lexical)
    vectors = ours.embed(["Rowing across the ocean", "rowing, ROWING", "C++"])
    assert [len(vector) for vector in vectors] == [256] * 3
    assert np.allclose([np.linalg.norm(vector) for vector in vectors], 1, atol=1e-6)


def test_equal_texts_have_equal_vectors_in_every_process():
    code = (
        "import django; django.setup();"
        "from campaigns.ai.embeddings import Lexical;"
        "print(Lexical().embed(['Rowing oceans'])[0].tolist())"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "DJANGO_SETTINGS_MODULE": "config.settings"}
            | {"ENV_FILE": "tests/config/test.env"},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(told) == 1


def test_shared_words_and_shared_stems_are_alike():
    rows, near, stem, far = embeddings.Lexical().embed(
        ["ocean rowing", "rowing an ocean alone", "rowers and oceans", "tax law for lawyers"]
    )
    assert rows @ near > rows @ stem > 0.2 > abs(rows @ far)


@pytest.mark.parametrize("text", ["", "  \n", "…!?", "🙂", "the and of", "\x01"])
def test_a_text_without_a_word_has_no_vector(text):
    assert embeddings.Lexical().embed([text]) == [None]


def test_a_very_long_text_is_cut():
    long, cut = embeddings.Lexical().embed(["word " * 1_000_000, "word " * 4_000])
    assert np.array_equal(long, cut)


@pytest.mark.django_db
def test_what_is_missing_or_of_another_model_is_embedded_and_the_rest_left_alone():
    new = CandidateFactory(bio="Rowing oceans")
    other = CandidateFactory(bio="Rowing oceans", embedding=[1.0] * 256, embedding_model="old")
    told = CandidateFactory(
        bio="Rowing oceans", embedding=[0.5] * 256, embedding_model=embeddings.Lexical.model
    )
    empty = CandidateFactory(bio="")
    assert embeddings.embed_missing(Candidate.objects.all(), text=texts, at_once=3) == 2
    for row in (new, other, told, empty):
        row.refresh_from_db()
    assert np.allclose(new.embedding, embeddings.Lexical().embed(["Rowing oceans"])[0])
    assert list(new.embedding) == list(other.embedding)
    assert told.embedding[0] == 0.5
    assert empty.embedding is None
    assert embeddings.embed_missing(Candidate.objects.all(), text=texts) == 0


@pytest.mark.django_db
def test_the_queries_of_embedding_do_not_grow_with_the_rows():
    def queries(rows: int) -> int:
        CandidateFactory.create_batch(rows)
        with CaptureQueriesContext(connection) as captured:
            embeddings.embed_missing(Candidate.objects.all(), text=texts)
        return len(captured)

    assert queries(2) == queries(20)


@pytest.mark.django_db
def test_a_dry_look_sees_what_would_be_stored():
    CandidateFactory(bio="Rowing oceans")
    CandidateFactory(bio="")
    ids, seen = embeddings.matrix(Candidate.objects.all(), text=texts)
    assert not Candidate.objects.exclude(embedding=None).exists()
    embeddings.embed_missing(Candidate.objects.all(), text=texts)
    stored_ids, stored = embeddings.matrix(Candidate.objects.all(), text=texts)
    assert ids.tolist() == stored_ids.tolist()
    assert np.allclose(seen, stored, atol=1e-6)


@override_settings(EMBEDDINGS="nothing")
def test_an_unknown_embedder_is_named():
    with pytest.raises(BackendError, match="nothing"):
        embeddings.embedder()


def test_wordllama_loads_offline_or_says_what_to_install():
    level, handlers = logging.getLogger().level, list(logging.getLogger().handlers)
    with override_settings(EMBEDDINGS="wordllama"):
        if importlib.util.find_spec("wordllama"):
            known, none = embeddings.embedder().embed(["Rowing oceans", ""])
            assert none is None
            assert np.isclose(np.linalg.norm(known), 1, atol=1e-5)
        else:
            with pytest.raises(BackendError, match="offline-embeddings"):
                embeddings.embedder()
    assert (logging.getLogger().level, logging.getLogger().handlers) == (level, handlers)


CHANGES = [
    (CandidateFactory, "bio", "New"),
    (CandidateFactory, "skills", ["New"]),
    (CampaignFactory, "goal", "New"),
    (CampaignFactory, "keywords", ["New"]),
    (LeadFactory, "text", "New"),
    (ContentItemFactory, "summary", "New"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("factory", "field", "value"), CHANGES)
def test_changed_text_forgets_its_vector_by_every_door(factory, field, value):
    for change in ("save", "update"):
        row = factory(embedding=[0.5] * 256, embedding_model="any")
        rows = type(row).objects.filter(pk=row.pk)
        rows.update(embedding_model="other")
        row.refresh_from_db()
        row.save()
        assert rows.get().embedding is not None
        if change == "save":
            setattr(row, field, value)
            row.save()
        else:
            rows.update(**{field: value})
        assert rows.get().embedding is None


@pytest.mark.req("S000-023")
@pytest.mark.django_db
def test_a_campaign_says_whether_it_is_embedded_and_is_embedded_once():
    campaign = CampaignFactory(preset=Campaign.Preset.PODCAST, goal="Rowing oceans")
    assert campaign.embedding_status == "pending"
    for _ in range(2):
        matching.suggest(campaign, now=MONDAY)
        campaign.refresh_from_db()
        assert campaign.embedding_status == "completed"
        Campaign.objects.filter(pk=campaign.pk).update(embedding=[0.5] * 256)
    matching.suggest(campaign, now=MONDAY)
    campaign.refresh_from_db()
    assert campaign.embedding[0] == 0.5
    campaign.goal = "Sailing"
    campaign.save()
    campaign.refresh_from_db()
    assert campaign.embedding_status == "pending"
