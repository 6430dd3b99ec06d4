"""Right original and verdicts over a folder of cases: the figures of ``docs/measured.md``.

    python bench/cases.py CASES OUT

CASES holds ``cases.jsonl`` with rows of ``id``, ``class``, ``original``, ``published``, ``mask``,
``mask_source``.  Every published picture of classes A, B, C, D, S is examined against all
originals of the folder and the class E distractors, by the command as installed; the table and
``table.json`` are made from the records.  Where one published file stands in several rows, any of
their originals counts as right.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path

import cv2

PAIRS, DISTRACTORS = "ABCDS", "E"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def linked(folder: Path, files: dict[str, tuple[str, Path]]) -> list[Path]:
    """Links named by case id, so that nothing is copied and names say nothing."""
    folder.mkdir(parents=True)
    out = []
    for name, path in files.values():
        link = folder / f"{name}{path.suffix}"
        link.symlink_to(path.resolve())
        out.append(link)
    return out


def iou(result: Path, record: dict, truth: Path) -> float | None:
    found = cv2.imread(str(result / record["edit"]["mask"]), cv2.IMREAD_GRAYSCALE)
    mask = cv2.imread(str(truth), cv2.IMREAD_GRAYSCALE)
    if found is None or mask is None or found.shape != mask.shape or not (mask > 127).any():
        return None
    found, mask = found > 127, mask > 127
    return float((found & mask).sum() / (found | mask).sum())


def main() -> None:
    cases, out = Path(sys.argv[1]), Path(sys.argv[2])
    rows = [json.loads(line) for line in (cases / "cases.jsonl").read_text().splitlines()]
    candidates: dict[str, tuple[str, Path]] = {}
    published: dict[str, tuple[str, Path]] = {}
    right: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row["class"] in PAIRS + DISTRACTORS:
            path = cases / row["original"]
            candidates.setdefault(sha256(path), (row["id"], path))
        if row["class"] in PAIRS:
            path = cases / row["published"]
            published.setdefault(sha256(path), (row["id"], path))
            right[sha256(path)].add(sha256(cases / row["original"]))
    photos = out / "candidates"
    linked(photos, candidates)
    questioned = linked(out / "published", published)
    started = time.perf_counter()
    command = ["wholecloth", "examine", *map(str, questioned), "--among", str(photos)]
    subprocess.run(
        [*command, "--out", str(out / "results"), "--quiet"], check=True, stdout=subprocess.DEVNULL
    )
    seconds = time.perf_counter() - started

    records = {}
    for path in (out / "results").glob("*/record.json"):
        record = json.loads(path.read_text("utf-8"))
        records[record["published"]["sha256"]] = (record, path.parent)
    table: dict[str, dict] = {}
    for kind in PAIRS:
        of_class = [r for r in rows if r["class"] == kind]
        verdicts: Counter[str] = Counter()
        named, listed, scores, photographs = 0, 0, [], set()
        for row in of_class:
            digest, own = sha256(cases / row["published"]), sha256(cases / row["original"])
            record, folder = records[digest]
            verdicts[record["verdict"]] += 1
            original = record["original"] and record["original"]["sha256"]
            named += original in right[digest]
            listed += right[digest] <= {s["sha256"] for s in record["sources"]}
            known = row.get("mask_source", "").startswith(("given", "recovered"))
            if known and original == own and record["edit"]:
                score = iou(folder, record, cases / row["mask"])
                if score is not None:
                    scores.append(score)
                    photographs.add(own)
        table[kind] = {
            "rows": len(of_class),
            "right_original": named,
            "all_sources_listed": listed,
            "verdicts": dict(verdicts),
            "iou_mean": round(sum(scores) / len(scores), 4) if scores else None,
            "iou_pairs": len(scores),
            "iou_photographs": len(photographs),
        }
        print(kind, json.dumps(table[kind]))
    print(f"{len(records)} published, {len(candidates)} candidates, {seconds:.0f} s")
    (out / "table.json").write_text(json.dumps(table | {"seconds": round(seconds)}, indent=1))


if __name__ == "__main__":
    main()
