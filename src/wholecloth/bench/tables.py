"""From results to JSON, a Markdown table and plots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wholecloth.bench.cases import BENIGN
from wholecloth.bench.pairs import STAGES, PairResult
from wholecloth.errors import NotInstalled

RESAMPLES = 2000
_TICKS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100)
_HOW_READ = (
    "IoU and F1 only against masks given or recovered; in brackets the 95 % interval over "
    "photographs, then pairs and photographs behind the mean."
)


def interval(
    values: Sequence[float],
    groups: Sequence[str],
    statistic: Callable[[Any], Any] = np.mean,
    seed: int = 1,
) -> tuple[float, float]:
    """95 % bootstrap interval of a statistic, resampling whole photographs.

    Pictures made from one photograph fail together, so the photograph is what is drawn (cluster
    bootstrap; Efron & Tibshirani 1993, ch. 8).  With one photograph there is no interval: NaN.
    """
    names = sorted(set(groups))
    if len(names) < 2:
        return math.nan, math.nan
    members = [np.array([v for v, g in zip(values, groups, strict=True) if g == n]) for n in names]
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(names), size=(RESAMPLES, len(names)))
    stats = [float(statistic(np.concatenate([members[i] for i in row]))) for row in drawn]
    low, high = np.quantile(stats, [0.025, 0.975])
    return float(low), float(high)


def per_class(results: Sequence[PairResult]) -> dict[str, dict[str, Any]]:
    """Figures per class, each with how many pairs and photographs are behind it."""
    out = {}
    for kind in dict.fromkeys(r.kind for r in results):
        mine = [r for r in results if r.kind == kind]
        row: dict[str, Any] = {
            "pairs": len(mine),
            "registered": sum(r.registered for r in mine),
            "verdicts": _counted([r.verdict for r in mine]),
        }
        for name in ("iou", "f1"):
            row[name] = _figure(mine, name)
        errors = [r.error_px for r in mine if r.error_px is not None]
        if errors:
            wrong = sum(r.mirror_right is False for r in mine)
            row["registration_px"] = registration(errors) | {"wrong_mirror": wrong}
        if kind == BENIGN:
            shares = np.array([r.flagged for r in mine if r.flagged is not None])
            row["falsely_flagged"] = {
                "mean": round(float(shares.mean()), 6) if len(shares) else None,
                "any": int((shares > 0).sum()),
                "above_half_percent": int((shares > 0.005).sum()),
                "pairs": len(shares),
            }
        out[kind] = row
    return out


def registration(errors: Sequence[float]) -> dict[str, Any]:
    """Errors in published pixels, in figures."""
    return {
        "median": round(float(np.median(errors)), 4),
        "p95": round(float(np.quantile(errors, 0.95)), 4),
        "max": round(max(errors), 4),
        "pairs": len(errors),
    }


def stages(results: Sequence[PairResult]) -> dict[str, dict[str, float]]:
    """CPU milliseconds per pair and per megapixel of the published picture."""
    out = {}
    size = sum(r.megapixels for r in results)
    for stage in STAGES:
        spent = [r.cpu_s.get(stage, 0.0) for r in results]
        out[stage] = {
            "median_ms": round(1000 * float(np.median(spent)), 1),
            "ms_per_megapixel": round(1000 * sum(spent) / size, 1) if size else 0.0,
        }
    return out


def markdown(document: dict[str, Any]) -> str:
    """The table a person reads."""
    lines = [f"# {document['title']}", "", document["how"], ""]
    if "search" in document:
        found = document["search"]
        cost = f"{found['candidates']} candidates, {found['seconds']} s"
        lines += [
            f"## Search: {cost}, {found['peak_mib']:.0f} MiB",
            "",
            "| class | rows | right original | all sources listed | verdicts |",
            "|---|---|---|---|---|",
        ]
        for kind, row in found["classes"].items():
            said = ", ".join(f"{n} {v}" for v, n in row["verdicts"].items())
            lines.append(
                f"| {kind} | {row['rows']} | {row['right_original']} | "
                f"{row['all_sources_listed']} | {said} |"
            )
        lines.append("")
    lines += [
        "## Pairs",
        "",
        _HOW_READ,
        "",
        "| class | pairs | registered | IoU | F1 | registration px (median / p95) | false area |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_pair_line(kind, row) for kind, row in document["pairs"].items()]
    lines += ["", "## Time per stage", "", "| stage | median ms a pair | ms a megapixel |"]
    lines += ["|---|---|---|"]
    for stage, row in document["stages"].items():
        lines.append(f"| {stage} | {row['median_ms']} | {row['ms_per_megapixel']} |")
    lines += ["", f"Peak memory of a measuring process: {document['peak_mib']:.0f} MiB.", ""]
    return "\n".join(lines)


def plots(results: Sequence[PairResult], folder: Path) -> list[str]:
    """Overlap and registration error per class, time per stage; returns the file names.

    Raises:
        NotInstalled: matplotlib is not there.
    """
    plt = pyplot()
    made = []
    scored = [r for r in results if r.iou is not None]
    if scored:
        kinds = list(dict.fromkeys(r.kind for r in scored))
        figure, axes = plt.subplots(figsize=(7, 0.7 + 0.6 * len(kinds)), layout="constrained")
        rng = np.random.default_rng(1)
        for y, kind in enumerate(kinds):
            values = [r.iou for r in scored if r.kind == kind and r.iou is not None]
            axes.scatter(values, y + rng.uniform(-0.16, 0.16, len(values)), s=14, alpha=0.5)
            axes.plot([np.mean(values)] * 2, [y - 0.3, y + 0.3], color="black", lw=2)
        axes.set(yticks=range(len(kinds)), yticklabels=kinds, xlim=(0, 1.02))
        axes.set(xlabel="IoU of the mask, one dot a pair, bar = mean", ylabel="class")
        made.append(_saved(figure, folder / "iou.png"))
    errors = [r.error_px for r in results if r.error_px is not None]
    if errors:
        made.append(_saved(registration_plot(plt, errors), folder / "registration.png"))
    times = stages(results)
    figure, axes = plt.subplots(figsize=(7, 2.4), layout="constrained")
    names = list(times)[::-1]
    axes.barh(names, [times[n]["ms_per_megapixel"] for n in names], color="0.45")
    axes.set(xlabel="CPU milliseconds a megapixel (decode: wall, both files)")
    made.append(_saved(figure, folder / "stages.png"))
    plt.close("all")
    return made


def registration_plot(plt: Any, errors: Sequence[float]) -> Any:
    """Share of pairs below each error, as a figure of pyplot's."""
    errors = sorted(errors)
    figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
    axes.plot(errors, np.arange(1, len(errors) + 1) / len(errors), drawstyle="steps-post")
    axes.axvline(0.05, color="0.6", lw=1)
    axes.set(xscale="log", ylim=(0, 1), xlabel="registration error, published pixels (line: .05)")
    axes.set(ylabel="share of pairs at or below")
    ticks = [t for t in _TICKS if errors[0] / 2 < t < errors[-1] * 2]
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.minorticks_off()
    return figure


