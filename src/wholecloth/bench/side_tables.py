"""From side-by-side results to figures and the page that is committed as ``bench/RESULTS.md``."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from wholecloth.bench.baselines import ABSDIFF, MAGICK, SSIM
from wholecloth.bench.pairs import STAGES as OUTER
from wholecloth.bench.probe import LOCALISE, REGISTER, STAGES, total
from wholecloth.bench.side import BASELINES, OURS, Scored, SideResult
from wholecloth.bench.tables import mean_of, registration

METRICS = ("iou", "f1", "auc")
NAMES = {
    SSIM: "SSIM + Otsu",
    MAGICK: "ImageMagick 10 %",
    ABSDIFF: "difference + Otsu",
}
MAPS = {
    SSIM: "SSIM",
    MAGICK: "ImageMagick",
    ABSDIFF: "difference",
}
HALF_PERCENT = 0.005
SIZES = (0.0, 0.3, 0.8, 1.25, 3.0, float("inf"))
"""Megapixels; the middle band is the 1 MP picture of the target."""
SEARCH = OUTER[1:3]
_READ = (
    "Means with, in brackets, the 95 % bootstrap interval over photographs. Masks are scored only "
    "where they are *given* or *recovered*, never where they were derived from a difference; a "
    "mask marks changed pixels. *Failures as 0*: pairs that are not registered count as IoU 0, "
    "which the plain mean leaves out. *Aligned* baselines are given our registration, our warp "
    "and our comparable area; *resized* ones the original stretched to the published size, over "
    "the whole frame. AUC: of the continuous map over all pixels of the frame (ours: evidence per "
    "block; ImageMagick has none: a sweep of `-fuzz` would split the difference, which is the "
    "largest of the three channels)."
)


def figures(results: Sequence[SideResult]) -> dict[str, Any]:
    """All figures of a run."""
    named = methods_of(results)
    scored = [r for r in results if r.masked]
    keys = list(dict.fromkeys((r.kind, r.origin) for r in scored))
    overlap = {}
    for kind, origin in keys:
        mine = [r for r in scored if (r.kind, r.origin) == (kind, origin)]
        overlap[f"{kind} {origin}"] = _overlap(mine, named)
    return {
        "pairs": _counts(results),
        "overlap": overlap,
        "unedited": _unedited(results, named),
        "registration": _registration(results),
        "speed": speed(results),
        "failed": _failures(results),
    }


def methods_of(results: Sequence[SideResult]) -> list[str]:
    """Ours, the baselines that ran, then the peers."""
    seen = dict.fromkeys(name for r in results for name in r.scores)
    known = [n for n in (OURS, *BASELINES) if n in seen]
    return known + [n for n in seen if n not in known]


def shown(method: str, metric: str = "") -> str:
    """A method's name as a person reads it; for AUC that of its map."""
    name, _, how = method.rpartition(" ")
    names = MAPS if metric == "auc" else NAMES
    return f"{names[name]}, {how}" if name in names else method


def speed(results: Sequence[SideResult]) -> dict[str, Any]:
    """CPU time per stage and against SSIM of the same warped pair in the same process."""
    done = [r for r in results if r.registered and r.megapixels]
    if not done:
        return {}
    size = np.array([r.megapixels for r in done])

    def row(spent: Sequence[float]) -> dict[str, float]:
        ms = 1000 * np.array(spent)
        return {
            "median_ms": round(float(np.median(ms)), 1),
            "median_ms_per_megapixel": round(float(np.median(ms / size)), 1),
            "ms_per_megapixel": round(float(ms.sum() / size.sum()), 1),
        }

    core = [total(r.cpu_s, REGISTER) + total(r.cpu_s, LOCALISE) for r in done]
    whole = [c + sum(r.cpu_s.get(s, 0.0) for s in SEARCH) for c, r in zip(core, done, strict=True)]
    peaks = [r.peak_mib for r in done if r.peak_mib is not None]
    added = [r.peak_mib - r.before_mib for r in done if r.peak_mib and r.before_mib is not None]
    found: dict[str, Any] = {
        "pairs": len(done),
        "megapixels": round(float(size.sum()), 1),
        "stages": {s: row([r.cpu_s.get(s, 0.0) for r in done]) for s in (*SEARCH, *STAGES)},
        "register_localise": row(core),
        "all": row(whole),
        "peak_mib": max(peaks) if peaks else None,
        "added_mib": round(max(added), 1) if added else None,
    }
    found["sizes"] = _sizes(done, core, whole)
    timed = [i for i, r in enumerate(done) if r.cpu_s.get(SSIM)]
    if timed:
        own = np.array([done[i].cpu_s[SSIM] for i in timed])
        found["ssim"] = {
            "pairs": len(timed),
            "median_ms": round(float(np.median(own * 1000)), 1),
            "median_ms_per_megapixel": round(float(np.median(own * 1000 / size[timed])), 1),
            "register_localise_ratio": _ratio(np.array(core)[timed], own),
            "all_ratio": _ratio(np.array(whole)[timed], own),
        }
    return found


