"""Which signals are installed, and how they are run: one failure never hides the others."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from wholecloth.errors import Stopped
from wholecloth.model.evidence import (
    Exhibit,
    Failed,
    Finding,
    Inapplicable,
    Observed,
    Outcome,
    SignalInfo,
)
from wholecloth.signals.base import GROUP, Signal


@dataclass(frozen=True, slots=True)
class Broken:
    """A registered signal that cannot be used; shown, because a silent gap would mislead."""

    name: str
    reason: str

    @property
    def info(self) -> SignalInfo:
        """A card in its place, so that the report can list it."""
        unknown = "not known: the signal could not be loaded"
        return SignalInfo(self.name, "", self.name, (), unknown, unknown, unknown, unknown)


def installed() -> tuple[Signal | Broken, ...]:
    """Everything registered under the entry-point group, sorted by id."""
    return from_entry_points(entry_points(group=GROUP))


def from_entry_points(points: Iterable[EntryPoint]) -> tuple[Signal | Broken, ...]:
    """The same for given entry points; of two with one id, both are refused as ambiguous."""
    loaded = [_load(point) for point in points]
    ids = [_id(signal) for signal in loaded]
    unique = [
        s if ids.count(i) == 1 else Broken(i, "more than one installed package registers this id")
        for s, i in zip(loaded, ids, strict=True)
    ]
    return tuple(sorted(dict(zip(ids, unique, strict=True)).values(), key=_id))


def run_all(
    exhibit: Exhibit, signals: Iterable[Signal | Broken] | None = None
) -> tuple[Finding, ...]:
    """Ask every signal; what raises becomes ``Failed``.  Only a deliberate stop passes through."""
    chosen = installed() if signals is None else signals
    return tuple(Finding(signal.info, _ask(signal, exhibit)) for signal in chosen)


def _ask(signal: Signal | Broken, exhibit: Exhibit) -> Outcome:
    if isinstance(signal, Broken):
        return Failed(signal.reason)
    try:
        outcome: object = signal.examine(exhibit)
    except Stopped:
        raise
    except Exception as error:  # noqa: BLE001 - a third party's bug is a finding, not our crash
        return Failed(f"{type(error).__name__}: {error}"[:300])
    if not isinstance(outcome, Observed | Inapplicable | Failed):
        return Failed(f"it answered {type(outcome).__name__}, which is no finding")
    if isinstance(outcome, Observed):
        numbers = (outcome.score, outcome.log10_lr)
        if any(n is not None and not math.isfinite(n) for n in numbers):
            return Failed("it answered a score that is not a finite number")
    return outcome


def _load(point: EntryPoint) -> Signal | Broken:
    try:
        signal = point.load()
        info = signal.info
        if isinstance(info, SignalInfo) and callable(signal.examine):
            if info.id == point.name:
                return signal  # type: ignore[no-any-return]  # the checks above are the protocol
            return Broken(point.name, f"it calls itself {info.id!r}")
    except Exception as error:  # noqa: BLE001 - importing foreign code may raise anything
        return Broken(point.name, f"{type(error).__name__}: {error}"[:300])
    return Broken(point.name, f"{point.value} is not a signal")


def _id(signal: Signal | Broken) -> str:
    return signal.name if isinstance(signal, Broken) else signal.info.id