def pyplot() -> Any:
    """Matplotlib's, drawing to memory.

    Raises:
        NotInstalled: matplotlib is not there.
    """
    try:
        import matplotlib as mpl  # noqa: PLC0415 - an extra
        from matplotlib import pyplot as plt  # noqa: PLC0415
    except ImportError as error:
        remedy = "pip install 'wholecloth[bench]'"
        raise NotInstalled("plots", "need matplotlib", remedy) from error
    mpl.use("Agg")
    return plt


def _saved(figure: Any, path: Path) -> str:
    figure.savefig(path, dpi=130)
    return path.name


def mean_of(
    values: Sequence[float], groups: Sequence[str], statistic: Callable[[Any], Any] = np.mean
) -> dict[str, Any] | None:
    """A figure with its interval and how many pairs and photographs are behind it."""
    if not values:
        return None
    low, high = interval(values, groups, statistic)
    return {
        "mean": round(float(statistic(values)), 4),
        "low": None if math.isnan(low) else round(low, 4),
        "high": None if math.isnan(high) else round(high, 4),
        "pairs": len(values),
        "photographs": len(set(groups)),
    }


def _figure(results: Sequence[PairResult], name: str) -> dict[str, Any] | None:
    known = [r for r in results if getattr(r, name) is not None]
    return mean_of([getattr(r, name) for r in known], [r.photograph for r in known])


def _counted(values: Sequence[str]) -> dict[str, int]:
    return {v: values.count(v) for v in dict.fromkeys(values)}


def _pair_line(kind: str, row: dict[str, Any]) -> str:
    cells = [kind, str(row["pairs"]), str(row["registered"])]
    for name in ("iou", "f1"):
        figure = row[name]
        if figure is None:
            cells.append("")
            continue
        spread = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
        cells.append(f"{figure['mean']:.3f}{spread} ({figure['pairs']}, {figure['photographs']})")
    error = row.get("registration_px")
    wrong = f", {error['wrong_mirror']} wrong mirror" if error and error["wrong_mirror"] else ""
    cells.append(f"{error['median']:.3f} / {error['p95']:.3f}{wrong}" if error else "")
    false = row.get("falsely_flagged")
    cells.append(
        f"{false['mean']:.3%} mean, {false['above_half_percent']} of {false['pairs']} above .5 %"
        if false and false["mean"] is not None
        else ""
    )
    return "| " + " | ".join(cells) + " |"
