"""How overlays are told apart from edits: the overlay figures of ``docs/measured.md``.

    python bench/overlays.py [PICTURES] [SEED] [JSON] [KINDS]

PICTURES is a folder of pictures (JPEG, PNG); without it, drawn scenes and package photographs are
used.  Every picture gets KINDS of the seven drawn overlays (all by default), each alone and once
more with a drawn edit under or beside it, and as many drawn edits with nothing on top.  Half of the
cases go through a mild chain, a quarter through a repost, a quarter stay lossless.  The pair is
given, so this measures registration and localisation, not the search.  JSON receives one row a
case.
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from benign import decoded, pictures
from wholecloth.localisation.localise import localise
from wholecloth.model.comparison import Alignment, EditMap
from wholecloth.model.media import RGB, Mask
from wholecloth.registration.refine import register
from wholecloth.retrieval.features import DEEP, QUICK, extract
from wholecloth.retrieval.verify import verify
from wholecloth.testing.edits import EDITS
from wholecloth.testing.launder import Laundering, launder, random_chain
from wholecloth.testing.overlays import OVERLAYS, overlaid
from wholecloth.testing.scenes import Rng

Row = dict[str, object]
Job = tuple[str, bytes, str, str, str, int]
RIM_PX = 8
"""Where an overlay's rim blends with an edit, either name is right."""
CALLED = 0.1
"""An edit counts as called an overlay from this share of its visible area on."""


def chain_of(name: str, rng: Rng) -> Laundering:
    if name == "lossless":
        return Laundering(format="PNG")
    return random_chain(rng, name)


def jobs_of(folder: Path | None, seed: int, kinds: int) -> list[Job]:
    """(picture, bytes, overlay or "", edit or "", chain, seed)."""
    chains = ("mild", "repost", "mild", "lossless")
    out: list[Job] = []
    for n, (name, data) in enumerate(pictures(folder, seed).items()):
        for k in range(kinds):
            i = n * kinds + k
            overlay = list(OVERLAYS)[i % len(OVERLAYS)]
            # Shifted once a round, so that each kind meets every chain and every edit.
            edit = list(EDITS)[(i + i // 28) % 4]
            chain = chains[(i + i // 7) % 4]
            for laid, made in ((overlay, ""), (overlay, edit)):
                out.append((name, data, laid, made, chain, seed))
            if k < len(EDITS):
                out.append((name, data, "", edit, chain, seed))
    return out


def one(job: Job) -> Row:
    name, data, kind, edit, chain, seed = job
    rng = np.random.default_rng([seed, *name.encode(), *kind.encode(), *edit.encode()])
    original, _ = decoded(data)
    pixels, truth = original, np.zeros(original.shape[:2], bool)
    laid = truth
    if edit:
        edited = EDITS[edit](pixels, rng)
        pixels, truth = edited.pixels, edited.mask
    if kind:
        done = overlaid(pixels, kind, rng)
        pixels, laid = done.pixels, done.mask
    state = rng.bit_generator.state
    passed = launder(pixels, laid, chain_of(chain, rng))
    rng.bit_generator.state = state  # the same chain again, for the other mask
    visible = launder(pixels, truth & ~laid, chain_of(chain, rng)).mask
    row: Row = {"picture": name, "overlay": kind, "edit": edit, "chain": chain, "registered": False}
    published, tables = decoded(passed.data)
    alignment = aligned(original, published)
    if alignment is None:
        return row
    edits = localise(original, published, alignment, tables)
    return row if edits is None else row | read(edits, passed.mask, visible, touching(truth, laid))


def touching(truth: Mask, laid: Mask) -> bool:
    return bool((truth & laid).any())


def aligned(original: RGB, published: RGB) -> Alignment | None:
    for settings in (QUICK, DEEP):
        match = verify(extract(original, settings), extract(published, settings))
        if match is not None:
            alignment = register(original, published, match)
            return alignment if isinstance(alignment, Alignment) else None
    return None


def read(edits: EditMap, laid: Mask, visible: Mask, under: bool) -> Row:
    """What one map says: areas are shares of the truth."""
    overlay = np.zeros_like(edits.mask) if edits.overlay is None else edits.overlay
    either = float((overlay | laid).sum())
    rim = np.ones((2 * RIM_PX + 1, 2 * RIM_PX + 1), np.uint8)
    near = cv2.dilate(laid.astype(np.uint8), rim) > 0
    clear = visible & ~near
    return {
        "registered": True,
        "under": under,
        "overlay_seen": bool(overlay.any()),
        "edit_seen": bool(edits.mask.any()),
        "overlay_iou": float((overlay & laid).sum()) / either if either else None,
        "edit_found": share(edits.mask, visible),
        "called": share(overlay, clear),
        "edit_share": edits.share,
    }


def share(found: Mask, truth: Mask) -> float | None:
    return float(found[truth].mean()) if truth.any() else None


def told(rows: list[Row]) -> str:
    """Overlays alone."""
    good = [r for r in rows if r["registered"]]
    only = sum(bool(r["overlay_seen"]) and not r["edit_seen"] for r in good)
    some = sum(bool(r["edit_seen"]) for r in good)
    none = sum(not r["edit_seen"] and not r["overlay_seen"] for r in good)
    iou = [r["overlay_iou"] for r in good if r["overlay_seen"] and not r["edit_seen"]]
    middle = f"{np.median(np.array(iou, float)):.2f}" if iou else "-"
    return (
        f"{len(rows):4d} cases, {len(rows) - len(good)} not registered, {only} overlay and no edit,"
        f" {some} some edit, {none} nothing seen; median overlap of the first {middle}"
    )


def beside(rows: list[Row]) -> str:
    """With an edit, or an edit alone."""
    good = [r for r in rows if r["registered"] and r["edit_found"] is not None]
    found = sum(float(str(r["edit_found"])) > 0.5 for r in good)
    called = [float(str(r["called"])) for r in good if r["called"] is not None]
    any_overlay = sum(bool(r["overlay_seen"]) for r in good)
    return (
        f"{len(rows):4d} cases, {len(rows) - len(good)} not registered, edit found in {found}, "
        f"called overlay in {sum(c > CALLED for c in called)}, overlay reported in {any_overlay}"
    )


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
    kinds = int(sys.argv[4]) if len(sys.argv) > 4 else len(OVERLAYS)
    with ProcessPoolExecutor(int(os.environ.get("WORKERS", "0")) or None) as pool:
        rows = list(pool.map(one, jobs_of(folder, seed, kinds)))
    alone = [r for r in rows if r["overlay"] and not r["edit"]]
    both = [r for r in rows if r["overlay"] and r["edit"]]
    bare = [r for r in rows if not r["overlay"]]
    print("An overlay alone")
    for kind in OVERLAYS:
        print(f"  {kind:<20}{told([r for r in alone if r['overlay'] == kind])}")
    for chain in ("mild", "repost", "lossless"):
        print(f"  {chain:<20}{told([r for r in alone if r['chain'] == chain])}")
    print(f"  {'all':<20}{told(alone)}\nAn edit with an overlay")
    for kind in OVERLAYS:
        print(f"  {kind:<20}{beside([r for r in both if r['overlay'] == kind])}")
    print(f"  {'laid over the edit':<20}{beside([r for r in both if r.get('under')])}")
    print(f"  {'all':<20}{beside(both)}\nAn edit alone")
    for edit in EDITS:
        print(f"  {edit:<20}{beside([r for r in bare if r['edit'] == edit])}")
    print(f"  {'all':<20}{beside(bare)}")
    if len(sys.argv) > 3 and sys.argv[3] != "-":
        Path(sys.argv[3]).write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
