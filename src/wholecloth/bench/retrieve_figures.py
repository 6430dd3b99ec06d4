"""From outcomes to figures: shares with intervals, over everything and split by what was done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wholecloth.bench.hashes import THRESHOLDS
from wholecloth.bench.intervals import share
from wholecloth.bench.outcome import Outcome
from wholecloth.bench.queries import NEGATIVES
from wholecloth.testing.attacks import BUCKETS, CROPS
from wholecloth.testing.fills import FILLS

_DEPTHS = (1, 10, 100)
_SMALL, _MIDDLE = 130, 200
"""Pixels, longer side of the photograph in the published frame."""
_LEFT = 0.25
"""Of the original's area."""

Where = Callable[[Outcome], bool]


def _fact(name: str, value: object) -> Where:
    return lambda o: bool(o.facts.get(name) == value)


def _between(name: str, low: float, high: float) -> Where:
    return lambda o: name in o.facts and low <= o.facts[name] < high


def _enough(outcome: Outcome) -> bool:
    return bool(
        outcome.facts.get("left", 0) >= _LEFT and outcome.facts.get("long_side", 0) >= _SMALL
    )


BY_BUCKET: dict[str, Where] = {
    "all": lambda _: True,
    **{f"{bucket} %": _fact("bucket", bucket) for bucket in BUCKETS},
    f"≥ {_LEFT:.0%} left and ≥ {_SMALL} px".replace("25%", "25 %"): _enough,
}
BY_ATTACK: dict[str, dict[str, Where]] = {
    "frame": {n: _fact("frame", n) for n in ("none", "caption", "border", "screenshot")},
    "mirrored": {"no": _fact("mirror", False), "yes": _fact("mirror", True)},
    "colour": {n: _fact("colour", n) for n in ("none", "mild", "strong", "gray")},
    "fill": {n: _fact("fill", n) for n in FILLS},
    "re-rendered": {"no": _fact("rerender", False), "yes": _fact("rerender", True)},
    "text": {"no": _fact("texts", 0), "yes": lambda o: o.facts.get("texts", 0) > 0},
    "crop keeps": {
        "50-65 %": _between("kept", 0, 0.65),
        "65-80 %": _between("kept", 0.65, 0.8),
        "80-100 %": _between("kept", 0.8, 0.9999),
        "all": _between("kept", 0.9999, 2),
    },
    "JPEG quality": {
        "30-50": _between("quality", 0, 50),
        "50-75": _between("quality", 50, 75),
        "75-95": _between("quality", 75, 101),
    },
    "photograph's longer side": {
        f"< {_SMALL} px": _between("long_side", 0, _SMALL),
        f"{_SMALL}-{_MIDDLE} px": _between("long_side", _SMALL, _MIDDLE),
        f"≥ {_MIDDLE} px": _between("long_side", _MIDDLE, math.inf),
    },
    "of the original left": {
        "< 25 %": _between("left", 0, _LEFT),
        "≥ 25 %": _between("left", _LEFT, 2),
    },
}


def figures(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """All figures of a run."""
    drawn = [o for o in outcomes if o.kind == "drawn"]
    crops = [o for o in outcomes if o.kind == "group crop"]
    real = [o for o in outcomes if o.kind == "real"]
    classes = list(dict.fromkeys(o.group for o in real))
    return {
        "drawn": _rows(drawn, BY_BUCKET),
        "attacks": {title: _rows(drawn, parts) for title, parts in BY_ATTACK.items()},
        "group_crops": _rows(crops, {f"{round(100 * s)} %": _group(str(s)) for s in CROPS}),
        "real": _rows(real, {name: _group(name) for name in classes}),
        "negatives": _negatives(outcomes),
        "donors": _donors(outcomes),
        "refused": _counted(o.refused for o in outcomes if o.refused),
        "failed": _failures(outcomes),
        "time": _times(outcomes),
    }


def _group(name: str) -> Where:
    return lambda o: o.group == name


def _rows(outcomes: Sequence[Outcome], parts: dict[str, Where]) -> dict[str, Any]:
    found = {}
    for name, where in parts.items():
        mine = [o for o in outcomes if where(o)]
        if mine:
            found[name] = _row(mine)
    return found


def _row(mine: Sequence[Outcome]) -> dict[str, Any]:
    """Of queries that have a right photograph."""
    row: dict[str, Any] = {
        "queries": len(mine),
        "photographs": len({o.photograph for o in mine}),
        "found": share(o.found for o in mine),
        "named_anywhere": share(o.right_verdict in ("same_photo", "partial") for o in mine),
        "wrong_on_top": share(o.wrong_on_top for o in mine),
        "verdicts_on_right": _counted(o.right_verdict or "not in the answer" for o in mine),
    }
    for depth in _DEPTHS:
        row[f"recall_{depth}"] = share(_within(o.rank, depth) for o in mine)
    if any(o.rank_detail is not None for o in mine):
        row["recall_100_detail"] = share(_within(o.rank_detail, 100) for o in mine)
    row["hashes"] = {
        name: {
            "recall_1": share(_within(o.hashes[name].rank, 1) for o in mine if o.hashes),
            "recall_10": share(_within(o.hashes[name].rank, 10) for o in mine if o.hashes),
            "found": share(o.hashes[name].found for o in mine if o.hashes),
        }
        for name in THRESHOLDS
    }
    names = dict.fromkeys(n for o in mine for n in o.peers)
    row["peers"] = {n: share(o.peers[n] == "match" for o in mine if n in o.peers) for n in names}
    return row


def _within(rank: int | None, depth: int) -> bool:
    return rank is not None and rank <= depth


def _negatives(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """False verdicts: on any photograph but the donor of the fill."""
    found: dict[str, Any] = {}
    for kind in NEGATIVES:
        mine = [o for o in outcomes if o.kind == kind and not o.refused]
        groups = dict.fromkeys(o.group for o in mine)
        parts = {"all": mine} | {g: [o for o in mine if o.group == g] for g in groups}
        if mine:
            found[kind] = {
                name: {
                    "queries": len(those),
                    "photographs": len({o.photograph for o in those}),
                    **{v: share(bool(o.others.get(v)) for o in those) for v in (
                        "same_photo", "partial", "same_scene")},
                    "hashes": {
                        n: share(o.hashes[n].false > 0 for o in those) for n in THRESHOLDS
                    },
                }
                for name, those in parts.items()
            }  # fmt: skip
    return found


def _donors(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Pictures whose fill comes from a photograph of the index: what is said of that one."""
    mine = [o for o in outcomes if o.donor_known and o.facts.get("fill") in ("poisson", "paste")]
    return {
        "queries": len(mine),
        "verdicts": _counted(o.donor_verdict or "not in the answer" for o in mine),
    }


def _times(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    done = [o for o in outcomes if not o.refused]
    if not done:
        return {}
    rank, answer = ([getattr(o, k) for o in done] for k in ("rank_s", "answer_s"))
    return {
        "rank_ms_median": round(1000 * float(np.median(rank)), 1),
        "answer_s_median": round(float(np.median(answer)), 2),
        "answer_s_p95": round(float(np.quantile(answer, 0.95)), 2),
    }


def _counted(values: Iterable[str]) -> dict[str, int]:
    listed = list(values)
    return {v: listed.count(v) for v in sorted(set(listed))}


def _failures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    names = dict.fromkeys(n for o in outcomes for n in o.failed)
    return {n: _counted(o.failed[n] for o in outcomes if n in o.failed) for n in names}
