"""Several originals of one picture, and look-alikes: the figures of ``docs/measured.md``.

    python bench/derivations.py [PICTURES] [SEED] [JSON]

PICTURES is a folder of photographs (JPEG, PNG) to draw on; without it, photographs of scikit-image
and drawn scenes are used.  Derivations are drawn of every kind, laundered mildly and as a repost,
and examined against their originals and other pictures; look-alike pairs are examined against each
other.  JSON receives one row a case.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from wholecloth.intake.collect import candidates_of, file_source
from wholecloth.intake.decode import WorkerPool, picture
from wholecloth.model.media import RGB
from wholecloth.pipeline import Examination, examine_picture
from wholecloth.retrieval.reading import FeatureStore, Reader
from wholecloth.testing import derivations, lookalikes
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

EACH = 3
"""Derivations of one kind and one strength of laundering."""
EACH_LOOKALIKE = 10
OTHERS = 4
"""Unrelated pictures among the candidates."""
CLOSE = 0.05


def photographs(folder: Path | None) -> list[RGB] | None:
    if folder is None:
        return None
    paths = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in (".jpg", ".jpeg", ".png")]
    return [derivations.sized(np.asarray(Image.open(p).convert("RGB"))) for p in paths]


def examined(pool: WorkerPool, published: bytes, candidates: dict[str, bytes]) -> Examination:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "among").mkdir()
        for file, data in candidates.items():
            (folder / "among" / file).write_bytes(data)
        (folder / "published").write_bytes(published)
        sources = candidates_of([folder / "among"], have_findings=False).sources
        questioned = picture(pool.decode(file_source(folder / "published")))
        return examine_picture(questioned, Reader(sources, pool, FeatureStore()))


def derivation(
    pool: WorkerPool, kind: str, strength: str, seed: int, drawn_on: list[RGB] | None
) -> dict[str, Any]:
    drawn = derivations.draw_derivation(seed, kind, strength, drawn_on)
    others = {f"other-{i}.jpg": encode(scene(900_000 + seed * 10 + i)) for i in range(OTHERS)}
    began = time.perf_counter()
    answer = examined(pool, drawn.published, drawn.originals | others)
    names = {f"S{n}": Path(c.name).name for n, c in enumerate(answer.sources, 1)}
    found: dict[str, float] = {}
    for part in answer.derivation.parts if answer.derivation else ():
        found[names[part.source]] = found.get(names[part.source], 0.0) + part.share
    expected = drawn.shares
    return {
        "kind": kind,
        "strength": strength,
        "seed": seed,
        "verdict": answer.verdict,
        "expected": expected,
        "found": found,
        "right": set(found) == set(expected),
        "foreign": sorted(set(names.values()) - set(expected)),
        "error": max(abs(found.get(n, 0.0) - s) for n, s in expected.items()),
        "seconds": round(time.perf_counter() - began, 2),
    }


def lookalike(
    pool: WorkerPool, kind: str, strength: str, seed: int, drawn_on: list[RGB] | None
) -> dict[str, Any]:
    drawn = lookalikes.draw_lookalike(seed, kind, strength, drawn_on)
    answer = examined(pool, drawn.published, {"candidate.jpg": drawn.candidate})
    return {
        "kind": kind,
        "strength": strength,
        "seed": seed,
        "verdict": answer.verdict,
        "sentence": answer.sentence,
        "false": answer.verdict not in ("no_original", "same_scene", "undetermined"),
    }


def main() -> None:
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    drawn_on = photographs(Path(given) if given else None)
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    rows: dict[str, list[dict[str, Any]]] = {"derivations": [], "lookalikes": []}
    with WorkerPool(1) as pool:
        for kind in derivations.KINDS:
            for strength in ("mild", "repost"):
                for i in range(EACH):
                    row = derivation(pool, kind, strength, seed * 1000 + i, drawn_on)
                    rows["derivations"].append(row)
                    say("derivation", row)
        for kind in lookalikes.KINDS:
            for i in range(EACH_LOOKALIKE):
                strength = ("mild", "repost")[i % 2]
                row = lookalike(pool, kind, strength, seed * 1000 + i, drawn_on)
                rows["lookalikes"].append(row)
                if row["false"]:
                    say("lookalike", row)
    print(summary(rows))
    if len(sys.argv) > 3:
        Path(sys.argv[3]).write_text(json.dumps(rows, indent=1))


def say(what: str, row: dict[str, Any]) -> None:
    rest = {k: rounded(v) for k, v in row.items()}
    print(what, rest, flush=True)


def rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return round(value, 3) if isinstance(value, float) else value


def summary(rows: dict[str, list[dict[str, Any]]]) -> str:
    out = io.StringIO()
    print(
        "\n| derivations | drawn | right originals | a share off by > 5 points | worst |", file=out
    )
    print("|---|---|---|---|---|", file=out)
    for kind in (*derivations.KINDS, "all"):
        mine = [r for r in rows["derivations"] if kind in (r["kind"], "all")]
        print(
            f"| {kind} | {len(mine)} | {sum(r['right'] for r in mine)} | "
            f"{sum(r['error'] > CLOSE for r in mine)} | "
            f"{max(r['error'] for r in mine):.3f} |",
            file=out,
        )
    foreign = sum(bool(r["foreign"]) for r in rows["derivations"])
    print(f"\n{foreign} derivations name a picture that is none of their originals.\n", file=out)
    print("| look-alikes | drawn | called a derivation | verdicts |\n|---|---|---|---|", file=out)
    for kind in (*lookalikes.KINDS, "all"):
        mine = [r for r in rows["lookalikes"] if kind in (r["kind"], "all")]
        verdicts: dict[str, int] = {}
        for row in mine:
            verdicts[row["verdict"]] = verdicts.get(row["verdict"], 0) + 1
        said = ", ".join(f"{v} {n}" for v, n in sorted(verdicts.items()))
        print(f"| {kind} | {len(mine)} | {sum(r['false'] for r in mine)} | {said} |", file=out)
    return out.getvalue()


if __name__ == "__main__":
    main()
