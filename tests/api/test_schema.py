"""The schema: valid, complete, without a warning."""

import io

import pytest
from django.core.management import call_command

from tests.api.conftest import V1


def test_the_schema_is_valid_and_warns_of_nothing(tmp_path):
    call_command(
        "spectacular",
        validate=True,
        fail_on_warn=True,
        file=str(tmp_path / "schema.yml"),
        stdout=io.StringIO(),
    )
    assert (tmp_path / "schema.yml").read_text().startswith("openapi: 3.1")


def test_every_operation_shows_errors_in_the_one_shape(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert "4XX" in operation["responses"], f"{method} {path}"


def test_every_operation_is_described_and_filed(schema):
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path}"
            assert operation["tags"] != ["v1"], f"{method} {path}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "campaigns/"),
        ("post", "people/"),
        ("post", "suppressions/"),
        ("post", "stops/"),
        ("post", "limits/"),
        ("put", "placements/{id}/"),
        ("post", "outreach/response/{id}/"),
        ("post", "outreach/trigger/"),
    ],
)
def test_the_main_operations_have_an_example(schema, method, path):
    operation = schema["paths"][f"{V1}/{path}"][method]
    contents = operation["requestBody"]["content"]["application/json"]
    assert contents.get("examples")


def test_nothing_in_the_schema_is_secret(schema):
    fields = {
        name
        for component in schema["components"]["schemas"].values()
        for name in component.get("properties", {})
    }
    secret = ("password", "smtp", "imap", "hash", "raw", "lease", "secret", "token")
    assert {name for name in fields if any(word in name for word in secret)} == TOKENS_OF_MODELS


# Counted and paid for, not kept secret.
TOKENS_OF_MODELS = {"input_tokens", "cached_tokens", "output_tokens"}
