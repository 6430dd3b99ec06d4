"""A folder of drawn cases in the form that ``wholecloth.bench`` reads."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from wholecloth import atomic
from wholecloth.testing.cases import draw_case
from wholecloth.testing.edits import EDITS
from wholecloth.testing.launder import encode
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import scene

_EVERY_BENIGN = 3
"""One case in three is a benign copy (class D); the others are edits (class S)."""


def draw_set(
    folder: Path,
    *,
    seed: int = 1,
    pairs: int = 48,
    distractors: int = 20,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> Path:
    """Draw pairs with exact masks and homographies, benign copies, and distractors.

    Half of the pictures are photographs from scikit-image's wheel where it is installed (rooms,
    textures, things; no person), the others drawn scenes.

    Returns:
        The index, ``cases.jsonl``.
    """
    real = photographs()
    kinds = list(EDITS)
    lines = []
    for i in range(pairs):
        progress("drawing", i, pairs + distractors)
        number = seed * 10_000 + i
        picture = real[i // 2 % len(real)].pixels if real and i % 2 else None
        benign = i % _EVERY_BENIGN == 0
        kind = None if benign else kinds[i % len(kinds)]
        case = draw_case(number, kind, "repost", picture=picture)
        name = f"{'D' if benign else 'S'}/{kind or 'benign'}-{number}"
        place = folder / name
        atomic.make_folder(place)
        atomic.write(place / "original.jpg", case.original)
        atomic.write(place / "published.jpg", case.published)
        row = {
            "id": name.partition("/")[2],
            "class": name[0],
            "kind": kind or "benign",
            "original": f"{name}/original.jpg",
            "published": f"{name}/published.jpg",
            "H_original_to_published": case.original_to_published.tolist(),
            "mask_source": "none: nothing was edited",
        }
        if not benign:
            stream = io.BytesIO()
            Image.fromarray(case.mask.astype(np.uint8) * 255).save(stream, "PNG")
            atomic.write(place / "mask.png", stream.getvalue())
            row |= {"mask": f"{name}/mask.png", "mask_source": "given (exact)"}
        lines.append(json.dumps(row))
    atomic.make_folder(folder / "E")
    for i in range(distractors):
        progress("drawing", pairs + i, pairs + distractors)
        path = f"E/other-{i}.jpg"
        atomic.write(folder / path, encode(scene(seed * 10_000 + 5000 + i), "JPEG", 90))
        lines.append(json.dumps({"id": f"other-{i}", "class": "E", "original": path}))
    index = folder / "cases.jsonl"
    atomic.write(index, ("\n".join(lines) + "\n").encode())
    progress("drawing", pairs + distractors, pairs + distractors)
    return index
