"""What a Fact is, whoever it is about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import models
from django.db.models import Q

from config.db import within


class FactQuerySet(models.QuerySet):
    def current(self, *, now: datetime) -> FactQuerySet:
        """Facts that have not expired by ``now``."""
        return self.filter(Q(expires_at__isnull=True) | Q(expires_at__gt=now))

    def entered_by_people(self, about: str, owners: Sequence[int]) -> dict[int, set[str]]:
        """The kinds of what a person has entered ``about`` each of the ``owners``, by id.

        ``about`` is the field that names what a fact is about: lead, candidate … One query.
        """
        kinds: dict[int, set[str]] = defaultdict(set)
        rows = self.filter(**{f"{about}__in": owners}, source=BaseFact.MANUAL)
        for owner, kind in rows.values_list(f"{about}_id", "kind"):
            kinds[owner].add(kind)
        return kinds


class BaseFact(models.Model):
    """One thing we know, with its source. A pitch may state only what such a row supports."""

    MANUAL = "manual"

    kind = models.CharField(
        max_length=60, help_text="A field (host_name) or a kind of insight (pain_point, news)."
    )
    value = models.TextField()
    source = models.CharField(max_length=80)
    source_url = models.URLField(max_length=2000, blank=True)
    quote = models.TextField(blank=True, help_text="The words it rests on, verbatim.")
    confidence = models.DecimalField(max_digits=3, decimal_places=2, default=1)
    observed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    objects = FactQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ["kind", "-confidence", "-observed_at"]
        constraints = [within("confidence", 0, 1)]

    def __str__(self) -> str:
        return f"{self.kind}: {self.value[:80]}"

    @property
    def is_manual(self) -> bool:
        """A person entered it: no machine may overwrite it."""
        return self.source == self.MANUAL
