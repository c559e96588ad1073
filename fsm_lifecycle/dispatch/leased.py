"""Owns the columns of a row that is worked on by one worker at a time. Must not know what the work is."""

from __future__ import annotations

from django.db import models


class Leased(models.Model):
    """A row that becomes due and is then held under a lease by whoever works on it.

    The fencing number goes up with each lease, and an outcome is written only under the number it was taken with: who
    slept past its lease writes nothing. See M. Kleppmann, "How to do distributed locking" (2016).
    """

    due_at = models.DateTimeField()
    """When it may be worked on, or tried again."""
    lease_until = models.DateTimeField(null=True, default=None)
    """Until when somebody holds it; ``None`` when nobody does."""
    holder = models.CharField(max_length=32, blank=True, default="")
    """Who holds it: a name made for one claim."""
    fence = models.BigIntegerField(default=0)
    """How often it was taken."""

    class Meta:
        abstract = True
