"""What ages: tables and lists that were right on the day they were compared with their source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

STALE_DAYS = 180
"""Older than this it is named by ``wholecloth doctor``."""


@dataclass(frozen=True, slots=True)
class Dated:
    """One table with its date."""

    name: str
    what: str
    """One phrase: what goes wrong when it is out of date."""
    checked: str
    """ISO date of the last comparison with ``source`` (of the fit, for fitted numbers)."""
    source: str
    valid_until: str | None = None
    """ISO date, where the source gives one."""

    def age_days(self, today: date) -> int:
        """Days since it was checked."""
        return (today - date.fromisoformat(self.checked)).days

    def stale(self, today: date) -> bool:
        """Past its own date, or not looked at for ``STALE_DAYS``."""
        past = self.valid_until is not None and date.fromisoformat(self.valid_until) < today
        return past or self.age_days(today) > STALE_DAYS
