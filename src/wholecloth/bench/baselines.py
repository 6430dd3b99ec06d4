"""What others do with a pair: absolute difference, structural similarity, ImageMagick.

Each is given the same two pictures of one shape and returns a continuous map and a mask.  None of
them has a null hypothesis: Otsu's threshold splits any map in two, an edit or not.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from wholecloth import atomic
from wholecloth.errors import NotInstalled
from wholecloth.localisation.robust import F32
from wholecloth.model.comparison import Homography
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.warp import reduce, snapped, warp

ABSDIFF, SSIM, MAGICK = "absdiff", "ssim", "imagemagick"
FUZZ = 0.10
_SSIM_STRIP = 3_000_000
"""Pixels: scikit-image holds a dozen 64-bit copies of a picture, so larger ones go in strips."""
_SSIM_MARGIN = 3
"""Half of its 7×7 window: what a strip needs above and below to be as in one piece."""
_LIMITS = ("-limit", "thread", "1", "-limit", "memory", "1GiB", "-limit", "disk", "1GiB")
_FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """What one method says of one pair."""

    score: NDArray[np.uint8] | F32 | None
    """H×W; more = more likely changed; None where there is only the mask."""
    mask: Mask
    cpu_s: float = 0.0
    """CPU seconds of this process; 0 where another process did the work."""


Method = Callable[[RGB, RGB, Mask], Map]
"""(original laid over the published frame, published, comparable) → map."""


def methods() -> dict[str, Method]:
    """All of them by name; without scikit-image there is no SSIM."""
    found: dict[str, Method] = {ABSDIFF: absolute_difference, MAGICK: imagemagick}
    try:
        _skimage_ssim()
    except NotInstalled:
        return found
    return {SSIM: ssim, **found}


def aligned(original: RGB, homography: Homography, shape: tuple[int, int]) -> RGB:
    """The original in the published frame as our own localiser lays it there, at full size."""
    whole = snapped(homography, (original.shape[0], original.shape[1]))
    if whole is not None:
        return warp(original, whole, shape, cv2.INTER_NEAREST)
    return warp(*reduce(original, homography), shape)


def resized(original: RGB, shape: tuple[int, int]) -> RGB:
    """The original stretched to the published size: what a person without registration does."""
    shrinks = original.shape[0] * original.shape[1] > shape[0] * shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(original, shape[::-1], interpolation=how), np.uint8)


def absolute_difference(ours: RGB, published: RGB, valid: Mask) -> Map:
    """Largest absolute difference of a channel, split by Otsu's threshold.

    The largest does better than the mean or the luma's (mean IoU on 33 reposts: A .24 against .23
    and .22, B .54 against .47 and .43, C .37 against .36 and .33, S .62 against .54 and .51).
    """
    score = largest_difference(ours, published)
    return Map(score, otsu(score, valid))


def largest_difference(first: RGB, second: RGB) -> NDArray[np.uint8]:
    """Per pixel, over the three channels."""
    red, green, blue = cv2.split(cv2.absdiff(first, second))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def ssim(ours: RGB, published: RGB, valid: Mask) -> Map:
    """1 − SSIM of the lumas (scikit-image, 7×7 windows), split by Otsu's threshold.

    Raises:
        NotInstalled: scikit-image is not there.
    """
    lumas = [np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.uint8) for p in (ours, published)]
    started = time.process_time()
    score = np.asarray(1 - ssim_map(lumas[0], lumas[1]), np.float32)
    spent = time.process_time() - started  # of the map alone: what our own speed is set against
    levels = np.clip(np.rint(score * 127.5), 0, 255).astype(np.uint8)
    return Map(score, otsu(levels, valid), spent)


def ssim_map(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> F32:
    """scikit-image's full SSIM map, in strips where the picture is large."""
    structural_similarity = _skimage_ssim()
    h, w = first.shape
    if min(h, w) < 2 * _SSIM_MARGIN + 1:
        return np.asarray(first == second, np.float32)
    rows = max(64, _SSIM_STRIP // w)
    out = np.empty((h, w), np.float32)
    for top in range(0, h, rows):
        bottom = min(h, top + rows)
        # A short last strip reaches further up: the window must fit into it.
        above = min(max(0, top - _SSIM_MARGIN), max(0, h - 2 * _SSIM_MARGIN - 1))
        below = min(h, bottom + _SSIM_MARGIN)
        _, part = structural_similarity(
            first[above:below], second[above:below], full=True, data_range=255
        )
        out[top:bottom] = part[top - above : bottom - above]
    return out


def imagemagick(ours: RGB, published: RGB, valid: Mask) -> Map:
    """``compare -fuzz 10%``: the program itself where it is installed, else its definition.

    It has no map of its own: a sweep of ``-fuzz`` would split that of ``absolute_difference``.
    """
    found = compare_program()
    mask = emulated_compare(ours, published) if found is None else _compared(found, ours, published)
    return Map(None, np.asarray(mask & valid))


def emulated_compare(ours: RGB, published: RGB) -> Mask:
    """Any RGB channel differs by more than 10 % of full scale.

    ImageMagick 6.9.11 and this agreed in every pixel of a pair of random pictures.
    """
    return np.asarray(largest_difference(ours, published) > FUZZ * 255)


@cache
def compare_program() -> tuple[str, ...] | None:
    """How ImageMagick's ``compare`` is called here; None where it is not installed."""
    for command in (("magick", "compare"), ("compare",)):
        path = shutil.which(command[0])
        if path is None:
            continue
        call = (path, *command[1:])
        try:
            said = subprocess.run(  # noqa: S603 - found on the PATH by its own name
                [*call, "-version"], capture_output=True, text=True, check=False, timeout=20
            ).stdout
        except (OSError, subprocess.TimeoutExpired):
            continue
        if "ImageMagick" in said:
            return call
    return None


def magick_is() -> str:
    """For the result: which ImageMagick was compared with."""
    found = compare_program()
    if found is None:
        return "emulated (not installed here): any RGB channel differs by more than 10 %"
    said = subprocess.run(  # noqa: S603 - as above
        [*found, "-version"], capture_output=True, text=True, check=False, timeout=20
    ).stdout
    return " ".join(said.splitlines()[0].removeprefix("Version: ").split()[:3])


def otsu(score: NDArray[np.uint8], valid: Mask) -> Mask:
    """Above Otsu's threshold, which is taken over the comparable pixels only."""
    inside = score[valid]
    if not len(inside):
        return np.zeros_like(valid)
    level, _ = cv2.threshold(inside.reshape(1, -1), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray((score > level) & valid)


def _compared(program: tuple[str, ...], ours: RGB, published: RGB) -> Mask:
    """Run the program on two PNG files in a folder of its own, which goes again at once."""
    with tempfile.TemporaryDirectory(prefix="wholecloth-") as name:
        folder = Path(name)
        for file, picture in (("a.png", ours), ("b.png", published)):
            done, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _FAST)
            assert done
            atomic.write(folder / file, png.tobytes(), mode=0o600)
        how = ["-metric", "AE", "-fuzz", f"{FUZZ:.0%}", "-compose", "src"]
        how += ["-highlight-color", "white", "-lowlight-color", "black"]
        files = [str(folder / f) for f in ("a.png", "b.png", "d.png")]
        subprocess.run(  # noqa: S603 - the program found above, with files of our own naming
            [*program, *_LIMITS, *how, *files],
            capture_output=True,
            check=False,  # 1 = they differ
            timeout=_TIMEOUT_S,
        )
        drawn = cv2.imread(files[2], cv2.IMREAD_GRAYSCALE)
    if drawn is None or drawn.shape != published.shape[:2]:
        raise OSError("ImageMagick wrote no difference")
    return np.asarray(drawn > 127)


@cache
def _skimage_ssim() -> Callable[..., tuple[float, NDArray[np.float64]]]:
    try:
        from skimage.metrics import structural_similarity  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = "pip install 'wholecloth[bench]'"
        raise NotInstalled("SSIM", "needs scikit-image", remedy) from error
    found: Callable[..., tuple[float, NDArray[np.float64]]] = structural_similarity
    return found
