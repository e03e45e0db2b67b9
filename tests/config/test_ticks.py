import time
from datetime import timedelta
from threading import Event, Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from django_q.models import Success

from config import beats, schedules, ticks
from config.models import Beat, TickRun
from config.ticks import AlreadyRunning, tick


@pytest.fixture
def stop_file(tmp_path, monkeypatch):
    path = tmp_path / "stop"
    monkeypatch.setenv(ticks.STOP_FILE, str(path))
    return path


@pytest.mark.django_db
def test_a_job_tells_what_it_did_and_leaves_a_sign_of_life():
    @tick("count")
    def count(deadline):
        return {"counted": 3}

    assert count() == {"counted": 3}
    run = TickRun.objects.get(name="count")
    assert (run.result, run.error) == ({"counted": 3}, "")
    assert run.ended_at
    assert Beat.objects.get().name == "count"


@pytest.mark.django_db
def test_a_failing_job_is_recorded_and_does_not_raise_to_the_queue(caplog):
    @tick("fail")
    def fail(deadline):
        raise ValueError("no luck")

    assert fail() is None
    run = TickRun.objects.get(name="fail")
    assert run.error == "ValueError: no luck"
    assert run.failed_at
    assert "fail failed" in caplog.text
    with pytest.raises(ValueError, match="no luck"):
        fail.run()


@pytest.mark.django_db
def test_success_clears_the_recorded_failure():
    outcomes = iter([ValueError("no luck"), None])

    @tick("recover")
    def recover(deadline):
        if error := next(outcomes):
            raise error

    recover()
    recover()
    assert TickRun.objects.get(name="recover").error == ""


@pytest.mark.django_db
def test_after_a_failure_the_next_run_is_not_locked_out():
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            ticks.run("divide", lambda deadline: 1 / 0)


@pytest.mark.req("S003-069", "C36")
@pytest.mark.django_db(transaction=True)
def test_one_run_per_kind_works_at_a_time():
    started, finish = Event(), Event()

    def work(deadline):
        started.set()
        finish.wait(10)

    def elsewhere():
        try:
            ticks.run("send", work)
        finally:
            connection.close()

    other = Thread(target=elsewhere)
    other.start()
    assert started.wait(10)
    with pytest.raises(AlreadyRunning):
        ticks.run("send", work)
    assert ticks.run("inbox", lambda deadline: "another kind") == "another kind"
    finish.set()
    other.join()
    assert ticks.run("send", lambda deadline: "free again") == "free again"


@pytest.mark.req("REL-10")
def test_the_deadline_passes_after_tick_seconds(settings, db):
    settings.TICK_SECONDS = 0
    assert ticks.run("late", lambda deadline: deadline.passed) is True
    settings.TICK_SECONDS = 240
    assert ticks.run("early", lambda deadline: deadline.passed) is False
    assert ticks.run("left", lambda deadline: deadline - time.monotonic()) > 239


@pytest.mark.req("REL-29")
def test_a_stopping_worker_takes_no_new_work(stop_file, db):
    assert ticks.run("work", lambda deadline: deadline.passed) is False
    stop_file.touch()
    assert ticks.run("work", lambda deadline: deadline.passed) is True


def test_asking_for_the_deadline_is_a_sign_of_life(transactional_db, monkeypatch):
    monkeypatch.setattr(ticks, "BEAT_EVERY", 0)

    def work(deadline):
        Beat.objects.all().delete()
        assert not deadline.passed
        return Beat.objects.count()

    assert ticks.run("long", work) == 1


@pytest.mark.django_db
def test_silence_counts_from_the_last_beat_of_anybody():
    assert beats.silence() is None
    beats.beat("send")
    assert 0 <= beats.silence() < 1
    Beat.objects.update(beaten_at=timezone.now() - timedelta(seconds=100))
    assert beats.silence() > 99


@pytest.mark.django_db
def test_who_waits_for_a_mail_server_may_be_silent():
    beats.beat("handing", valid_for=900)
    assert -900 <= beats.silence() < -890
    beats.beat("send")
    assert beats.silence() >= 0


@pytest.mark.django_db
def test_pruning_takes_only_what_is_old():
    now = timezone.now()
    for name, days in (("old", 31), ("new", 29)):
        at = now - timedelta(days=days)
        Success.objects.create(id=name, name=name, func="f", started=at, stopped=at)
    assert ticks.prune()["results"] == 1
    assert Success.objects.get().name == "new"


@pytest.mark.django_db
def test_the_command_runs_one_job_and_fails_with_it(monkeypatch, capsys):
    call_command("tick", "prune")
    assert "prune:" in capsys.readouterr().out
    monkeypatch.setattr(ticks.prune, "run", lambda: 1 / 0)
    with pytest.raises(CommandError, match="prune failed: ZeroDivisionError"):
        call_command("tick", "prune")


@pytest.mark.req("S003-069", "S000-102")
@pytest.mark.django_db
def test_schedules_are_exactly_the_planned_ones():
    Schedule = schedules.Schedule
    Schedule.objects.create(name="old job", func="os.system")
    Schedule.objects.create(name="send", func="os.system")
    Schedule.objects.create(name="send", func="os.system")
    assert "old job" in schedules.install()
    assert {s.name: s.func for s in Schedule.objects.all()} == {
        planned.name: planned.func for planned in schedules.PLANNED
    }
    assert Schedule.objects.count() == len(schedules.PLANNED)


@pytest.mark.django_db
def test_installing_twice_moves_no_next_run():
    schedules.install()
    before = dict(schedules.Schedule.objects.values_list("name", "next_run"))
    assert schedules.install() == []
    assert dict(schedules.Schedule.objects.values_list("name", "next_run")) == before
