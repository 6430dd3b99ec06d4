"""The door: what a signal is.

A signal is any object with ``info`` and ``examine``.  It keeps no state between exhibits, never
opens a connection, answers ``Inapplicable`` rather than guess, and leaves the exhibit unchanged.
Third parties register theirs under the entry-point group ``wholecloth.signals``; ours come the
same way.
"""

from __future__ import annotations

from typing import Protocol

from wholecloth.model.evidence import Exhibit, Outcome, SignalInfo

GROUP = "wholecloth.signals"

ABSENCE = "No mark found. This is neither evidence for nor against AI."
"""The one sentence for absence, everywhere."""


class Signal(Protocol):
    """One way of looking for evidence."""

    @property
    def info(self) -> SignalInfo:
        """The signal's card."""
        ...

    def examine(self, exhibit: Exhibit) -> Outcome:
        """Look at the exhibit; several marks of one writer are one outcome.

        Raises nothing on purpose: what goes wrong is recorded as ``Failed`` by the caller.
        """
        ...