def _sizes(
    done: Sequence[SideResult], core: Sequence[float], whole: Sequence[float]
) -> list[dict[str, Any]]:
    """By size of the published picture: small ones pay the fixed costs, and fit into a cache."""
    out = []
    for low, high in itertools.pairwise(SIZES):
        those = [i for i, r in enumerate(done) if low <= r.megapixels < high]
        if not those:
            continue
        row: dict[str, Any] = {
            "from": low,
            "to": high if np.isfinite(high) else None,
            "pairs": len(those),
            "median_ms": round(1000 * float(np.median([core[i] for i in those])), 1),
            "peak_mib": max((done[i].peak_mib or 0.0 for i in those), default=0.0) or None,
        }
        timed = [i for i in those if done[i].cpu_s.get(SSIM)]
        if timed:
            own = np.array([done[i].cpu_s[SSIM] for i in timed])
            row["ssim_median_ms"] = round(1000 * float(np.median(own)), 1)
            row["register_localise_ratio"] = _ratio(np.array([core[i] for i in timed]), own)
            row["all_ratio"] = _ratio(np.array([whole[i] for i in timed]), own)
        out.append(row)
    return out


def _ratio(ours: Any, theirs: Any) -> dict[str, float]:
    """Two readings of one comparison: the typical pair, and all the work there was."""
    return {
        "median_of_pairs": round(float(np.median(ours / theirs)), 2),
        "of_sums": round(float(ours.sum() / theirs.sum()), 2),
    }


def _counts(results: Sequence[SideResult]) -> dict[str, dict[str, Any]]:
    out = {}
    for kind in dict.fromkeys(r.kind for r in results):
        mine = [r for r in results if r.kind == kind]
        verdicts = [r.verdict for r in mine]
        out[kind] = {
            "pairs": len(mine),
            "photographs": len({r.photograph for r in mine}),
            "registered": sum(r.registered for r in mine),
            "refused": sum(bool(r.refused) for r in mine),
            "masked": sum(r.masked for r in mine),
            "verdicts": {v: verdicts.count(v) for v in dict.fromkeys(verdicts)},
        }
    return out


def _overlap(mine: Sequence[SideResult], named: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"pairs": len(mine), "photographs": len({r.photograph for r in mine})}
    for metric in METRICS:
        row[metric] = {}
        for name in named:
            known = [(r, r.scores[name]) for r in mine if name in r.scores]
            row[metric][name] = _mean([(getattr(s, metric), r.photograph) for r, s in known])
    failures = [(r.scores.get(OURS, Scored(iou=0.0)).iou, r.photograph) for r in mine]
    row["iou_failures_as_0"] = _mean(failures)
    return row


def _mean(values: Sequence[tuple[float | None, str]]) -> dict[str, Any] | None:
    known = [(v, group) for v, group in values if v is not None]
    return mean_of([v for v, _ in known], [group for _, group in known])


