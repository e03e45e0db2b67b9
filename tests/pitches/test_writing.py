"""The offline writer: what a draft says, what stands against it, what is sent in the end."""

import json
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from campaigns import presets
from campaigns.models import PitchTemplate, Step, Tone
from pitches import context, unsubscribing, writing
from pitches.models import Message, SendMode, Variant
from prospects.models import Lead
from tests.clock import MONDAY
from tests.factories import (
    AngleFactory,
    CampaignFactory,
    CandidateFactFactory,
    CandidateFactory,
    ContentItemFactory,
    FactFactory,
    MatchFactory,
    MessageFactory,
    PitchFactory,
    PitchTemplateFactory,
    SegmentFactory,
    SequenceFactory,
    StepFactory,
    VariantFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def brand(settings):
    presets.install()
    settings.BRAND_NAME = "Harbor & Finch"
    settings.BRAND_WEBSITE = "https://harborfinch.example.com"
    settings.POSTAL_ADDRESS = "4 Quay Lane, Bristol"


def candidate(campaign, **fields):
    defaults = {
        "client": campaign.client,
        "name": "Mina Okafor",
        "headline": "marketing student in Porto",
        "bio": "Ran the newsletter of her student union.",
        "skills": ["Figma", "SQL", "C"],
        "industries": ["Renewable energy", "Logistics"],
        "starts_on": date(2026, 9, 1),
        "ends_on": date(2027, 2, 28),
    }
    return CandidateFactory(**defaults | fields)


def role_pitch(*people, contact="Anna Weber", **fields):
    """A pitch for a role at Sunfield, with its first message and three follow-ups unwritten."""
    defaults = {
        "lead__name": "Marketing Intern",
        "lead__location": "Porto",
        "lead__text": "You know Figma and like numbers.",
        "lead__organization__name": "Sunfield",
        "lead__organization__industry": "Renewable Energy",
        "address__contact__name": contact,
    }
    pitch = PitchFactory(**defaults | fields)
    for rank, person in enumerate(people or [{}, {"name": "Tomás Reis"}, {"name": "Li Wei"}]):
        MatchFactory(
            pitch=pitch, score=90 - rank, candidate=candidate(pitch.campaign, **person)
        )
    return pitch


def messages(pitch, numbers=(0,)):
    return [MessageFactory(pitch=pitch, number=n, subject="", body="") for n in numbers]


def written(pitch, number=0):
    """The variants of one message of a pitch, written with all that came before it."""
    made = messages(pitch, range(number + 1))
    writing.write(made, now=MONDAY)
    return list(made[-1].variants.all())


def custom(body, subject="Hello", **fields):
    """A pitch whose first message has one text of our own."""
    template = PitchTemplateFactory(body=body, subject=subject)
    sequence = SequenceFactory()
    StepFactory(sequence=sequence, template_key=template.key)
    return role_pitch(campaign=CampaignFactory(sequence=sequence), **fields)


def codes(problems):
    return [problem["code"] for problem in problems]


# Variants


@pytest.mark.req("S001-015", "S001-016", "S001-059")
def test_a_message_gets_three_variants_one_in_each_tone_and_no_two_alike():
    variants = written(role_pitch())
    assert [variant.tone for variant in variants] == ["professional", "friendly", "direct"]
    assert [variant.number for variant in variants] == [1, 2, 3]
    assert len({variant.body for variant in variants}) == 3
    assert {variant.author for variant in variants} == {Variant.Author.OFFLINE}
    assert all(variant.problems == [] for variant in variants)


@pytest.mark.req("S001-017", "S003-023", "S003-022", "S003-026", "S003-027")
def test_each_variant_names_the_person_the_company_the_role_the_industry_and_the_brand():
    for variant in written(role_pitch()):
        for word in ("Anna,", "Sunfield", "Marketing Intern", "(Porto)", "Harbor & Finch"):
            assert word in variant.subject + variant.body, word
        assert "renewable energy" in variant.body


@pytest.mark.req("S003-018", "S003-024")
def test_the_first_message_shows_each_candidate_with_availability_interests_and_bio():
    for variant in written(role_pitch()):
        for name in ("Mina Okafor", "Tomás Reis", "Li Wei"):
            assert variant.body.count(f"{name}, marketing student in Porto\n") == 1
        assert "Available: 1 September 2026 to 28 February 2027\n" in variant.body
        assert "Interests: Renewable energy, Logistics\n" in variant.body
        assert "Skills you ask for: Figma\n" in variant.body
        assert "Ran the newsletter of her student union." in variant.body
        assert "matched profiles" in variant.body


def test_candidates_stand_in_the_order_of_their_scores():
    first = written(role_pitch())[0].body
    assert first.index("Mina Okafor") < first.index("Tomás Reis") < first.index("Li Wei")


def test_a_withdrawn_match_is_not_named():
    pitch = role_pitch()
    pitch.matches.filter(candidate__name="Li Wei").update(status="withdrawn")
    for variant in written(pitch):
        assert "Li Wei" not in variant.body
        assert "two" in (variant.subject + variant.body).lower()


def test_one_candidate_alone_is_written_about_in_the_singular():
    for variant in written(role_pitch({})):
        assert "Mina" in variant.body
        for word in (" them", "These", "these", "Whom", "interns to"):
            assert word not in variant.subject + variant.body, (word, variant.body)


@pytest.mark.req("S003-023")
@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("Anna Weber", "Anna"), ("ANNA WEBER", "Anna"), ("Dr. Anna Weber", "Anna"),
        ("Weber, Anna", "Anna"), ("Jean-Luc Picard", "Jean-Luc"),
        ("jean-luc picard", "Jean-Luc"),
        ("Cher", "Cher"), ("", ""), ("info team", ""), ("The Growth Team", ""),
        ("Hiring", ""), ("J. Smith", ""), ("Dr. Smith", ""), ("Mr. Lee", ""),
        ("Anna & Tom Lee", ""), ("Anna and Tom", ""), ("anna@example.com", ""),
        ("Anna Weber 2", ""), ("!!!", ""),
    ],
)  # fmt: skip
def test_people_are_greeted_by_their_first_name_and_departments_neutrally(name, first):
    assert context.first_name(name) == first


