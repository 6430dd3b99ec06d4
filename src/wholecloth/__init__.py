"""Find the original of a published picture, prove and localise the edit, weigh how it was made.

::

    from wholecloth import examine

    result = examine("published.jpg", ["photos/"], out="case/")
    result.record["verdict"], result.record["decision"]["outcome"]

Nothing is imported that is not used: ``examine`` loads the image libraries on first access.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wholecloth.errors import (
    AgeDoubt,
    FindingRefused,
    HostileMedia,
    InputRefused,
    NotInstalled,
    OutputRefused,
    Stopped,
    UnreadableMedia,
    UsageRefused,
    VerificationFailed,
    WholeclothError,
)

if TYPE_CHECKING:
    from wholecloth.workflow import Examined, examine

__version__ = "0.1.0"

__all__ = [
    "AgeDoubt",
    "Examined",
    "FindingRefused",
    "HostileMedia",
    "InputRefused",
    "NotInstalled",
    "OutputRefused",
    "Stopped",
    "UnreadableMedia",
    "UsageRefused",
    "VerificationFailed",
    "WholeclothError",
    "examine",
]


def __getattr__(name: str) -> Any:
    if name in ("examine", "Examined"):
        from wholecloth import workflow  # noqa: PLC0415 - keeps `import wholecloth` light

        return getattr(workflow, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