def _unedited(results: Sequence[SideResult], named: Sequence[str]) -> dict[str, Any]:
    out = {}
    for kind in dict.fromkeys(r.kind for r in results if r.unedited):
        mine = [r for r in results if r.unedited and r.kind == kind]
        row = {}
        for name in named:
            known = [(r.scores[name].flagged, r.photograph) for r in mine if name in r.scores]
            values = [(v, p) for v, p in known if v is not None]
            mean = _mean(values)
            if mean is not None:
                above = sum(v > HALF_PERCENT for v, _ in values)
                row[name] = mean | {
                    "mean": round(float(np.mean([v for v, _ in values])), 6),
                    "any": sum(v > 0 for v, _ in values),
                    "above_half_percent": above,
                }
        out[kind] = row
    return out


def _registration(results: Sequence[SideResult]) -> dict[str, Any]:
    out = {}
    for kind in dict.fromkeys(r.kind for r in results):
        mine = [r for r in results if r.kind == kind]
        errors = [r.error_px for r in mine if r.error_px is not None]
        if errors:
            wrong = sum(r.mirror_right is False for r in mine)
            out[kind] = registration(errors) | {"wrong_mirror": wrong}
    return out


def _failures(results: Sequence[SideResult]) -> dict[str, dict[str, int]]:
    out: dict[str, dict[str, int]] = {}
    for result in results:
        for name, reason in result.failed.items():
            reasons = out.setdefault(name, {})
            reasons[reason] = reasons.get(reason, 0) + 1
    return out


def markdown(document: dict[str, Any]) -> str:
    """The page a person reads."""
    machine = ", ".join(f"{k} {v}" for k, v in document["machine"].items() if v)
    lines = [
        f"# {document['title']}",
        "",
        f"`{document['command']}`: {document['how']}",
        "",
        f"- settings: {document['settings']}",
        f"- machine: {machine}",
        f"- ImageMagick: {document['imagemagick']}",
        *(f"- {note}" for note in document["notes"]),
        "",
        _READ,
        "",
    ]
    named = list(
        dict.fromkeys(n for row in document["overlap"].values() for n in row["iou"])
    ) or list(dict.fromkeys(n for row in document["unedited"].values() for n in row))
    lines += _overlap_table(document, named, "iou", "IoU")
    for metric, title in (("f1", "F1"), ("auc", "Pixel AUC")):
        lines += _overlap_table(document, named, metric, title)
    lines += _unedited_table(document["unedited"], named)
    lines += _pairs_table(document)
    lines += _speed_table(document["speed"])
    if document["failed"]:
        lines += ["## Gave no map", ""]
        for name, reasons in document["failed"].items():
            said = "; ".join(f"{n} × {reason}" for reason, n in reasons.items())
            lines.append(f"- {shown(name)}: {said}")
        lines.append("")
    return "\n".join(lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    body = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in body), ""]


def _overlap_table(
    document: dict[str, Any], named: Sequence[str], metric: str, title: str
) -> list[str]:
    figures_of = [row[metric] for row in document["overlap"].values()]
    named = [m for m in named if any(figures.get(m) for figures in figures_of)]
    if not named:
        return []
    head = [
        "class, mask",
        "pairs (photographs)",
        *(f"**{m}**" if m == OURS else shown(m, metric) for m in named),
    ]
    if metric == "iou":
        head.insert(3, "ours, failures as 0")
    rows = []
    for key, row in document["overlap"].items():
        cells = [key.replace(" ", ", "), f"{row['pairs']} ({row['photographs']})"]
        cells += [_cell(row[metric].get(m), bold=m == OURS) for m in named]
        if metric == "iou":
            cells.insert(3, _cell(row["iou_failures_as_0"]))
        rows.append(cells)
    return [f"## {title}", "", *_table(head, rows)]


def _cell(figure: dict[str, Any] | None, *, bold: bool = False) -> str:
    if figure is None:
        return ""
    mark = "**" if bold else ""
    spread = "" if figure["low"] is None else f" [{figure['low']:.3f}, {figure['high']:.3f}]"
    return f"{mark}{figure['mean']:.3f}{mark}{spread}"