@pytest.mark.req("S003-023")
def test_without_a_name_the_greeting_is_neutral_and_nothing_is_missing():
    for variant in written(role_pitch(contact="")):
        assert variant.body.startswith("Hello,\n")
        assert variant.problems == []


@pytest.mark.req("S003-022")
def test_without_an_industry_the_title_of_the_role_says_what_kind_of_place_it_is():
    pitch = role_pitch(lead__organization__industry="", lead__industries=[])
    for variant in written(pitch):
        assert "in roles such as Marketing Intern" in variant.body


@pytest.mark.req("S003-022")
@pytest.mark.parametrize(
    ("industry", "words"),
    [("Information Technology & Services", "information technology & services"),
     ("IT and HR", "IT and HR"), ("FinTech", "FinTech")],
)  # fmt: skip
def test_industries_are_written_as_in_running_text(industry, words):
    pitch = role_pitch(lead__organization__industry=industry)
    assert f"with companies in {words}" in written(pitch)[0].body


def test_an_urgent_pitch_says_from_when():
    for variant in written(role_pitch(urgent=True)):
        assert variant.body.count("1 September 2026") > 3


# Follow-ups


@pytest.mark.req("S003-019")
def test_the_first_follow_up_is_brief_urgent_and_asks_for_interviews():
    first = written(role_pitch())
    for before, variant in zip(first, written(role_pitch(), number=1), strict=True):
        assert len(variant.body) < len(before.body) / 2
        assert "interview" in variant.body
        assert "soon" in variant.body or "time" in variant.body
        assert "Anna," in variant.body


@pytest.mark.req("S003-020")
def test_the_second_follow_up_says_the_same_as_the_first():
    pitch = role_pitch()
    made = messages(pitch, range(3))
    writing.write(made, now=MONDAY)
    bodies = [list(m.variants.values_list("body", flat=True)) for m in made]
    assert bodies[1] == bodies[2] != bodies[0]


