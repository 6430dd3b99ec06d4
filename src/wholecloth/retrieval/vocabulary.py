"""From descriptors to visual words and signatures.

The vocabulary is fixed and shipped: adding a picture is appending, and shards merge.  It is a tree
of 256 × 256 centres of RootSIFT descriptors (Nistér & Stewénius 2006), trained on some 2 600
everyday photographs; it holds centres and no picture.  The signature says for each of 128 random
directions on which side of its word's centre a descriptor lies (Hamming embedding, Jégou et al.
2008, with the centre in place of trained medians).

Directions and numbering of the words come from a secret of each index.  Without it two indexes
cannot be compared, and signatures and words alone say less about a picture.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

VOCABULARY = "rootsift-256x256"
"""Name of the shipped file; an index carries it."""
WORDS = 65536
BITS = 128

_SCALE = 512.0
"""RootSIFT components are kept as whole numbers of 1/512."""
_FIRST_LEVEL = 3
"""Branches of the tree looked into for a query's words (1 + 1 for an index's)."""
_CHUNK = 2048
_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """What is left of a set of descriptors; no place, size or direction in the picture."""

    words: NDArray[np.uint16]
    """N (index) or N×M (query), 0-65535."""
    signatures: NDArray[np.uint64]
    """N×2 or N×M×2: 128 bits."""

    def __len__(self) -> int:
        return len(self.words)


@cache
def _tree() -> tuple[_Floats, _Floats]:
    """256×128 first-level and 256×256×128 second-level centres, read once."""
    with files(__package__).joinpath(f"{VOCABULARY}.npz").open("rb") as stream:
        kept = np.load(stream, allow_pickle=False)
        coarse = np.asarray(kept["coarse"], np.float32)
        fine = np.asarray(kept["fine"], np.float32)
    return coarse, fine


def root(sift: NDArray[np.uint8]) -> _Floats:
    """N×128 RootSIFT in the vocabulary's scale, 0-255 (Arandjelović & Zisserman 2012)."""
    raw = sift.astype(np.float32)
    rooted = np.sqrt(raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-6)) * _SCALE
    return np.asarray(np.floor(np.minimum(rooted, 255)), np.float32)


class Encoder:
    """Codes descriptors for one index.

    Args:
        secret: of the index; 16 bytes or more.
    """

    def __init__(self, secret: bytes) -> None:
        self._number = _permutation(secret)
        self._directions = _rotation(secret)
        self._coarse, self._fine = _tree()
        self._coarse_norm = (self._coarse**2).sum(axis=1)
        self._fine_norm = (self._fine**2).sum(axis=2)
        flat = self._fine.reshape(WORDS, 128)
        self._turned = np.asarray(flat @ self._directions, np.float32)

    def index(self, sift: NDArray[np.uint8]) -> Coded:
        """One word each, for keeping."""
        coded = self._coded(root(sift), 1, 2)
        return Coded(coded.words[:, 0], coded.signatures[:, 0])

    def query(self, sift: NDArray[np.uint8], each: int = 3) -> Coded:
        """The ``each`` nearest words, for asking.

        A change of tone or size moves some descriptors over a border between words.
        """
        return self._coded(root(sift), each, _FIRST_LEVEL)

    def _coded(self, rooted: _Floats, each: int, branches: int) -> Coded:
        parts = [
            self._chunk(rooted[start : start + _CHUNK], each, branches)
            for start in range(0, len(rooted), _CHUNK)
        ]
        if not parts:
            empty = np.zeros((0, each), np.uint16)
            return Coded(empty, np.zeros((0, each, 2), np.uint64))
        words = np.concatenate([w for w, _ in parts])
        signatures = np.concatenate([s for _, s in parts])
        return Coded(self._number[words], signatures)

    def _chunk(
        self, rooted: _Floats, each: int, branches: int
    ) -> tuple[NDArray[np.intp], NDArray[np.uint64]]:
        """Words of the tree and signatures of a few thousand descriptors."""
        near = self._coarse_norm - 2 * rooted @ self._coarse.T
        first = np.argpartition(near, branches - 1, axis=1)[:, :branches]
        words = np.empty((len(rooted), branches * each), np.intp)
        away = np.empty((len(rooted), branches * each), np.float32)
        # Grouped by branch, so that each branch's centres are multiplied once.
        flat = first.ravel()
        order = np.argsort(flat, kind="stable")
        bounds = np.searchsorted(flat[order], np.arange(len(self._coarse) + 1))
        for branch in np.unique(flat):
            rows, slot = np.divmod(order[bounds[branch] : bounds[branch + 1]], branches)
            distance = self._fine_norm[branch] - 2 * rooted[rows] @ self._fine[branch].T
            best = np.argpartition(distance, each - 1, axis=1)[:, :each]
            at = slot[:, None] * each + np.arange(each)
            words[rows[:, None], at] = branch * 256 + best
            away[rows[:, None], at] = np.take_along_axis(distance, best, axis=1)
        kept = np.argsort(away, axis=1, kind="stable")[:, :each]
        words = np.take_along_axis(words, kept, axis=1)
        side = (rooted @ self._directions)[:, None] - self._turned[words] > 0
        return words, np.packbits(side, axis=2).view(np.uint64)


def _stream(secret: bytes, purpose: str, count: int) -> NDArray[np.uint64]:
    """``count`` 64-bit numbers that only the secret gives (SHAKE-256, FIPS 202).

    Unlike a library's random generator it will give the same ones in ten years.
    """
    found = hashlib.shake_256(purpose.encode() + b"\0" + secret).digest(8 * count)
    return np.frombuffer(found, "<u8").astype(np.uint64)


@cache
def _permutation(secret: bytes) -> NDArray[np.uint16]:
    return np.argsort(_stream(secret, "words", WORDS), kind="stable").astype(np.uint16)


@cache
def _rotation(secret: bytes) -> _Floats:
    """128×128 orthonormal columns: QR of a Gaussian matrix (Box & Muller 1958)."""
    uniform = (_stream(secret, "directions", 2 * BITS * BITS) >> np.uint64(11)) / 2.0**53
    radius = np.sqrt(-2 * np.log1p(-uniform[: BITS * BITS]))
    gauss = radius * np.cos(2 * np.pi * uniform[BITS * BITS :])
    return np.linalg.qr(gauss.reshape(BITS, BITS))[0].astype(np.float32)
