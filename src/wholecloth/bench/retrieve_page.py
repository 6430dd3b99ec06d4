"""The page of a search benchmark that a person reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wholecloth.bench.hashes import THRESHOLDS

_READ = (
    "*Found*: the first result is the true original, with the verdict same_photo or partial. "
    "*R@k*: the true original is among the first k candidates by words alone. *Wrong on top*: the "
    "first result is a photograph that has nothing to do with the picture, with one of these two "
    "verdicts. In brackets the 95 % Wilson interval; it takes queries as independent, which "
    "several from one photograph are not quite. Photographs that PDQ calls the same as the "
    "original count as right; other pictures of the same photograph, as the edit of an edit, are "
    "set aside. Hashes are asked in both mirror states, equal distances count in their favour, "
    "*at n* is the threshold in bits at which their users call a match."
)


def markdown(document: dict[str, Any]) -> str:
    """Everything, as ``results.md``."""
    machine = ", ".join(f"{k} {v}" for k, v in document["machine"].items() if v)
    built = document["index"]
    each = built["bytes"] / max(built["pictures"], 1) / 1000
    lines = [
        f"# {document['title']}",
        "",
        f"`{document['command']}`: {document['how']}",
        "",
        f"- machine: {machine}",
        f"- index: {built['pictures']} pictures, {built['seconds']} s, {each:.1f} kB each",
        *(f"- {note}" for note in document["notes"]),
        "",
        _READ,
        "",
    ]
    lines += _found("Drawn attacks, by share of the original replaced", document["drawn"])
    lines += _beside("Beside hashes, same queries", document["drawn"])
    lines += _attacks(document["attacks"])
    lines += _found("Real pairs, by class", document["real"])
    lines += _beside("Real pairs beside hashes", document["real"])
    lines += _found("One person cut out of a large photograph, by share", document["group_crops"])
    lines += _negatives(document["negatives"])
    lines += _growth(document.get("growth") or {})
    lines += _rest(document)
    return "\n".join(lines)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    body = [head, ["---"] * len(head), *rows]
    return [*("| " + " | ".join(cells) + " |" for cells in body), ""]


def percent(figure: dict[str, Any], *, spread: bool = True) -> str:
    """A share as a person reads it."""
    if figure["share"] is None:
        return ""
    said = f"{100 * figure['share']:.1f}"
    if spread:
        said += f" [{100 * figure['low']:.1f}, {100 * figure['high']:.1f}]"
    return said


_HEAD = ("queries (photographs)", "R@1", "R@10", "R@100", "found %", "wrong on top %")


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        f"{row['queries']} ({row['photographs']})",
        *(percent(row[f"recall_{k}"], spread=False) for k in (1, 10, 100)),
        f"**{percent(row['found'])}**",
        percent(row["wrong_on_top"]),
    ]


def _found(title: str, rows: dict[str, Any]) -> list[str]:
    if not rows:
        return []
    detail = any("recall_100_detail" in row for row in rows.values())
    head = ["", *_HEAD, *(["R@100, detail"] if detail else []), "verdicts on the right one"]
    body = []
    for name, row in rows.items():
        verdicts = ", ".join(f"{n} {v}" for v, n in row["verdicts_on_right"].items())
        closer = row.get("recall_100_detail")
        cells = [percent(closer, spread=False) if closer else ""] if detail else []
        body.append([name, *_cells(row), *cells, verdicts])
    return [f"## {title}", "", *table(head, body)]


def _beside(title: str, rows: dict[str, Any]) -> list[str]:
    """Ours and the hashes, rank 1 / 10 and at their thresholds; peers that were given the pair."""
    if not rows:
        return []
    named = list(dict.fromkeys(n for row in rows.values() for n in row["peers"]))
    head = ["", "**found %**"]
    for name, threshold in THRESHOLDS.items():
        head += [f"{name} at {threshold}", f"{name} R@1 / R@10"]
    head += [f"{n}, given the true pair" for n in named]
    body = []
    for name, row in rows.items():
        cells = [name, f"**{percent(row['found'])}**"]
        for kind in THRESHOLDS:
            theirs = row["hashes"][kind]
            ranks = (percent(theirs[k], spread=False) for k in ("recall_1", "recall_10"))
            cells += [percent(theirs["found"]), " / ".join(ranks)]
        cells += [percent(row["peers"][n]) if n in row["peers"] else "" for n in named]
        body.append(cells)
    return [f"## {title}", "", *table(head, body)]


def _attacks(attacks: dict[str, Any]) -> list[str]:
    body = [
        [title, name, *_cells(row)] for title, rows in attacks.items() for name, row in rows.items()
    ]
    if not body:
        return []
    return ["## Drawn attacks, by what was done", "", *table(["", "", *_HEAD], body)]


def _negatives(negatives: dict[str, Any]) -> list[str]:
    if not negatives:
        return []
    head = ["", "", "queries (photographs)", "**false same_photo %**", "false partial %"]
    head += ["same_scene %", *(f"{n} at {t}" for n, t in THRESHOLDS.items())]
    body = []
    for kind, groups in negatives.items():
        for name, row in groups.items():
            body.append([
                kind, name, f"{row['queries']} ({row['photographs']})",
                f"**{percent(row['same_photo'])}**", percent(row["partial"]),
                percent(row["same_scene"]),
                *(percent(row["hashes"][n]) for n in THRESHOLDS),
            ])  # fmt: skip
    text = (
        "Queries whose original is not in the index: the share that gets this verdict on any "
        "photograph but the donor of its fill. Same scene: another frame of a burst, a part that "
        "does not overlap, the same things or windows elsewhere. Same chrome: another picture in "
        "the same application, under the same caption, in the same drawn frame."
    )
    return ["## False verdicts", "", text, "", *table(head, body)]


def _growth(growth: dict[str, Any]) -> list[str]:
    if not growth:
        return []
    head = ["photographs", "of them re-drawn", "R@1", "R@10", "R@100", "median CPU ms a query"]
    body = [
        [
            str(row["pictures"]),
            str(row["redrawn"]),
            *(percent(row[f"recall_{k}"]) for k in (1, 10, 100)),
            str(row["ms_median"]),
        ]
        for row in growth["sizes"]
    ]
    return ["## Growth", "", growth["how"], "", *table(head, body)]


def _rest(document: dict[str, Any]) -> list[str]:
    lines = []
    donors, time = document["donors"], document["time"]
    if donors["queries"]:
        said = ", ".join(f"{n} {v}" for v, n in donors["verdicts"].items())
        lines.append(f"- {donors['queries']} fills came from photographs of the index: {said}")
    if time:
        lines.append(
            f"- time a query: {time['rank_ms_median']} ms of CPU to rank (median, both mirror "
            f"states, extraction included), {time['answer_s_median']} s by the clock for a "
            f"verified answer (95 % under {time['answer_s_p95']} s; features of photographs that "
            "were read once are kept)"
        )
    lines += [f"- refused: {n} × {reason}" for reason, n in document["refused"].items()]
    for name, reasons in document["failed"].items():
        said = "; ".join(f"{n} × {reason}" for reason, n in reasons.items())
        lines.append(f"- {name} gave no verdict: {said}")
    return ["## Besides", "", *lines, ""] if lines else []