@pytest.mark.req("S003-021")
def test_the_third_follow_up_is_the_last_and_lets_them_go():
    for variant in written(role_pitch(), number=3):
        assert "last" in variant.body
        assert any(words in variant.body for words in ("one line", "no answer", "need not"))


def test_a_follow_up_repeats_the_subject_of_its_thread():
    pitch = role_pitch()
    first, second = messages(pitch, range(2))
    writing.write([second, first], now=MONDAY)
    subjects = dict(first.variants.values_list("tone", "subject"))
    for variant in second.variants.all():
        assert variant.subject == f"Re: {subjects[variant.tone]}"
        assert variant.problems == []


def test_a_follow_up_written_later_knows_the_subject_too():
    pitch = role_pitch()
    first, second = messages(pitch, range(2))
    writing.write([first], now=MONDAY)
    writing.write([second], now=MONDAY + timedelta(hours=24))
    assert second.variants.first().subject == f"Re: {first.variants.first().subject}"


# Missing and hostile values


@pytest.mark.req("S001-012")
def test_the_variables_of_earlier_templates_are_replaced():
    pitch = custom("{{contact_name}} at {{company}}, {{ guest_name }} for {{ podcast_name }}")
    [variant] = written(pitch)
    assert variant.body == "Anna Weber at Sunfield, Mina Okafor for Marketing Intern"
    assert variant.problems == []


@pytest.mark.req("S001-013", "S004-025")
@pytest.mark.parametrize(
    "name", ["contact_name", "contact.title", "nonsense.at.all", "facts.news"]
)
def test_an_unknown_or_empty_variable_shows_in_the_text_and_is_named(name):
    [variant] = written(custom("Hello {{ " + name + " }}!", contact=""))
    assert "⟨" in variant.body
    assert codes(variant.problems) == ["missing_value"]
    assert name.split(".")[0] in variant.problems[0]["detail"]
    again = writing.problems(variant.message, subject=variant.subject, body=variant.body)
    assert codes(writing.blocking(again)) == ["missing_value"]
    assert writing.problems(variant.message, subject="Hello", body="Hello Anna!") == []


@pytest.mark.req("S001-013")
def test_a_missing_value_in_the_subject_blocks_too():
    [variant] = written(custom("Hello", subject="For {{ contact.title }}"))
    assert codes(variant.problems) == ["missing_value"]


@pytest.mark.req("F 5")
def test_a_pasted_template_in_a_bio_stays_inert_and_blocks():
    pitch = role_pitch({"bio": "I am {{ sender.name }} {% for i in (1..9) %}x{% endfor %}"})
    for variant in written(pitch):
        assert "{{ sender.name }} {% for i in (1..9) %}x{% endfor %}" in variant.body
        assert set(codes(variant.problems)) == {"placeholder"}


def test_pasted_html_in_a_bio_stays_inert_and_blocks():
    pitch = role_pitch({"bio": "<script>alert(1)</script> <b>hi</b>"})
    variant = written(pitch)[0]
    assert codes(variant.problems) == ["markup"]
    words = writing.words(variant.message, variant)
    assert "<script" not in words.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in words.html


def test_line_breaks_in_names_do_not_reach_the_subject():
    pitch = role_pitch(lead__name="Intern\r\nBcc: all@example.com")
    variant = written(pitch)[0]
    assert "\n" not in writing.words(variant.message, variant).subject


def test_templates_see_plain_values_only():
    pitch = role_pitch()
    FactFactory(lead=pitch.lead)
    [row] = writing._fetch([m.pk for m in messages(pitch)])
    json.dumps(context.of_pitch(row.pitch, row.sender, now=MONDAY))


@pytest.mark.req("S000-055")
def test_a_missing_template_is_told_on_the_message_and_the_others_are_written():
    lost, fine = role_pitch(), role_pitch(contact="Otto Berg")
    Step.objects.filter(sequence=lost.sequence).update(template_key="gone/initial")
    made = messages(lost) + messages(fine)
    writing.write(made, now=MONDAY)
    [variant] = made[0].variants.all()
    assert codes(variant.problems) == ["template_missing"]
    assert "gone/initial" in variant.problems[0]["detail"]
    assert "template_missing" in codes(writing.of_variant(variant))
    assert made[1].variants.count() == 3


