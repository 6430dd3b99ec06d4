"""Plots of a search benchmark: found beside the peers, and how it holds as the index grows."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np

from wholecloth.bench.hashes import THRESHOLDS
from wholecloth.bench.tables import pyplot

_OURS = "#00695c"
_THEIRS = {"PDQ": "#7b4fa3", "pHash": "#d17a00", "dHash": "#5f6b73"}
_PEER = "#b03060"
_DPI = 140


def drawn(document: dict[str, Any]) -> dict[str, bytes]:
    """PNG files by name; those that would be empty are left out.

    Raises:
        NotInstalled: matplotlib is not there.
    """
    plt = pyplot()
    made: dict[str, Callable[[], Any]] = {}
    if document["drawn"]:
        made["found.png"] = lambda: _beside(plt, document["drawn"])
    if document["attacks"]:
        made["attacks.png"] = lambda: _attacks(plt, document["attacks"])
    if document.get("growth"):
        made["growth.png"] = lambda: _growth(plt, document["growth"]["sizes"])
    files = {}
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        for name, make in made.items():
            stream = io.BytesIO()
            figure = make()
            figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
            plt.close(figure)
            files[name] = stream.getvalue()
    return files


def _bars(axes: Any, x: Any, figures: list[dict[str, Any]], width: float, **style: Any) -> None:
    """Shares with their intervals."""
    tall = np.array([100 * (f["share"] or 0) for f in figures])
    low, high = (np.array([100 * (f[k] or 0) for f in figures]) for k in ("low", "high"))
    spread = np.maximum(0, [tall - low, high - tall])
    axes.bar(x, tall, width, yerr=spread, error_kw={"lw": 0.9, "ecolor": "0.3"}, **style)


def _beside(plt: Any, rows: dict[str, Any]) -> Any:
    """Ours found and verified; the hashes at their thresholds (full) and by rank (hollow)."""
    names = list(rows)
    peers = list(dict.fromkeys(n for row in rows.values() for n in row["peers"]))
    columns: list[tuple[str, list[dict[str, Any]], dict[str, Any]]] = [
        ("wholecloth, found", [rows[n]["found"] for n in names], {"color": _OURS})
    ]
    for name, threshold in THRESHOLDS.items():
        own = [rows[n]["hashes"][name] for n in names]
        colour = _THEIRS[name]
        columns.append((f"{name}, ≤ {threshold} bits", [h["found"] for h in own],
                        {"color": colour}))  # fmt: skip
        columns.append((f"{name}, rank 1", [h["recall_1"] for h in own],
                        {"color": "white", "edgecolor": colour}))  # fmt: skip
    nothing = {"share": 0, "low": 0, "high": 0}
    columns += [
        (f"{p}, given the pair", [rows[n]["peers"].get(p, nothing) for n in names],
         {"color": _PEER})
        for p in peers
    ]  # fmt: skip
    figure, axes = plt.subplots(figsize=(1.4 + 1.7 * len(names), 3.6), layout="constrained")
    width = 0.84 / len(columns)
    for i, (label, figures, style) in enumerate(columns):
        at = np.arange(len(names)) + (i - (len(columns) - 1) / 2) * width
        _bars(axes, at, figures, width * 0.92, label=label, **style)
    axes.set_xticks(range(len(names)), [f"{n}\n{rows[n]['queries']} queries" for n in names])
    axes.set(ylim=(0, 104), ylabel="% of drawn queries, 95 % interval")
    axes.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=8)
    return figure


def _attacks(plt: Any, attacks: dict[str, Any]) -> Any:
    """Found and verified by what was done: one dot a part, with its interval."""
    rows = [
        (f"{title}: {name}", row["found"], row["queries"])
        for title, parts in attacks.items()
        for name, row in parts.items()
    ]
    figure, axes = plt.subplots(figsize=(6.4, 0.8 + 0.19 * len(rows)), layout="constrained")
    for y, (_, found, _) in enumerate(rows):
        axes.plot([100 * found["low"], 100 * found["high"]], [y, y], color=_OURS, lw=1.6)
        axes.plot([100 * found["share"]], [y], "o", ms=4.5, color=_OURS)
    axes.set_yticks(
        range(len(rows)), [f"{label} ({count})" for label, _, count in rows], fontsize=8
    )
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set(xlim=(0, 101), xlabel="found and verified, % (queries behind it)")
    axes.grid(axis="x", color="0.92", lw=0.8)
    axes.set_axisbelow(True)
    return figure


def _growth(plt: Any, sizes: list[dict[str, Any]]) -> Any:
    """Recall and time over the size of the index."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.6, 3.0), layout="constrained")
    x = [s["pictures"] for s in sizes]
    for depth, shade in ((1, 1.0), (10, 0.65), (100, 0.35)):
        y = [100 * s[f"recall_{depth}"]["share"] for s in sizes]
        left.plot(
            x, y, "o-", color=_OURS, alpha=shade, lw=1.4, ms=4, label=f"R@{depth}", clip_on=False
        )
    left.set(xscale="log", ylim=(0, 102), xlabel="photographs", ylabel="% of queries")
    left.legend(frameon=False)
    right.plot(x, [s["ms_median"] for s in sizes], "o-", color=_OURS, lw=1.4, ms=4)
    right.set(xscale="log", ylim=(0, None), xlabel="photographs", ylabel="CPU ms a query")
    return figure
