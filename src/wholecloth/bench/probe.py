"""Where the time of registration and localisation goes, without a second copy of either.

While a probe is on, named functions of the stages are wrapped by a clock; what is measured is what
runs.  A stage's time is its own: the time of stages inside it is taken off.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

REGISTER, LOCALISE = "register", "localise"
_REFINE, _TRACK = "wholecloth.registration.refine", "wholecloth.registration.track"
_LOCALISE = "wholecloth.localisation.localise"
_PREDICT = "wholecloth.localisation.predict"
PLACES: tuple[tuple[str, str, str], ...] = (
    (REGISTER, _REFINE, "register"),
    ("register: features", _REFINE, "extract"),
    ("register: features", _REFINE, "verify"),
    ("register: contrast", _TRACK, "contrast_normalised"),
    ("register: warp", _TRACK, "reduce"),
    ("register: warp", _TRACK, "warp"),
    ("register: fit", _TRACK, "simplest_adequate"),
    ("register: mirror state", _REFINE, "likeness"),
    ("register: drift", _REFINE, "drift"),
    (LOCALISE, _LOCALISE, "localise"),
    ("localise: comparable", _LOCALISE, "comparable"),
    ("localise: comparable", _LOCALISE, "beside"),
    ("localise: comparable", _LOCALISE, "coarse_colours"),
    ("localise: exact", _LOCALISE, "exact_mask"),
    ("localise: warp", _LOCALISE, "reduce"),
    ("localise: warp", _LOCALISE, "warp"),
    ("localise: warp", _LOCALISE, "warp_through"),
    ("localise: warp", _LOCALISE, "supported"),
    ("localise: predict", _LOCALISE, "predict"),
    ("localise: predict, colour", _PREDICT, "_colour_map"),
    ("localise: predict, sharpness", _PREDICT, "_sharpness"),
    ("localise: predict, jpeg", _PREDICT, "recompress"),
    ("localise: evidence", _LOCALISE, "evidence"),
    ("localise: segment", _LOCALISE, "segment"),
    ("localise: residue", _LOCALISE, "residue"),
    ("localise: regions", _LOCALISE, "regions_of"),
)
"""Stage, module, function, in the order of the work.  What ``register`` keeps for itself is corner
search and tracking; what ``localise`` keeps is reducing and putting together."""
EVIDENCE = "localise: evidence"
STAGES = tuple(dict.fromkeys(stage for stage, _, _ in PLACES))


@dataclass(slots=True)
class Probe:
    """What was seen."""

    own_s: dict[str, float] = field(default_factory=dict)
    """CPU seconds of this process per stage, less those of stages inside it."""
    last: dict[str, Any] = field(default_factory=dict)
    """What each stage returned last."""
    _inner: list[float] = field(default_factory=lambda: [0.0])

    def wrapped(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a clock."""

        def timed(*args: Any, **named: Any) -> Any:
            self._inner.append(0.0)
            started = time.process_time()
            try:
                self.last[stage] = function(*args, **named)
            finally:
                spent = time.process_time() - started
                self.own_s[stage] = self.own_s.get(stage, 0.0) + spent - self._inner.pop()
                self._inner[-1] += spent
            return self.last[stage]

        return timed


@contextmanager
def probing() -> Iterator[Probe]:
    """Put the clocks on, and take them off again."""
    probe = Probe()
    before = [(module := import_module(m), name, getattr(module, name)) for _, m, name in PLACES]
    try:
        for (stage, _, _), (module, name, function) in zip(PLACES, before, strict=True):
            setattr(module, name, probe.wrapped(stage, function))
        yield probe
    finally:
        for module, name, function in before:
            setattr(module, name, function)


def reset_peak() -> bool:
    """Let the system count this process's largest resident size anew; False where it cannot."""
    try:
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")
    except OSError:
        return False
    return True


def peak_mib() -> float | None:
    """Largest resident size of this process since ``reset_peak``, in MiB; Linux only."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return round(int(line.split()[1]) / 1024, 1)
    except OSError:
        pass
    return None


def total(cpu_s: Mapping[str, float], stage: str) -> float:
    """CPU seconds of a stage with all that is inside it."""
    return sum(v for k, v in cpu_s.items() if k == stage or k.startswith(f"{stage}: "))
