"""Every error wholecloth raises on purpose, in one tree.

::

    WholeclothError(item, reason, remedy)      exit code 1
    ├─ UsageRefused       the command line asks for something impossible      2
    ├─ InputRefused       this input is not examined                          3
    │  ├─ UnreadableMedia    not a picture, damaged, or of a kind not read
    │  ├─ HostileMedia       over a limit, or it took the decoder down
    │  ├─ OutputRefused      the place to write to cannot be used
    │  ├─ FindingRefused     a finding file that cannot be understood
    │  └─ IndexRefused       an index cannot be used, or not so
    ├─ VerificationFailed something recorded does not hold                    4
    │  └─ IndexDamaged       a file of an index is not what was written
    ├─ NotInstalled       a part that is needed is missing                    5
    └─ Stopped            the person stopped the run
       └─ AgeDoubt           … because somebody pictured may be under 18      3

Absence is a value (``None``, ``Inapplicable``, an empty tuple); being stopped is an error.  Each
error names the *item* it is about, the *reason* in one line, and a *remedy* the person can act
on; the command line prints the three and nothing else.
"""

from __future__ import annotations


class WholeclothError(Exception):
    """Base of all deliberate errors."""

    exit_code = 1

    def __init__(self, item: str, reason: str, remedy: str = "") -> None:
        super().__init__(f"{item}: {reason}")
        self.item = item
        self.reason = reason
        self.remedy = remedy

    def as_dict(self) -> dict[str, str]:
        """The three parts as plain data, for ``--json``."""
        return {"item": self.item, "reason": self.reason, "remedy": self.remedy}


class UsageRefused(WholeclothError):
    """The arguments contradict each other or name nothing."""

    exit_code = 2


class InputRefused(WholeclothError):
    """An input cannot be examined; nothing of it was kept."""

    exit_code = 3


class UnreadableMedia(InputRefused):
    """The bytes are not a picture this version reads, or are damaged."""


class HostileMedia(InputRefused):
    """The bytes exceed a limit, or the decoder died on them."""


class OutputRefused(InputRefused):
    """The output folder cannot be used as it is."""


class FindingRefused(InputRefused):
    """A finding file is missing something or says something unknown."""


class IndexRefused(InputRefused):
    """An index cannot be used, or not in this way."""


class VerificationFailed(WholeclothError):
    """A recorded digest or a chain does not hold."""

    exit_code = 4


class IndexDamaged(VerificationFailed):
    """A file of an index is not what was written."""


class NotInstalled(WholeclothError):
    """A needed part is not installed here."""

    exit_code = 5


class Stopped(WholeclothError):
    """The person stopped the run; nothing half-written stays behind."""


class AgeDoubt(Stopped):
    """Somebody pictured may be under 18: the work on the item ends here."""

    exit_code = 3
