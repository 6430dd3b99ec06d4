"""PDQ, the 256-bit perceptual hash of ThreatExchange, in numpy alone and bit for bit.

Source of the method and its constants: *The TMK+PDQF Video-Hashing Algorithm and the PDQ
Image-Hashing Algorithm* (``hashing/hashing.pdf`` in github.com/facebook/ThreatExchange) and the
C++ reference beside it (``pdq/cpp``).  The steps: luma; two rounds of a box filter along the rows
and then the columns (together a tent, a "Jarosz filter"); 64 × 64 samples; a quality figure from
their differences; the 16 × 16 lowest non-constant terms of their cosine transform; one bit a term
for "above the median".

Bit for bit means that every float32 operation happens in the reference's order: the box filter
is one running sum a line, never a difference of prefix sums, and the transform adds term after
term.  All lines advance together, so the order costs little.  The reference's own result rests
on separate multiplications and additions (x86-64); built for a machine that fuses them it can
differ from itself by a bit or two.

Two neighbours of the reference differ from it before the hash begins, and so can differ from this:

* the ``pdqhash`` package takes the luma in float64 and rounds once, where the reference rounds
  after each float32 operation; equal for greys, a unit in the last place off for colours, which
  shows only where a cosine term is tied with the median but for rounding: in drawn flat blocks
  and pictures exactly 8 wide or high often, by many bits; in photographs hardly ever;
* the reference's command-line hasher first squeezes a picture with a side over 512 to 512 × 512.
  Nothing here resizes; do so first for hashes that are to be compared with that program's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["PdqHash", "dihedral", "distance", "pdq"]

_Floats = NDArray[np.float32]

_BYTES: Final = 32
_SIDE: Final = 64  # samples a side
_TERMS: Final = 16  # cosine terms a side
_SMALLEST: Final = 5  # a shorter side has no hash
_TILE: Final = 64  # transposition in tiles: both sides stay in the cache
_RED, _GREEN, _BLUE = np.float32(0.299), np.float32(0.587), np.float32(0.114)


@dataclass(frozen=True, slots=True)
class PdqHash:
    """One picture's hash.

    ``bits``: 32 bytes, the most significant bit first being the highest cosine term.
    ``quality``: 0 (featureless: matches mean nothing) to 100; ThreatExchange advises discarding
    hashes of 49 or less.  Raises ``ValueError`` for another length or range.
    """

    bits: bytes
    quality: int

    def __post_init__(self) -> None:
        if len(self.bits) != _BYTES:
            raise ValueError(f"a PDQ hash has {_BYTES} bytes, not {len(self.bits)}")
        if not 0 <= self.quality <= 100:
            raise ValueError(f"PDQ quality is 0 to 100, not {self.quality}")

    @property
    def hex(self) -> str:
        """The hash as 64 lower-case hexadecimal characters, as ThreatExchange writes it."""
        return self.bits.hex()


def pdq(gray_or_rgb: NDArray[np.uint8]) -> PdqHash:
    """Hash one picture.

    ``gray_or_rgb``: uint8, H × W (luma as it is) or H × W × 3 (R, G, B), H and W at least 1, any
    memory layout; not changed.  A side under 5 gives 32 zero bytes at quality 0.  A picture of
    exactly 64 × 64 is not filtered, as in the reference.  Deterministic.  Raises ``ValueError``
    for another type or shape.
    """
    return _hash(_luma(gray_or_rgb))


def dihedral(rgb: NDArray[np.uint8]) -> tuple[PdqHash, ...]:
    """Hash one picture in its eight orientations, at little more than the cost of one.

    ``rgb``: as for ``pdq``.  Returns, in this order: as it is; turned by 90°, 180°, 270°
    (counter-clockwise); top and bottom swapped ("flip X"); left and right swapped ("flip Y");
    transposed; anti-transposed.  All carry one quality.  The seven are derived from the first
    one's cosine terms, so each may be a few bits from the hash of the picture really turned.
    A picture of exactly 64 × 64 is filtered here and not in ``pdq``, as in the reference: the
    first hash is ``pdq``'s for every other size.  Raises ``ValueError`` as ``pdq`` does.
    """
    return _faces(_luma(rgb))


def distance(a: bytes, b: bytes) -> int:
    """Count the bits in which two hashes differ.

    ``a``, ``b``: 32 bytes each (``PdqHash.bits``).  Returns 0 to 256; ThreatExchange suggests
    calling 31 or less a match.  Raises ``ValueError`` for another
    length.
    """
    if len(a) != _BYTES or len(b) != _BYTES:
        raise ValueError(f"PDQ hashes have {_BYTES} bytes, not {len(a)} and {len(b)}")
    return (int.from_bytes(a, "big") ^ int.from_bytes(b, "big")).bit_count()


def _luma(pixels: NDArray[np.uint8]) -> _Floats:
    """H × W float32 in C order; for colours (0.299 R + 0.587 G) + 0.114 B, each step rounded."""
    if pixels.dtype != np.uint8:
        raise ValueError(f"PDQ takes uint8 pixels, not {pixels.dtype}")
    if 0 in pixels.shape or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise ValueError(f"PDQ takes H × W or H × W × 3 pixels, not {pixels.shape}")
    if pixels.ndim == 2:
        return pixels.astype(np.float32, order="C")
    height, width = pixels.shape[:2]
    luma = np.empty((height, width), np.float32)
    part = np.empty((min(_TILE, height), width), np.float32)
    for top in range(0, height, _TILE):
        rows = pixels[top : top + _TILE]
        out = luma[top : top + _TILE]
        term = part[: rows.shape[0]]
        np.multiply(rows[..., 0], _RED, out=out, dtype=np.float32)
        np.multiply(rows[..., 1], _GREEN, out=term, dtype=np.float32)
        out += term
        np.multiply(rows[..., 2], _BLUE, out=term, dtype=np.float32)
        out += term
    return luma


def _hash(luma: _Floats) -> PdqHash:
    """``pdq`` of a luma in C order."""
    if min(luma.shape) < _SMALLEST:
        return PdqHash(bytes(_BYTES), 0)
    samples = luma if luma.shape == (_SIDE, _SIDE) else _samples(luma)
    return PdqHash(_bits(_cosine_terms(samples)), _quality(samples))


def _faces(luma: _Floats) -> tuple[PdqHash, ...]:
    """``dihedral`` of a luma in C order."""
    if min(luma.shape) < _SMALLEST:
        return (PdqHash(bytes(_BYTES), 0),) * 8
    samples = _samples(luma)
    quality = _quality(samples)
    terms = _cosine_terms(samples)
    # Mirroring an axis negates every other term along it, beginning with the first (term 1 of
    # the full transform, an odd cosine).
    sign = np.where(np.arange(_TERMS) % 2 == 0, np.float32(-1), np.float32(1))
    upturned = terms * sign[:, None]
    mirrored = terms * sign[None, :]
    both = upturned * sign[None, :]
    faces = (terms, mirrored.T, both, upturned.T, upturned, mirrored, terms.T, both.T)
    return tuple(PdqHash(_bits(face), quality) for face in faces)


def _samples(luma: _Floats) -> _Floats:
    """Filter twice along rows and columns, then take the 64 × 64 sample points.

    The last two of the four passes keep only the lines that are sampled.
    """
    height, width = luma.shape
    rows, cols = _centres(height), _centres(width)
    # _box filters along its first axis, so passes along the rows work on the transpose.
    filtered = _transposed(_box(_transposed(luma), np.arange(width)))
    filtered = _transposed(_box(filtered, np.arange(height)))
    return _box(_transposed(_box(filtered, cols)), rows)


def _centres(length: int) -> NDArray[np.intp]:
    """Where along a side the 64 samples lie: the pixel that holds each 64th's centre."""
    return (2 * np.arange(_SIDE) + 1) * length // (2 * _SIDE)