def test_a_template_that_cannot_be_rendered_is_told_on_the_message():
    [variant] = written(custom("{% for i in (1..99999) %}x{% endfor %}"))
    assert codes(variant.problems) == ["template_error"]
    assert codes(writing.of_variant(variant)) == ["empty", "template_error"]


# Podcasts, products, segments


def guest_pitch(**fields):
    campaign = CampaignFactory(
        preset="podcast",
        sequence=presets.sequence("podcast"),
        keywords=["tides"],
        media_kit_url="https://mina.example.com/press",
    )
    pitch = PitchFactory(
        campaign=campaign,
        lead__kind=Lead.Kind.PODCAST,
        lead__name="Low Water",
        lead__text="A show about tides and those who live with them.",
        address__contact__name="Otto Berg",
        **fields,
    )
    guest = candidate(campaign, kind="guest", bio_short="Measures the sea.")
    AngleFactory(candidate=guest, position=1, topic="Harbors at night")
    AngleFactory(
        candidate=guest, position=2, topic="Why tides are late", outcome="Read a chart."
    )
    MatchFactory(pitch=pitch, candidate=guest)
    return pitch


def test_a_guest_pitch_names_show_episode_guest_subject_and_media_kit():
    pitch = guest_pitch()
    ContentItemFactory(lead=pitch.lead, title="Newest, on boats")
    ContentItemFactory(
        lead=pitch.lead, title="[Bonus] Late tides", published_at=MONDAY - timedelta(days=30)
    )
    variants = written(pitch)
    for variant in variants:
        assert variant.problems == []
        for word in (
            "Low Water",
            "Mina",
            "Why tides are late",
            "https://mina.example.com/press",
        ):
            assert word in variant.body, word
        assert "Measures the sea." in variant.body
        assert "Ran the newsletter" not in variant.body
    assert '"Late tides"' in variants[0].body
    assert variants[0].body.index("Why tides") < variants[0].body.index("Harbors")


def test_without_episodes_or_angles_a_guest_pitch_has_no_gap():
    pitch = guest_pitch()
    pitch.matches.get().candidate.angles.all().delete()
    for variant in written(pitch):
        assert variant.problems == []


@pytest.mark.parametrize("preset", ["podcast", "product", "creator", "placement"])
def test_every_shipped_mail_of_a_plan_is_complete_with_little_known(preset):
    campaign = CampaignFactory(preset=preset, sequence=presets.sequence(preset))
    pitch = PitchFactory(campaign=campaign, lead__organization__industry="")
    MatchFactory(pitch=pitch, candidate=CandidateFactory(client=campaign.client, skills=[]))
    numbers = [s.number for s in campaign.sequence.steps.filter(action="message")]
    made = messages(pitch, numbers)
    writing.write(made, now=MONDAY)
    for variant in Variant.objects.filter(message__pitch=pitch):
        assert variant.problems == [], variant.body
    assert Variant.objects.count() == 3 * len(numbers)


@pytest.mark.req("S001-025")
def test_a_known_pain_point_is_used_and_an_expired_one_is_not():
    campaign = CampaignFactory(preset="product", sequence=presets.sequence("product"))
    for expires, used in ((None, True), (MONDAY, False)):
        pitch = PitchFactory(campaign=campaign)
        FactFactory(
            lead=pitch.lead, kind="pain_point", value="three tools for one list",
            expires_at=expires,
        )  # fmt: skip
        MatchFactory(pitch=pitch, candidate=CandidateFactory(client=campaign.client))
        for variant in written(pitch):
            assert ("three tools for one list" in variant.body) is used


