"""The map of a picture's originals: flat labelled areas, no pixel of any picture (level L1)."""

from __future__ import annotations

import cv2
import numpy as np

from wholecloth.model.derivation import Derivation, Outlines
from wholecloth.model.media import RGB, Mask

SIDE = 600
_PAPER, _INK = (250, 250, 247), (40, 44, 52)
_FILLS = (
    (190, 208, 226),
    (246, 205, 160),
    (183, 219, 196),
    (226, 196, 222),
    (240, 228, 160),
    (205, 205, 205),
)
"""Told apart by lightness and label too; the first is the nearest source's."""
_LEGEND_PX = 26


def part_map(derivation: Derivation, frame: tuple[int, int]) -> RGB:
    """H×W×3 figure of the published ``frame`` (height, width), with a legend below it.

    Each part has its colour and its source's label; what no source explains is hatched.
    The map itself has at most ``SIDE`` pixels a side.
    """
    factor = min(1.0, SIDE / max(frame))
    size = (max(1, round(frame[1] * factor)), max(1, round(frame[0] * factor)))
    figure = np.full((size[1], size[0], 3), _PAPER, np.uint8)
    rest = filled(derivation.unexplained, frame, size)
    y, x = np.indices(rest.shape)
    figure[rest & ((x + y) % 9 == 0)] = _INK
    sources = list(dict.fromkeys(p.source for p in derivation.parts))
    for part in derivation.parts:
        area = filled(part.outlines, frame, size)
        figure[area] = _FILLS[sources.index(part.source) % len(_FILLS)]
        contours, _ = cv2.findContours(area.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(figure, contours, -1, _INK, 1)
        if area.any():
            _label(figure, part.source, _middle(area))
    return np.vstack([figure, *(_row(t, size[0]) for t in _legend(derivation))])


def filled(outlines: Outlines, frame: tuple[int, int], size: tuple[int, int] | None = None) -> Mask:
    """The pixels that outlines enclose, by the even-odd rule; ``size`` = (width, height)."""
    mask = np.zeros(frame, np.uint8)
    cv2.fillPoly(mask, [np.array(o, np.int32) for o in outlines], 1)
    if size is not None:
        mask = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.asarray(mask > 0)


def _middle(area: Mask) -> tuple[int, int]:
    """The point farthest from the area's rim."""
    depth = cv2.distanceTransform(np.pad(area.astype(np.uint8), 1), cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x) - 1, int(y) - 1


def _label(figure: RGB, text: str, at: tuple[int, int]) -> None:
    (w, h), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.7, 2)
    x = int(np.clip(at[0] - w // 2, 0, max(0, figure.shape[1] - w)))
    y = int(np.clip(at[1] + h // 2, h, figure.shape[0] - 1))
    cv2.putText(figure, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, _INK, 2)


def _legend(derivation: Derivation) -> list[str]:
    lines = [f"{p.source}: {p.share:.1%} of the frame" for p in derivation.parts]
    return [*lines, f"hatched: {derivation.unexplained_share:.1%} from none of them"]


def _row(text: str, width: int) -> RGB:
    row = np.full((_LEGEND_PX, width, 3), _PAPER, np.uint8)
    cv2.putText(row, text, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1)
    return row
