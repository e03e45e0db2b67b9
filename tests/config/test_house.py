"""The rules of the house: settings, migrations, floors, and pages that open."""

import ast
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.urls import reverse
from django.utils.module_loading import import_string

from config.schedules import PLANNED
from tests.config.environment import BASE_DIR, documented_names, outside

FLOORS = ["campaigns", "prospects", "pitches", "crm_sync"]


def names_read_in_settings() -> set[str]:
    """The first argument of every env(…) and env.something(…)."""
    tree = ast.parse((BASE_DIR / "config" / "settings.py").read_text())
    names = set()
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        function = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        argument = node.args[0]
        if isinstance(function, ast.Name) and function.id == "env":
            names.add(argument.value)
    return names


def test_every_setting_is_explained_and_every_explanation_is_true():
    assert names_read_in_settings() == documented_names()


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


@pytest.mark.req("SEC-34")
def test_the_production_profile_passes_every_check():
    result = manage(
        "check", "--deploy", "--fail-level", "WARNING", PUBLIC_URL="https://desk.example.com"
    )
    assert result.returncode == 0, result.stderr


def test_no_key_gives_one_sentence_that_says_what_to_do():
    result = manage("check", ENV_FILE=os.devnull)
    last = result.stderr.strip().splitlines()[-1]
    assert "make run" in last
    assert "python -m config.first_run" in last


@pytest.mark.parametrize("command", ["check", "makemigrations --check --dry-run"])
def test_looking_at_the_code_starts_no_database(command):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # so that root would not move elsewhere
        manage(*command.split(), EMBEDDED_PG_DIR=f"{folder}/pgdata")
        assert list(Path(folder).iterdir()) == []


def manage(*command: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=BASE_DIR,
        env=outside(**environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("planned", PLANNED, ids=lambda planned: planned.name)
def test_every_schedule_names_a_function(planned):
    assert callable(import_string(planned.func))


@pytest.mark.parametrize("floor", FLOORS)
def test_no_relation_points_up(floor):
    above = set(FLOORS[FLOORS.index(floor) + 1 :])
    for model in apps.get_app_config(floor).get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if field.is_relation and not field.auto_created and field.related_model:
                target = field.related_model._meta.app_label
                assert target not in above, f"{model.__name__}.{field.name} points up"


SCREENS = [pytest.param(*item, id=item[0]._meta.label) for item in admin.site._registry.items()]


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "screen"), SCREENS)
def test_every_admin_page_opens(model, screen, admin_client, rf, admin_user):
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    assert admin_client.get(reverse(f"{name}_changelist"), {"q": "x"}).status_code == 200
    request = rf.get("/")
    request.user = admin_user
    if screen.has_add_permission(request):
        assert admin_client.get(reverse(f"{name}_add")).status_code == 200


def test_a_warning_is_an_error():
    with pytest.raises(DeprecationWarning):
        warnings.warn("old", DeprecationWarning, stacklevel=1)


def test_the_tests_stand_on_settings_of_their_own():
    assert settings.SEND_MODE == "capture"
    assert settings.SECRET_KEY.startswith("tests-")
    assert settings.DATABASES["default"].get("DATA_DIR") != str(BASE_DIR / "var" / "pgdata")