@pytest.mark.req("S004-012", "S004-013", "S004-021", "S004-022", "S004-023", "S001-028")
def test_linkedin_texts_differ_by_segment_have_no_subject_and_fit():
    campaign = CampaignFactory(preset="product", sequence=presets.sequence("7-step"))
    seen = {}
    for key in ("stealth-founder", "referral-network", "thought-leadership"):
        segment = presets.Segment.objects.get(key=key)
        pitch = role_pitch({}, campaign=campaign, lead__segment=segment)
        made = [
            MessageFactory(pitch=pitch, number=s.number, step=s, channel=s.channel, subject="")
            for s in campaign.sequence.steps.all()
        ]
        writing.write(made, now=MONDAY)
        for message in made:
            for variant in message.variants.all():
                assert variant.problems == []
                assert variant.subject == ""
                assert writing.words(message, variant) == ("", variant.body, "")
        seen[key] = [v.body for m in made[:2] for v in m.variants.all()]
        assert len(seen[key]) == 6
    bodies = [body for texts in seen.values() for body in texts]
    assert len(set(bodies)) == 18
    assert any("partner" in body for body in seen["referral-network"])
    assert any("one builder to another" in body for body in seen["stealth-founder"])


@pytest.mark.req("S004-021", "S004-023")
def test_where_one_variant_is_wanted_it_has_the_tone_of_the_segment():
    segment = SegmentFactory(tone=Tone.DIRECT)
    pitch = role_pitch(lead__segment=segment)
    Step.objects.filter(sequence=pitch.sequence).update(variant_count=1)
    assert [variant.tone for variant in written(pitch)] == ["direct"]


@pytest.mark.parametrize(("wanted", "made"), [(1, 1), (2, 2), (3, 3), (5, 3)])
def test_a_step_has_as_many_variants_as_it_wants_and_texts_exist_for(wanted, made):
    pitch = role_pitch()
    Step.objects.filter(sequence=pitch.sequence).update(variant_count=wanted)
    assert len(written(pitch)) == made


# Sources


def test_a_sentence_that_repeats_a_fact_names_it_and_others_name_none():
    pitch = role_pitch({"bio": "Won the Quay Prize. Likes boats."})
    won = CandidateFactFactory(
        candidate=pitch.matches.get().candidate, value="won the Quay Prize."
    )
    CandidateFactFactory(candidate=pitch.matches.get().candidate, value="Likes boat")
    place = FactFactory(lead=None, organization=pitch.lead.organization, value="Sunfield")
    claims = written(pitch)[0].claims
    assert {"sentence": "Won the Quay Prize.", "facts": [f"candidate_fact:{won.pk}"]} in claims
    [about] = [claim for claim in claims if f"fact:{place.pk}" in claim["facts"]]
    assert "Sunfield" in about["sentence"]
    assert not any("boats" in claim["sentence"] for claim in claims)


@pytest.mark.req("S003-015", "S003-016")
def test_a_refined_bio_is_used_only_once_it_is_accepted():
    refined = {"bio": "Plain words.", "bio_refined": "Polished words."}
    assert "Plain words." in written(role_pitch(refined))[0].body
    accepted = refined | {"bio_refined_accepted_at": MONDAY}
    assert "Polished words." in written(role_pitch(accepted))[0].body


def test_the_original_words_and_the_template_are_kept():
    variant = written(role_pitch())[0]
    assert (variant.original_subject, variant.original_body) == (variant.subject, variant.body)
    assert not variant.is_edited
    assert variant.prompt_name == "placement/initial v1"
    assert len(variant.prompt_sha256) == 64


def test_a_newer_version_of_a_template_is_used_until_it_is_switched_off():
    old = presets.template("placement/initial")["direct"]
    new = PitchTemplate.objects.create(key=old.key, tone="direct", version=2, body="Newer.")
    assert [v.body == "Newer." for v in written(role_pitch())] == [False, False, True]
    new.is_active = False
    new.save()
    assert "Newer." not in [v.body for v in written(role_pitch())]


# Many at once


def test_the_number_of_queries_does_not_grow_with_the_messages():
    counts = []
    for size in (1, 6):
        made = [m for _ in range(size) for m in messages(role_pitch(), range(4))]
        with CaptureQueriesContext(
            connection,
        ) as queries:
            writing.write(made, now=MONDAY)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert Variant.objects.count() == 7 * 4 * 3


