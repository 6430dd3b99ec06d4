"""Plots of a side-by-side run: figures only, nothing of the pictures."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wholecloth.bench.baselines import ABSDIFF, MAGICK, SSIM
from wholecloth.bench.probe import LOCALISE, REGISTER, STAGES
from wholecloth.bench.side import OURS, RESIZED, SideResult
from wholecloth.bench.side_tables import HALF_PERCENT, SEARCH, methods_of, shown
from wholecloth.bench.tables import pyplot, registration_plot

_COLOURS = {OURS: "#00695c", SSIM: "#d17a00", MAGICK: "#7b4fa3", ABSDIFF: "#5f6b73"}
_PEER, _FAINT = "#b03060", 0.28
_SEARCH_COLOUR, _REGISTER_COLOUR, _LOCALISE_COLOUR = "#9aa5ab", "#3b6fb0", "#00897b"
_NOTHING = 2e-6
"""Where "no pixel flagged" is drawn on a logarithmic axis."""
_TARGET = 4.5
"""Register and localise should cost at most this many SSIMs."""
_DPI = 140


def drawn(results: Sequence[SideResult], document: dict[str, Any]) -> dict[str, bytes]:
    """PNG files by name; those that would be empty are left out.

    Raises:
        NotInstalled: matplotlib is not there.
    """
    plt = pyplot()
    errors = [r.error_px for r in results if r.error_px is not None]
    figures: dict[str, Callable[[], Any]] = {}
    if document["overlap"]:
        figures["iou.png"] = lambda: _overlap(plt, results, document, "iou")
        figures["auc.png"] = lambda: _overlap(plt, results, document, "auc")
    if document["unedited"]:
        figures["false-area.png"] = lambda: _false_area(plt, results, document)
    if errors:
        figures["registration.png"] = lambda: registration_plot(plt, errors)
    if document["speed"]:
        figures["stages.png"] = lambda: _stages(plt, document["speed"])
    files = {}
    with plt.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        for name, make in figures.items():
            stream = io.BytesIO()
            figure = make()
            figure.savefig(stream, format="png", dpi=_DPI, metadata={"Software": None})
            plt.close(figure)
            files[name] = stream.getvalue()
    return files


def _colour(method: str) -> str:
    return _COLOURS.get(method.rpartition(" ")[0] or method, _PEER)


def _rows(axes: Any, named: Sequence[str], metric: str = "") -> None:
    axes.set_yticks(range(len(named)), [shown(m, metric) for m in named])
    axes.set_ylim(len(named) - 0.4, -0.6)
    labels = axes.get_yticklabels()  # none on a panel that shares its neighbour's
    for label, method in zip(labels, named, strict=bool(labels)):
        label.set_color(_colour(method))
        label.set_fontweight("bold" if method == OURS else "normal")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="0.92", lw=0.8)
    axes.set_axisbelow(True)


def _overlap(plt: Any, results: Sequence[SideResult], document: dict[str, Any], metric: str) -> Any:
    """One panel a class: every pair a faint dot, the mean with its interval on top."""
    keys = list(document["overlap"])
    named = [
        m for m in methods_of(results) if any(document["overlap"][k][metric].get(m) for k in keys)
    ]
    size = (max(5.6, 1.9 + 2.3 * len(keys)), 1.0 + 0.32 * len(named))
    figure, panels = plt.subplots(
        1, len(keys), figsize=size, sharey=True, sharex=True, squeeze=False, layout="constrained"
    )
    rng = np.random.default_rng(1)
    lowest = 1.0
    for axes, key in zip(panels[0], keys, strict=True):
        row = document["overlap"][key]
        for y, method in enumerate(named):
            mine = [
                r.scores.get(method) for r in results if r.masked and f"{r.kind} {r.origin}" == key
            ]
            values = [v for s in mine if s is not None and (v := getattr(s, metric)) is not None]
            mean, colour = row[metric].get(method), _colour(method)
            if not values or mean is None:
                continue
            lowest = min(lowest, *values)
            jitter = y + rng.uniform(-0.22, 0.22, len(values))
            axes.scatter(values, jitter, s=9, color=colour, alpha=_FAINT, lw=0)
            if mean["low"] is not None:
                axes.plot([mean["low"], mean["high"]], [y, y], color=colour, lw=2.2)
            face = "white" if method.endswith(RESIZED) else colour
            axes.scatter([mean["mean"]], [y], s=44, color=face, edgecolor=colour, lw=1.6, zorder=3)
            if method == OURS:
                axes.axvline(mean["mean"], color=colour, lw=0.8, ls=":", zorder=0)
        kind, _, origin = key.partition(" ")
        count = f"{row['pairs']} pairs, {row['photographs']} photographs"
        axes.set_title(f"class {kind}, masks {origin}\n{count}", fontsize=9)
        _rows(axes, named, metric)
    from_ = 0.0 if metric == "iou" else max(0.0, np.floor(10 * lowest) / 10)
    panels[0][0].set_xlim(from_ - 0.02, 1.02)
    name = "IoU" if metric == "iou" else "pixel AUC (.5 = chance)"
    figure.supxlabel(
        f"{name}. Faint dot: a pair; ring: the mean with its 95 % interval", fontsize=9
    )
    return figure


def _false_area(plt: Any, results: Sequence[SideResult], document: dict[str, Any]) -> Any:
    """How much is flagged where nothing was edited."""
    kinds = list(document["unedited"])
    named = [m for m in methods_of(results) if any(m in document["unedited"][k] for k in kinds)]
    size = (9.2, 0.6 + len(kinds) * (0.5 + 0.3 * len(named)))
    figure, panels = plt.subplots(
        len(kinds), 1, figsize=size, sharex=True, squeeze=False, layout="constrained"
    )
    rng = np.random.default_rng(1)
    for axes, kind in zip(panels[:, 0], kinds, strict=True):
        axes.axvline(HALF_PERCENT, color="0.35", lw=1, ls="--")
        axes.axvspan(_NOTHING / 2, _NOTHING * 2.2, color="0.95", lw=0)
        for y, method in enumerate(named):
            mine = [
                r.scores[method].flagged
                for r in results
                if r.unedited and r.kind == kind and method in r.scores
            ]
            values = np.array([v for v in mine if v is not None])
            row = document["unedited"][kind].get(method)
            if not len(values) or row is None:
                continue
            jitter = y + rng.uniform(-0.26, 0.26, len(values))
            spread = np.where(values > 0, 1, rng.uniform(0.6, 1.8, len(values)))
            x = np.maximum(values, _NOTHING) * spread
            axes.scatter(x, jitter, s=12, color=_colour(method), alpha=0.55, lw=0)
            above = f"{row['above_half_percent']} of {row['pairs']} above .5 %"
            said = f"{above}, mean {100 * row['mean']:.2g} %"
            axes.text(1.5, y, said, va="center", fontsize=8, color=_colour(method))
        axes.set_xscale("log")
        axes.set_xlim(_NOTHING / 2, 1)
        ticks = [_NOTHING, 1e-5, 1e-4, 1e-3, 5e-3, 1e-2, 1e-1, 1]
        axes.set_xticks(ticks, ["none", ".001 %", ".01 %", ".1 %", ".5 %", "", "10 %", "all"])
        axes.minorticks_off()
        _rows(axes, named)
        axes.set_title(f"class {kind}: nothing was edited", fontsize=9, loc="left")
    panels[-1, 0].set_xlabel("share of the compared area that is flagged, one dot a pair")
    return figure


def _stages(plt: Any, speed: dict[str, Any]) -> Any:
    """Each stage begins where the one before it ends; SSIM of the same pair for scale."""
    measure = "ms_per_megapixel"
    groups = ([s for s in STAGES if s.startswith(own)] for own in (REGISTER, LOCALISE))
    order = [s for first, *inner in groups for s in (*inner, first)]  # a stage's rest comes last
    order = [s for s in (*order, *SEARCH) if speed["stages"][s][measure] >= 0.5]
    bars = []
    start = 0.0
    for stage in order:
        width = speed["stages"][stage][measure]
        searched = stage in SEARCH
        colour = _REGISTER_COLOUR if stage.startswith(REGISTER) else _LOCALISE_COLOUR
        bars.append((stage, start, width, _SEARCH_COLOUR if searched else colour))
        start += width
    if "ssim" in speed:
        own = (
            speed["register_localise"][measure]
            / speed["ssim"]["register_localise_ratio"]["of_sums"]
        )
        bars.insert(0, ("scikit-image SSIM", 0.0, own, _COLOURS[SSIM]))
    figure, axes = plt.subplots(figsize=(7.6, 0.9 + 0.25 * len(bars)), layout="constrained")
    for y, (_, left, width, colour) in enumerate(bars):
        axes.barh(y, width, left=left, color=colour, height=0.72)
        axes.text(left + width + start * 0.008, y, f"{width:.0f}", va="center", fontsize=8)
    names = [n if n in {REGISTER, LOCALISE} else n.partition(": ")[2] or n for n, *_ in bars]
    rest = {REGISTER: "corners, tracking", LOCALISE: "localise: the rest"}
    names = [rest.get(n, n) for n in names]
    axes.set_yticks(range(len(bars)), names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    if "ssim" in speed:
        axes.axvline(_TARGET * own, color="0.4", lw=1, ls="--")
        axes.text(_TARGET * own, -0.75, f" {_TARGET} × SSIM", fontsize=8, color="0.3", va="bottom")
    handles = [
        plt.Rectangle((0, 0), 1, 1, color=c)
        for c in (_REGISTER_COLOUR, _LOCALISE_COLOUR, _SEARCH_COLOUR)
    ]
    axes.legend(handles, ["register", "localise", "search"], frameon=False, loc="upper right")
    axes.set_xlabel("CPU milliseconds a megapixel on one thread, one stage after the other")
    return figure
