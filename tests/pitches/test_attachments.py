"""The newest resume goes with the first mail: what was approved, byte for byte, or nothing."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns import resumes
from campaigns.models import Candidate
from pitches import attachments, letters, outbox, review
from pitches.channels import capture
from pitches.models import Message, Sender
from tests.clock import MONDAY
from tests.factories import CandidateFactory, MatchFactory

PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def word(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in ("[Content_Types].xml", "word/document.xml", *names):
            file.writestr(name, "<w/>")
    return packed.getvalue()


def with_resume(candidate: Candidate, content: bytes = PDF) -> Candidate:
    resumes.put(candidate, content)
    candidate.save()
    return candidate


def pitched(desk, **fields) -> Message:
    """The first message of a pitch, still to be read."""
    candidate = with_resume(desk.candidate(**{"name": "Zoë Example"} | fields))
    match = desk.match(candidate=candidate)
    desk.run()
    match.refresh_from_db()
    return match.pitch.messages.get(number=0)


def files_of(letter) -> list[tuple[str, str, bytes]]:
    parts = letter.mail.iter_attachments()
    return [(p.get_filename(), p.get_content_type(), p.get_content()) for p in parts]


def read(message: Message) -> Message:
    return outbox.situations.readable(Message.objects.filter(pk=message.pk)).get()


# -- what a resume is ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kind"), [(PDF, "pdf"), (b"\xef\xbb\xbf" + PDF, "pdf"), (word(), "docx")]
)
def test_a_resume_is_known_by_its_content(content, kind):
    assert resumes.check(content) == kind


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"MZ\x90\x00", "neither"),
        (b"PK\x03\x04 and then nothing", "neither"),
        (b"<html>%PDF</html>", "neither"),
        (word("word/vbaProject.bin"), "macros"),
        (PDF + b"x" * 5_000_000, "5.0 MB"),
    ],
    ids=["empty", "program", "broken", "html", "macros", "large"],
)
def test_what_is_no_resume_is_refused_with_the_cause(content, told):
    with pytest.raises(resumes.NotAResume, match=told):
        resumes.check(content)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Ada Example", "Ada_Example_Resume.pdf"),
        ("Zoë Müller-Example", "Zoe_Muller_Example_Resume.pdf"),
        ('../..\\"evil".exe\r\nX: y', "evil_exe_X_y_Resume.pdf"),
        ("陳大文", "Candidate_Resume.pdf"),
    ],
)
@pytest.mark.req("H003-07")
def test_a_file_is_named_after_the_candidate(name, shown):
    assert resumes.file_name(Candidate(name=name, resume="resumes/x.pdf")) == shown


def test_an_older_file_stays_and_half_a_file_is_replaced(db):
    candidate = with_resume(CandidateFactory())
    first = candidate.resume.name
    with_resume(candidate, PDF + b"newer")
    assert default_storage.exists(first)
    assert candidate.resume_size == len(PDF) + 5
    path = default_storage.path(first)
    with open(path, "wb") as file:
        file.write(PDF[:9])
    with pytest.raises(resumes.ResumeUnreadable):
        resumes.read(first.split("/")[1].split(".")[0], "pdf")
    with_resume(candidate, PDF)
    assert candidate.resume.name == first
    assert resumes.read(candidate.resume_sha256, "pdf") == PDF


# -- what goes along -------------------------------------------------------------------------


@pytest.mark.req("H003-07")
def test_the_first_mail_of_a_placement_carries_the_resume_that_was_approved(desk):
    message = pitched(desk)
    desk.approve_all()
    message.refresh_from_db()
    (row,) = message.attachments
    assert (row["name"], row["size"]) == ("Zoe_Example_Resume.pdf", len(PDF))
    desk.run()
    sent = capture.find(desk.sender, message.message_id)
    assert sent.files == [("Zoe_Example_Resume.pdf", len(PDF))]
    message.refresh_from_db()
    assert message.status == Message.Status.SENT
    assert "Zo" in sent.text


def test_the_mail_keeps_its_words_and_html_beside_the_file(desk):
    message = pitched(desk)
    desk.approve_all()
    letter = letters.build(read(message), now=MONDAY)
    assert files_of(letter) == [("Zoe_Example_Resume.pdf", "application/pdf", PDF)]
    assert letter.text.strip() == read(message).body.strip()
    assert "<p" in letter.html or "<br" in letter.html


@pytest.mark.parametrize(
    ("attach", "preset", "carried"),
    [
        (None, "placement", True),
        (None, "podcast", False),
        (True, "podcast", True),
        (False, "placement", False),
    ],
)
def test_the_campaign_says_whether_resumes_go_along(desk, attach, preset, carried):
    message = read(pitched(desk))
    message.pitch.campaign.attach_resume = attach
    message.pitch.campaign.preset = preset
    assert bool(attachments.planned(message)) is carried


def test_no_follow_up_carries_a_file(desk):
    message = pitched(desk)
    later = message.pitch.messages.filter(number__gt=0)
    assert later
    assert not any(attachments.planned(read(row)) for row in later)


def test_several_candidates_send_several_files_of_different_names(desk):
    message = pitched(desk, name="Kim Example")
    other = with_resume(desk.candidate(name="Kim Example"), word())
    third = with_resume(desk.candidate(name="Kim Example"), PDF + b"3")
    for candidate in (other, third):
        MatchFactory(
            campaign=desk.campaign, lead=message.pitch.lead, candidate=candidate,
            pitch=message.pitch, status="pitched",
        )  # fmt: skip
    names = [row["name"] for row in attachments.planned(read(message))]
    assert names == ["Kim_Example_Resume.pdf", "Kim_Example_Resume.docx",
                     "Kim_Example_Resume_2.pdf"]  # fmt: skip


# -- what was approved -----------------------------------------------------------------------


def held(message: Message) -> str:
    (situation,) = outbox.situations.of_messages([read(message)], now=MONDAY)
    ruling = outbox.rules.decide(situation)
    return "" if ruling.may else ruling.reason.value


@pytest.mark.req("REL-26")
def test_another_resume_voids_the_approval(desk):
    message = pitched(desk)
    desk.approve_all()
    assert held(message) == ""
    with_resume(read(message).pitch.matches.get().candidate, PDF + b"newer")
    assert held(message) == "approval_void"
    desk.run()
    assert not list(capture.sent(desk.sender))


@pytest.mark.req("REL-27")
def test_a_resume_that_changed_under_the_readers_eyes_is_read_again(desk, ada):
    message = pitched(desk)
    task = review.queue().get(pitch=message.pitch)
    seen = review.shown(task)
    with_resume(read(message).pitch.matches.get().candidate, PDF + b"newer")
    with pytest.raises(review.ChangedMeanwhile):
        review.approve(task, by=ada, now=MONDAY, seen=seen)


def test_files_that_are_too_big_forbid_the_approval(desk, ada, settings):
    message = pitched(desk)
    settings.ATTACHMENTS_MAX_BYTES = 20
    with pytest.raises(review.NotApprovable, match="The attachments have"):
        review.approve(review.queue().get(pitch=message.pitch), by=ada, now=MONDAY)


def test_a_resume_nobody_checked_forbids_the_approval(desk, ada):
    message = pitched(desk)
    Candidate.objects.update(resume_sha256="")
    with pytest.raises(review.NotApprovable, match="upload it again"):
        review.approve(review.queue().get(pitch=message.pitch), by=ada, now=MONDAY)


def test_instantly_carries_no_files_and_says_so(desk, ada):
    message = pitched(desk)
    Sender.objects.update(transport=Sender.Transport.INSTANTLY)
    with pytest.raises(review.NotApprovable, match="Instantly"):
        review.approve(review.queue().get(pitch=message.pitch), by=ada, now=MONDAY)


def test_a_file_that_is_gone_holds_the_mail_and_one_that_changed_fails_it(desk):
    message = pitched(desk)
    desk.approve_all()
    (row,) = read(message).attachments
    name = resumes.stored_as(row["sha256"], "pdf")
    with open(default_storage.path(name), "wb") as file:
        file.write(b"%PDF- of somebody else")
    with pytest.raises(letters.BuildError, match="not the one that was stored"):
        letters.build(read(message), now=MONDAY)
    default_storage.delete(name)
    assert held(message) == "text_blocked"
    desk.run(MONDAY + timedelta(minutes=5))
    assert not list(capture.sent(desk.sender))


# -- at the desk -----------------------------------------------------------------------------


@pytest.fixture
def form(client, ada, db):
    client.force_login(ada)
    candidate = CandidateFactory()
    url = reverse("admin:campaigns_candidate_change", args=[candidate.pk])
    page = client.get(url).context["adminform"].form
    values = {name: page[name].value() or "" for name in page.fields if name != "resume"}
    for key in ("skills", "keywords", "industries"):
        values[key] = ",".join(values[key]) if isinstance(values[key], list) else values[key]
    values["attributes"] = "{}"
    for prefix in ("angles", "facts"):
        values |= {f"{prefix}-{end}": 0 for end in ("TOTAL_FORMS", "INITIAL_FORMS")}

    def save(**more):
        answer = client.post(url, values | more)
        candidate.refresh_from_db()
        return answer, candidate

    return save


def test_a_resume_is_uploaded_replaced_and_taken_away(form, client):
    answer, candidate = form(resume=SimpleUploadedFile("cv (final).exe", PDF))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert candidate.resume.name == f"resumes/{candidate.resume_sha256}.pdf"
    assert candidate.resume_size == len(PDF)
    shown = client.get(candidate.resume.url)
    assert b"".join(shown.streaming_content) == PDF
    assert shown.headers["Content-Disposition"].startswith("attachment")
    _, candidate = form(**{"resume-clear": "on"})
    assert (candidate.resume.name, candidate.resume_sha256) == ("", "")


def test_what_is_no_resume_is_refused_in_the_form(form):
    answer, candidate = form(resume=SimpleUploadedFile("cv.pdf", b"MZ\x90"))
    assert "neither" in str(answer.context["adminform"].form.errors["resume"])
    assert not candidate.resume


def test_uploaded_files_are_for_staff_alone(client, db, ada, clara):
    candidate = with_resume(CandidateFactory())
    assert client.get(candidate.resume.url).status_code == 302
    client.force_login(clara)
    assert client.get(candidate.resume.url).status_code == 403
    client.force_login(ada)
    assert client.get(candidate.resume.url).status_code == 200
    for name in ("resumes/none.pdf", "../journal", "resumes", "%2e%2e/pgdata", "a\x00b"):
        assert client.get(f"/media/{name}").status_code in (400, 404)


def test_the_review_page_shows_the_files_and_who_has_none(desk, client, ada):
    message = pitched(desk)
    client.force_login(ada)
    task = review.queue().get(pitch=message.pitch)
    url = reverse("admin:pitches_reviewtask_change", args=[task.pk])
    page = client.get(url).content.decode()
    assert "Zoe_Example_Resume.pdf" in page
    assert f"/media/resumes/{read(message).pitch.matches.get().candidate.resume_sha256}" in page
    Candidate.objects.update(resume="", resume_sha256="")
    assert "No resume of" in client.get(url).content.decode()