def test_what_is_written_stays_as_it_is():
    pitch = role_pitch()
    [message] = messages(pitch)
    writing.write([message], now=MONDAY)
    before = list(Variant.objects.values())
    writing.write([message], now=MONDAY)
    assert list(Variant.objects.values()) == before


# Final words


@pytest.mark.req("S001-027", "S003-025", "S003-026")
def test_what_is_sent_ends_with_signature_brand_address_and_a_way_out():
    variant = written(role_pitch(sender__signature="Best wishes\nSam\r\nPartnerships"))[0]
    words = writing.words(variant.message, variant)
    assert words.subject == variant.subject
    assert words.body == "\n\n".join(
        [
            variant.body,
            "Best wishes\nSam\nPartnerships",
            "Harbor & Finch, 4 Quay Lane, Bristol\nhttps://harborfinch.example.com\n"
            + writing.OPT_OUT
            + "\n"
            + unsubscribing.link(variant.message),
        ]
    )
    assert "Harbor &amp; Finch" in words.html
    assert '<a href="https://harborfinch.example.com">' in words.html


@pytest.mark.req("S003-025")
def test_without_a_signature_the_name_of_the_sender_closes_the_mail():
    variant = written(role_pitch(sender__signature="", sender__name="Ben Hale"))[0]
    assert "Kind regards,\nBen Hale\n" in writing.words(variant.message, variant).body


def test_a_follow_up_is_sent_under_the_subject_that_was_chosen_for_the_first():
    pitch = role_pitch()
    first, second = messages(pitch, range(2))
    writing.write([first, second], now=MONDAY)
    first.variants.filter(tone="direct").update(is_chosen=True)
    chosen = first.variants.get(tone="direct").subject
    for variant in second.variants.select_related("message"):
        assert writing.words(variant.message, variant).subject == f"Re: {chosen}"
        assert writing.of_variant(variant) == []
    Message.objects.filter(pk=first.pk).update(
        status="approved", approved_sha256="b" * 64, subject="As frozen"
    )
    variant = Variant.objects.filter(message=second).first()
    assert writing.words(variant.message, variant).subject == "Re: As frozen"


def test_links_are_linked_and_everything_else_is_escaped():
    html = writing.html(
        'See https://a.example.com/x?y=1&z="2". Or javascript:alert(1), <https://b.example.com>.'
    )
    assert html.count("<a ") == 2
    assert '<a href="https://a.example.com/x?y=1&amp;z=">' in html
    assert '<a href="https://b.example.com">https://b.example.com</a>&gt;.' in html
    assert 'href="javascript' not in html
    assert "alert(1), &lt;<a " in html


def test_nothing_is_cut_however_long():
    link = "https://example.com/" + "a" * 900
    message = MessageFactory()
    variant = VariantFactory(message=message, body=f"{'word ' * 5000}\n\n{link}")
    words = writing.words(message, variant)
    assert link in words.body
    assert f'<a href="{link}">{link}</a>' in words.html
    assert words.body.count("word") == 5000


def test_live_mail_needs_a_postal_address_and_captured_mail_does_not(settings):
    settings.POSTAL_ADDRESS = " "
    settings.PUBLIC_URL = "https://desk.example.com"
    message = MessageFactory(send_mode=SendMode.LIVE)
    live = writing.problems(message, subject="A guest", body="Hello")
    assert codes(writing.blocking(live)) == ["postal_address_missing"]
    message.send_mode = SendMode.CAPTURE
    assert writing.problems(message, subject="A guest", body="Hello") == []


@pytest.mark.req("S001-031")
def test_an_edit_that_makes_a_text_too_long_is_found():
    message = MessageFactory(channel="sms")
    assert codes(writing.problems(message, subject="", body="a" * 161)) == ["too_long"]
    unicode = writing.problems(message, subject="", body="Привет")
    assert codes(unicode) == ["sms_unicode"]
    assert writing.blocking(unicode) == []
