"""What several views ask for."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request

from config.rest import (
    Strict,
)

OWN = "campaign__client"


# A choice that is only read is empty as long as nothing was chosen; the schema must say so.
MAY_BE_EMPTY = {"read_only": True, "allow_blank": True}


class Reason(Strict):
    reason = serializers.CharField(max_length=300, help_text="Kept with the decision.")


def given(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """What the body says, checked; raises ValidationError."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    answer: dict[str, Any] = checked.validated_data
    return answer
