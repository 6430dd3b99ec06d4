"""How exactly registration answers under what reposts do.

    python bench/registration.py [PICTURES] [--seed S] [--only NAME,NAME] [--json FILE]

PICTURES is a folder of photographs; without it, drawn scenes and package photographs are used.
Every picture goes through each transformation below as JPEG of quality 75, with the homography
kept.  The pair is given, so this measures matching and registration, not the search.  Errors are
in published pixels over a grid of points of the original that lie in the published frame: a
pair's *mean* is what median and 95th percentile are taken of, *worst* is the worst point of all.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np
from PIL import Image

from wholecloth.model.comparison import Alignment, Homography, NotAligned
from wholecloth.model.media import RGB
from wholecloth.registration.refine import register
from wholecloth.registration.warp import apply
from wholecloth.retrieval.features import DEEP, QUICK, extract
from wholecloth.retrieval.linear import ENOUGH
from wholecloth.retrieval.verify import Verified, verify
from wholecloth.testing.hard import facade, studio
from wholecloth.testing.launder import encode
from wholecloth.testing.photographs import photographs
from wholecloth.testing.scenes import Rng, noise_field, scene, surface

LONGER_SIDE = 1200
LOST_PX = 1.0
"""A mean error above this is a wrong registration, not an inexact one."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """An original, what is shown of it so far, and how it got there."""

    original: RGB
    shown: RGB
    move: Homography
    mirrored: bool = False


Step = Callable[[View, Rng], View]


def start(original: RGB) -> View:
    return View(original, original, np.eye(3))


def then(view: View, shown: RGB, step: Homography, *, mirror: bool = False) -> View:
    move = step @ view.move
    return View(view.original, shown, move / move[2, 2], view.mirrored != mirror)


def resized(sx: float, sy: float | None = None) -> Step:
    def step(view: View, _: Rng) -> View:
        h, w = view.shown.shape[:2]
        size = (round(w * sx), round(h * (sx if sy is None else sy)))
        fx, fy = size[0] / w, size[1] / h
        how = cv2.INTER_AREA if fx < 1 else cv2.INTER_CUBIC
        shown = np.asarray(cv2.resize(view.shown, size, interpolation=how), np.uint8)
        to = np.array([[fx, 0, (fx - 1) / 2], [0, fy, (fy - 1) / 2], [0, 0, 1.0]])
        return then(view, shown, to)

    return step


def to_side(side: int) -> Step:
    def step(view: View, rng: Rng) -> View:
        return resized(side / max(view.shown.shape[:2]))(view, rng)

    return step


def cropped(share: float) -> Step:
    def step(view: View, rng: Rng) -> View:
        h, w = view.shown.shape[:2]
        ch, cw = (round(s * np.sqrt(share)) for s in (h, w))
        # A crop shows a subject: of a few places, the one with most to see in it.
        places = [(int(rng.integers(h - ch + 1)), int(rng.integers(w - cw + 1))) for _ in range(6)]
        y, x = max(places, key=lambda p: view.shown[p[0] : p[0] + ch, p[1] : p[1] + cw].std())
        to = np.array([[1.0, 0, -x], [0, 1, -y], [0, 0, 1]])
        return then(view, view.shown[y : y + ch, x : x + cw], to)

    return step


def mirrored(view: View, _: Rng) -> View:
    to = np.array([[-1.0, 0, view.shown.shape[1] - 1], [0, 1, 0], [0, 0, 1]])
    return then(view, np.ascontiguousarray(view.shown[:, ::-1]), to, mirror=True)


def turned(degrees: float) -> Step:
    """Rotated about the centre; the corners that come in are black."""

    def step(view: View, _: Rng) -> View:
        h, w = view.shown.shape[:2]
        c, s = abs(np.cos(np.deg2rad(degrees))), abs(np.sin(np.deg2rad(degrees)))
        size = (round(w * c + h * s), round(h * c + w * s))
        to = np.vstack(
            [cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, 1.0), [0.0, 0.0, 1.0]]
        )
        to = np.array([[1, 0, (size[0] - w) / 2], [0, 1, (size[1] - h) / 2], [0, 0, 1]]) @ to
        shown = cv2.warpPerspective(view.shown, to, size, flags=cv2.INTER_CUBIC)
        return then(view, np.asarray(shown, np.uint8), to)

    return step


def photographed_screen(view: View, rng: Rng) -> View:
    """Seen at a slant on a dark desk, unevenly lit, a little soft and noisy."""
    h, w = view.shown.shape[:2]
    corners = np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float32)
    away = rng.uniform(0.0, 0.09, (4, 2)) * (w, h) * [[1, 1], [-1, 1], [-1, -1], [1, -1]]
    margin = np.array([0.06 * w, 0.06 * h])
    there = (corners + away + margin).astype(np.float32)
    to = cv2.getPerspectiveTransform(corners, there)
    size = (round(1.12 * w), round(1.12 * h))
    desk = np.clip(surface(rng, *size, np.array([46, 40, 38], np.float32), 8), 0, 255)
    shown = cv2.warpPerspective(
        view.shown, to, size, dst=desk.astype(np.uint8), flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_TRANSPARENT,
    )  # fmt: skip
    light = 0.9 + 0.1 * noise_field(rng, *size, 2.5)
    lit = cv2.GaussianBlur(shown, (0, 0), 0.7) * light[..., None] ** 1.1
    lit = lit + rng.normal(0, 2, lit.shape)
    return then(view, np.clip(np.rint(lit), 0, 255).astype(np.uint8), np.asarray(to))


def replaced(share: float) -> Step:
    """The centre replaced by another scene."""

    def step(view: View, rng: Rng) -> View:
        h, w = view.shown.shape[:2]
        other = scene(int(rng.integers(1 << 30)), (w, h))
        ch, cw = (round(s * np.sqrt(share)) for s in (h, w))
        y, x = (h - ch) // 2, (w - cw) // 2
        shown = view.shown.copy()
        shown[y : y + ch, x : x + cw] = other[y : y + ch, x : x + cw]
        return replace(view, shown=shown)

    return step


def _bordered(view: View, top: int, right: int, bottom: int, left: int, grey: int) -> View:
    shown = cv2.copyMakeBorder(
        view.shown, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(grey, grey, grey)
    )
    to = np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
    return then(view, np.asarray(shown, np.uint8), to)


def _written(picture: RGB, text: str, x: int, y: int, size: float, grey: int) -> None:
    cv2.putText(
        picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, (grey, grey, grey), 2, cv2.LINE_AA
    )


def letterboxed(view: View, _: Rng) -> View:
    bar = view.shown.shape[0] // 5
    return _bordered(view, bar, 0, bar, 0, 0)


def screenshot(view: View, rng: Rng) -> View:
    """An app's screen: status bar, a line of text above, buttons and comments below."""
    view = _bordered(resized(0.62)(view, rng), 120, 10, 190, 10, 250)
    shown = view.shown.copy()
    h, w = shown.shape[:2]
    shown[:36] = 32
    _written(shown, "12:41   87 %", 12, 26, 0.6, 240)
    _written(shown, "someone.somewhere posted", 16, 82, 0.8, 20)
    for i in range(4):
        cv2.circle(shown, (36 + 60 * i, h - 156), 16, (60, 60, 60), 3, cv2.LINE_AA)
    for i, line in enumerate(("look what turned up in the group", "where is this from?", "share")):
        _written(shown, line[: max(4, w // 16)], 16, h - 108 + 36 * i, 0.7, 40)
    return replace(view, shown=shown)


def collage(view: View, rng: Rng) -> View:
    """One cell of four."""
    view = resized(0.5)(view, rng)
    h, w = view.shown.shape[:2]
    gap = 8
    cells = [scene(int(rng.integers(1 << 30)), (w, h)) for _ in range(4)]
    place = int(rng.integers(4))
    cells[place] = view.shown
    sheet = np.full((2 * h + 3 * gap, 2 * w + 3 * gap, 3), 255, np.uint8)
    for i, cell in enumerate(cells):
        y, x = gap + (i // 2) * (h + gap), gap + (i % 2) * (w + gap)
        sheet[y : y + h, x : x + w] = cell
    y, x = gap + (place // 2) * (h + gap), gap + (place % 2) * (w + gap)
    return then(view, sheet, np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]]))


def framed_with_text(view: View, rng: Rng) -> View:
    view = _bordered(resized(0.8)(view, rng), 60, 24, 90, 24, 245)
    shown = view.shown.copy()
    h, w = shown.shape[:2]
    _written(shown, "WHEN YOU FIND OUT"[: w // 22], 30, 44, 1.1, 10)
    _written(shown, "it was there all along"[: w // 20], 30, h - 34, 1.0, 10)
    for grey, shift in ((0, 2), (255, 0)):
        _written(shown, "MOOD", w // 2 - 90 + shift, h // 2 + shift, 2.2, grey)
    return replace(view, shown=shown)


CONDITIONS: dict[str, tuple[Step, ...]] = {
    "as it is": (),
    "crop to 50 %": (cropped(0.5),),
    "crop to 25 %": (cropped(0.25),),
    "crop to 8 %": (cropped(0.08),),
    "resize .25": (resized(0.25),),
    "resize .4": (resized(0.4),),
    "resize 1.5": (resized(1.5),),
    "resize 3": (resized(3.0),),
    "unequal axes .8 x .95": (resized(0.8, 0.95),),
    "rotate 3": (turned(3),),
    "rotate 88": (turned(88),),
    "photographed screen": (photographed_screen,),
    "mirror": (mirrored, resized(0.8)),
    "mirror and rotate 5": (mirrored, turned(5)),
    "letterbox": (resized(0.7), letterboxed),
    "screenshot with bars": (screenshot,),
    "collage cell": (collage,),
    "frame with text": (framed_with_text,),
    "centre replaced 30 %": (resized(0.8), replaced(0.3)),
    "centre replaced 50 %": (resized(0.8), replaced(0.5)),
    "centre replaced 70 %": (resized(0.8), replaced(0.7)),
    "centre replaced 85 %": (resized(0.8), replaced(0.85)),
    "centre replaced 95 %": (resized(0.8), replaced(0.95)),
    "150 px thumbnail": (to_side(150),),
}
LITTLE_LEFT = ("centre replaced 70 %", "centre replaced 85 %", "centre replaced 95 %")
"""Less than half of the frame survives: no target is set for how exact these are."""


DRAWN: dict[str, tuple[Callable[[int], RGB], tuple[Step, ...]]] = {
    "blank backdrop": (studio, (resized(0.7),)),
    "blank backdrop, mirrored": (studio, (mirrored, resized(0.7))),
    "symmetric facade": (facade, (cropped(0.7), resized(0.8))),
    "symmetric facade, mirrored": (facade, (cropped(0.7), mirrored, resized(0.8))),
    "symmetric facade, edited": (facade, (replaced(0.4), mirrored, resized(0.7))),
}


def pictures(folder: Path | None, seed: int) -> Iterator[tuple[str, RGB]]:
    if folder is None:
        for photograph in photographs():
            yield photograph.name, photograph.pixels
        for i in range(8):
            yield f"scene {seed + i}", scene(seed + i)
        return
    for path in sorted(folder.iterdir()):
        image = Image.open(path).convert("RGB")
        image.thumbnail((LONGER_SIDE, LONGER_SIDE), Image.Resampling.LANCZOS)
        yield path.name, np.asarray(image)


def decoded(pixels: RGB, quality: int) -> RGB:
    return np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", quality))).convert("RGB"))


def matched(original: RGB, published: RGB) -> Verified | None:
    """As the search would: a closer look where the first one holds too little."""
    best = None
    for settings in (QUICK, DEEP):
        best = verify(extract(original, settings), extract(published, settings))
        if best is not None and best.effective >= ENOUGH:
            return best
    return None


def measured(name: str, picture: str, view: View, original: RGB) -> dict[str, object]:
    published = decoded(view.shown, 75)
    row: dict[str, object] = {"condition": name, "picture": picture, "registered": False}
    row["reason"] = "too few features agree for a lead"
    match = matched(original, published)
    if match is None:
        return row
    started = time.process_time()
    alignment = register(original, published, match)
    row |= {"ms": 1000 * (time.process_time() - started), "inliers": match.inliers}
    if isinstance(alignment, NotAligned):
        row["reason"] = alignment.reason
        return row
    assert isinstance(alignment, Alignment)
    distance = errors(alignment.original_to_published, view)
    return row | {
        "registered": True,
        "reason": "",
        "mean": float(distance.mean()),
        "worst": float(distance.max()),
        "mirror_right": alignment.mirrored == view.mirrored,
        "residual": alignment.residual_px,
        "model": alignment.model,
    }


def errors(found: Homography, view: View) -> np.ndarray:
    """Distances in published pixels at points of the original that the published frame shows."""
    h, w = view.shown.shape[:2]
    ys, xs = np.mgrid[0 : h - 1 : 24j, 0 : w - 1 : 24j]
    there = np.column_stack([xs.ravel(), ys.ravel()])
    points = apply(np.linalg.inv(view.move), there)
    oh, ow = view.original.shape[:2]
    inside = (points >= 0).all(axis=1) & (points <= (ow - 1, oh - 1)).all(axis=1)
    return np.linalg.norm(apply(found, points[inside]) - there[inside], axis=1)


def said(name: str, rows: list[dict[str, object]]) -> str:
    done = [r for r in rows if r["registered"]]
    good = [r for r in done if r["mean"] < LOST_PX and r["mirror_right"]]  # type: ignore[operator]
    line = f"{name:<28} {len(rows):3d} pairs, {len(good):3d} right"
    if good:
        mean = np.array([r["mean"] for r in good])
        worst = max(float(r["worst"]) for r in good)  # type: ignore[arg-type]
        line += (
            f", error median {np.median(mean):.4f} p95 {np.quantile(mean, 0.95):.4f} "
            f"worst point {worst:.3f} px"
        )
    for row in done:
        if row not in good:
            line += (
                f"\n    WRONG  {row['picture']}: mean {row['mean']:.2f} px, mirror "
                f"{'right' if row['mirror_right'] else 'wrong'}, {row['inliers']} inliers, "
                f"residual {row['residual']:.2f} px"
            )
    for row in rows:
        if not row["registered"]:
            line += f"\n    refused  {row['picture']}: {row['reason']}"
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description="Registration under what reposts do.")
    parser.add_argument("pictures", type=Path, nargs="?")
    parser.add_argument("--seed", type=int, default=300)
    parser.add_argument("--only", default="")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    wanted = [n.strip() for n in given.only.split(",") if n.strip()]
    sources = list(pictures(given.pictures, given.seed))
    rows: list[dict[str, object]] = []

    def condition(name: str, steps: tuple[Step, ...], originals: list[tuple[str, RGB]]) -> None:
        if wanted and not any(n in name for n in wanted):
            return
        mine = []
        for picture, pixels in originals:
            rng = np.random.default_rng([given.seed, *name.encode(), *picture.encode()])
            original = decoded(pixels, 94)
            view = start(original)
            for step in steps:
                view = step(view, rng)
            mine.append(measured(name, picture, view, original))
        rows.extend(mine)
        print(said(name, mine), flush=True)

    for name, steps in CONDITIONS.items():
        condition(name, steps, sources)
    for name, (draw, steps) in DRAWN.items():
        drawn = [(f"{draw.__name__} {i}", draw(given.seed + i)) for i in range(8)]
        condition(name, steps, drawn)
    kept = [r for r in rows if r["condition"] not in LITTLE_LEFT]
    print(said("half or more survives", kept).splitlines()[0])
    wrong = sum(not r["mirror_right"] for r in rows if r["registered"])
    cost = np.array([r["ms"] for r in rows if "ms" in r], float)
    print(f"{wrong} wrong mirror states; registration {np.median(cost):.0f} ms of CPU (median)")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