def _box(lines: _Floats, wanted: NDArray[np.intp]) -> _Floats:
    """Average along the first axis in a moving window; only the ``wanted`` positions.

    ``lines``: N × M in C order; ``wanted``: K positions in 0 to N-1, rising, repeats allowed.
    Returns K × M.  The window spans half of N/64, rounded up; at the ends it shrinks to what is
    there.  One running float32 sum: the newcomer is added, then the leaver subtracted.
    """
    length, width = lines.shape
    window = (length + 2 * _SIDE - 1) // (2 * _SIDE)
    ahead = window // 2  # the window at k ends at k + ahead …
    result = np.empty((len(wanted), width), np.float32)
    total = np.zeros(width, np.float32)
    line = list(lines)
    counts = [np.float32(n) for n in range(window + 1)]
    for entering in range(ahead):
        np.add(total, line[entering], out=total)
    done = 0
    for slot, target in enumerate(wanted.tolist()):
        for k in range(done, target + 1):
            entering, leaving = k + ahead, k + ahead - window
            if entering < length:
                np.add(total, line[entering], out=total)
            if leaving >= 0:
                np.subtract(total, line[leaving], out=total)
        done = target + 1
        size = min(target + ahead, length - 1) - max(target + ahead - window, -1)
        np.divide(total, counts[size], out=result[slot])
    return result


def _transposed(matrix: _Floats) -> _Floats:
    """Copy the transpose into C order, tile by tile."""
    height, width = matrix.shape
    result = np.empty((width, height), np.float32)
    for top in range(0, height, _TILE):
        for left in range(0, width, _TILE):
            tile = matrix[top : top + _TILE, left : left + _TILE]
            result[left : left + _TILE, top : top + _TILE] = tile.T
    return result


def _quality(samples: _Floats) -> int:
    """Sum the whole percents by which neighbouring samples differ, scaled to 0 to 100."""
    percents = 0
    for axis in (0, 1):
        step = np.diff(samples, axis=axis) * np.float32(100) / np.float32(255)
        percents += int(np.abs(np.trunc(step)).sum(dtype=np.int64))
    return min(percents // 90, 100)


def _cosine_table() -> _Floats:
    """Rows 1 to 16 of the 64-point cosine transform: double arithmetic, rounded at the end."""
    scale = float(np.float32(math.sqrt(2.0 / _SIDE)))
    step = math.pi / 2.0 / _SIDE
    rows = [
        [scale * math.cos(step * (i + 1) * (2 * j + 1)) for j in range(_SIDE)]
        for i in range(_TERMS)
    ]
    return np.array(rows, np.float64).astype(np.float32)


_COSINES: Final = _cosine_table()


def _cosine_terms(samples: _Floats) -> _Floats:
    """Transform 64 × 64 samples to 16 × 16 terms, down the columns and then along the rows."""
    return _contract(_contract(samples).T.copy()).T


def _contract(samples: _Floats) -> _Floats:
    """Apply the cosine table down the columns, 64 × M to 16 × M, adding term after term."""
    total = np.zeros((_TERMS, samples.shape[1]), np.float32)
    for k in range(_SIDE):
        total += _COSINES[:, k, None] * samples[k]
    return total


def _bits(terms: _Floats) -> bytes:
    """One bit a term, set above the lower median (the 128th of 256); the last term first."""
    flat = terms.ravel()
    median = np.partition(flat, flat.size // 2 - 1)[flat.size // 2 - 1]
    return np.packbits(flat[::-1] > median).tobytes()