def _unedited_table(unedited: dict[str, Any], named: Sequence[str]) -> list[str]:
    if not unedited:
        return []
    rows = []
    for name in named:
        cells = [f"**{name}**" if name == OURS else shown(name)]
        for row in unedited.values():
            figure = row.get(name)
            cells.append(
                f"{figure['mean']:.3%}; {figure['above_half_percent']} of {figure['pairs']}"
                if figure
                else ""
            )
        rows.append(cells)
    head = ["mean false area; copies above .5 %", *(f"class {k}" for k in unedited)]
    return ["## Where nothing was edited", "", *_table(head, rows)]


def _pairs_table(document: dict[str, Any]) -> list[str]:
    rows = []
    for kind, row in document["pairs"].items():
        error = document["registration"].get(kind)
        cells = [kind, f"{row['pairs']} ({row['photographs']})", str(row["registered"])]
        cells += (
            [
                f"{error['median']:.4f} / {error['p95']:.4f} / {error['max']:.4f}",
                f"{error['wrong_mirror']} of {error['pairs']}",
            ]
            if error
            else ["", ""]
        )
        cells.append(", ".join(f"{n} {v}" for v, n in row["verdicts"].items()))
        rows.append(cells)
    head = ["class", "pairs (photographs)", "registered"]
    head += ["error in px, median / p95 / max", "wrong mirror", "verdicts"]
    return ["## Registration and verdicts", "", *_table(head, rows)]


def _speed_table(speed: dict[str, Any]) -> list[str]:
    if not speed:
        return []
    rows = [
        [
            stage,
            *(
                f"{row[k]:.1f}"
                for k in ("median_ms", "median_ms_per_megapixel", "ms_per_megapixel")
            ),
        ]
        for stage, row in speed["stages"].items()
        if row["ms_per_megapixel"] > 0
    ]
    for key, title in (("register_localise", "register + localise"), ("all", "all of these")):
        row = speed[key]
        cells = (f"**{row[k]:.1f}**" for k in row)
        rows.append([f"**{title}**", *cells])
    pairs = (
        f"CPU milliseconds on one thread, {speed['pairs']} registered pairs, "
        f"{speed['megapixels']:g} megapixels of published pictures; a stage's time is its own, "
        "without that of stages inside it."
    )
    lines = [
        "## Speed and memory",
        "",
        pairs,
        "",
        *_table(["stage", "median a pair", "median a megapixel", "all / all megapixels"], rows),
    ]
    if "ssim" in speed:
        against, core, whole = (
            speed["ssim"],
            speed["ssim"]["register_localise_ratio"],
            speed["ssim"]["all_ratio"],
        )
        said = (
            "scikit-image's SSIM (`full=True`, 8-bit luma, default window) of the same warped pair "
            f"in the same process: median {against['median_ms']:.1f} ms a pair, "
            f"{against['median_ms_per_megapixel']:.1f} ms a megapixel."
        )
        lines += [
            said,
            "",
            *_table(
                ["against SSIM", "median of pairs", "sum / sum (per megapixel)"],
                [
                    ["register + localise", *(f"{v:.2f} ×" for v in core.values())],
                    ["with features and matching", *(f"{v:.2f} ×" for v in whole.values())],
                ],
            ),
        ]
        rows = [
            [
                f"{row['from']:g}-{row['to']:g}" if row["to"] else f"from {row['from']:g}",
                str(row["pairs"]),
                f"{row['median_ms']:.0f}",
                f"{row['ssim_median_ms']:.0f}",
                f"{row['register_localise_ratio']['median_of_pairs']:.2f} ×",
                f"{row['all_ratio']['median_of_pairs']:.2f} ×",
                f"{row['peak_mib']:.0f}" if row["peak_mib"] else "",
            ]
            for row in speed["sizes"]
            if "ssim_median_ms" in row
        ]
        head = ["megapixels", "pairs", "register + localise, ms", "SSIM, ms", "ratio"]
        lines += _table([*head, "with features and matching", "peak MiB"], rows)
    if speed["peak_mib"] is not None:
        said = (
            f"Largest resident size from features to localisation: {speed['peak_mib']:.0f} MiB, "
            f"of which at most {speed['added_mib']:.0f} MiB came on top of what the process and "
            "the two decoded pictures held before."
        )
        lines += [said, ""]
    return lines
