"""A photographed screen is the same photograph; another standpoint is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import WorkerPool, picture
from wholecloth.model.media import RGB
from wholecloth.pipeline import compare
from wholecloth.retrieval.features import QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene


def of_a_screen(shown: RGB, seed: int, grain: float) -> RGB:
    """Seen in perspective (corners moved by up to 8 %), a little blurred, with grain."""
    rng = np.random.default_rng(seed)
    h, w = shown.shape[:2]
    at = np.array([[0, 0], [w, 0], [w, h], [0, h]], np.float32)
    moved = (at + rng.uniform(-0.08, 0.08, (4, 2)) * (w, h)).astype(np.float32)
    there = cv2.getPerspectiveTransform(at, moved)
    seen = cv2.warpPerspective(shown, there, (w, h), borderValue=(18, 18, 20))
    soft = cv2.GaussianBlur(seen, (0, 0), 0.8)
    noisy = soft + rng.normal(0, grain, soft.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("grain", [0.0, 6.0])
@pytest.mark.parametrize("seed", [4, 9])
def test_a_photographed_screen_is_the_same_photograph(
    tmp_path: Path, seed: int, grain: float
) -> None:
    shown = scene(seed)
    files = {"shown": encode(shown), "seen": encode(of_a_screen(shown, seed, grain), "JPEG", 80)}
    with WorkerPool(1) as pool:
        read = []
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
            read.append(picture(pool.decode(file_source(tmp_path / name))))
    original, published = read
    start = verify(extract(original.pixels, QUICK), extract(published.pixels, QUICK))
    assert start is not None
    compared = compare(original, published, start)
    assert compared.kind in ("copy", "rerendered")
    if grain:
        assert compared.kind == "rerendered"
        assert "print or screen" in compared.reason
