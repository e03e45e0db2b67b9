import os
from concurrent.futures import ThreadPoolExecutor

import environ
from cryptography.fernet import Fernet

from config import first_run
from config.checks import SHORTEST_KEY


def test_four_different_keys_that_only_the_owner_can_read(tmp_path):
    path = tmp_path / ".env"
    assert first_run.write(path)
    keys = {name: os.environ.pop(name) for name in first_run.KEYS}
    try:
        environ.Env.read_env(path)
        written = [os.environ.get(name, "") for name in first_run.KEYS]
    finally:
        os.environ.update(keys)
    assert len(set(written)) == 4
    assert min(map(len, written)) >= SHORTEST_KEY
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_credentials_key_is_one_that_encrypts():
    Fernet(first_run.KEYS["CREDENTIALS_KEY"]())


def test_keys_that_are_there_stay(tmp_path):
    path = tmp_path / ".env"
    path.write_text("SECRET_KEY=mine\n")
    assert not first_run.write(path)
    assert path.read_text() == "SECRET_KEY=mine\n"


def test_of_many_first_runs_at_once_one_chooses(tmp_path):
    with ThreadPoolExecutor(8) as crowd:
        wrote = list(crowd.map(first_run.write, [tmp_path / ".env"] * 8))
    assert wrote.count(True) == 1
