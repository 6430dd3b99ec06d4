"""``wholecloth bench localise``: ours beside the baselines on the same pairs in the same run."""

from __future__ import annotations

import json
import os
import platform
import shlex
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wholecloth import __version__, atomic
from wholecloth.bench import charts, side_tables
from wholecloth.bench.baselines import SSIM, magick_is, methods
from wholecloth.bench.cases import DISTRACTORS, load
from wholecloth.bench.peers import Peer
from wholecloth.bench.side import SideResult, measure
from wholecloth.bench.work import spread
from wholecloth.errors import NotInstalled, OutputRefused
from wholecloth.intake.decode import Progress
from wholecloth.localisation.settings import Settings
from wholecloth.testing.drawn_set import draw_set

_LIBRARIES = ("numpy", "opencv-python-headless", "scipy", "scikit-image")


def run_localise(
    folder: Path | None,
    out: Path,
    *,
    launder: int = 0,
    seed: int = 1,
    pairs: int = 48,
    jobs: int | None = None,
    others: Sequence[Peer] = (),
    progress: Progress = lambda *_: None,
) -> dict[str, Any]:
    """Measure registration and localisation beside the baselines.

    Args:
        folder: cases in the form of ``wholecloth.bench``; None draws a set of ``pairs`` pairs in a
            temporary folder.
        out: where ``results.json``, ``results.md`` and the plots go; nothing of the pictures.
        launder: 0 = the published files as they lie; N = each N times through a random repost.
        seed: of the first repost, and of the drawn set.
        pairs: how many are drawn.
        jobs: processes; the processors by default.
        others: other people's detectors.
        progress: called with (stage, done, of).

    Returns:
        What was written as JSON.
    """
    if out.exists() and not out.is_dir():
        raise OutputRefused(str(out), "is not a folder", "give another place with --out")
    seeds: list[int | None] = [seed + i for i in range(launder)] if launder else [None]
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="wholecloth-drawn-") as name:
            drawn = Path(name)
            draw_set(drawn, seed=seed, pairs=pairs, distractors=0, progress=progress)
            results = measure_all(drawn, seeds, jobs, others, progress)
    else:
        results = measure_all(folder, seeds, jobs, others, progress)
    document: dict[str, Any] = {
        "title": f"Registration and localisation: wholecloth {__version__}",
        "command": _command(folder, launder, seed, pairs, others),
        "how": _how(folder, seeds, pairs),
        "settings": Settings().name,
        "machine": machine(),
        "imagemagick": magick_is(),
        "notes": [],
        **side_tables.figures(results),
        "results": [r.as_dict() for r in results],
    }
    if SSIM not in methods():
        document["notes"].append(
            "SSIM was left out: scikit-image is not installed (pip install 'wholecloth[bench]')."
        )
    files: dict[str, bytes] = {}
    try:
        files = charts.drawn(results, document)
    except NotInstalled as error:
        document["notes"].append(f"No plots: they {error.reason} ({error.remedy}).")
    document["plots"] = list(files)
    files["results.md"] = side_tables.markdown(document).encode()
    files["results.json"] = json.dumps(document, ensure_ascii=False, indent=1).encode()
    write(out, files)
    return document


def measure_all(
    folder: Path,
    seeds: Sequence[int | None],
    jobs: int | None = None,
    others: Sequence[Peer] = (),
    progress: Progress = lambda *_: None,
) -> list[SideResult]:
    """Every pair with every seed, in the order of the rows."""
    rows = [r for r in load(folder) if r.published and r.kind != DISTRACTORS]
    count, of = 0, len(rows) * len(seeds)

    def step(done: list[SideResult]) -> None:
        nonlocal count
        count += len(done)
        progress("measuring pairs", count, of)

    found = spread(measure, [(r, seeds, others) for r in rows], jobs, step)
    return [result for results in found for result in results]


def write(out: Path, files: dict[str, bytes]) -> None:
    """All of them or, where the run is stopped meanwhile, what was there before."""
    made: list[Path] = []
    before = {n: (out / n).read_bytes() if (out / n).is_file() else None for n in files}
    try:
        atomic.make_folder(out, made)
        for name, data in files.items():
            atomic.write(out / name, data)
    except BaseException:
        with suppress(OutputRefused):
            for name, earlier in before.items():
                if earlier is not None:
                    atomic.write(out / name, earlier)
                else:
                    atomic.remove(out / name)
            for folder in made:
                atomic.remove(folder)
        raise


def _command(
    folder: Path | None, launder: int, seed: int, pairs: int, others: Sequence[Peer]
) -> str:
    words = ["wholecloth", "bench", "localise"]
    words += [shlex.quote(folder.name)] if folder else ["--pairs", str(pairs)]
    words += ["--launder", str(launder)] if launder else []
    words += ["--seed", str(seed)] if launder or not folder else []
    for peer in others:  # the commands themselves hold this machine's paths
        words += ["--peer", shlex.quote(f"{peer.name}=…")]
    return " ".join(words)


def _how(folder: Path | None, seeds: Sequence[int | None], pairs: int) -> str:
    what = f"Cases of {folder.name}" if folder else f"{pairs} drawn pairs"
    if seeds == [None]:
        return f"{what}, the published files as they lie."
    return (
        f"{what}, every published file through {len(seeds)} random repost(s), "
        f"seeds {seeds[0]}-{seeds[-1]}."
    )


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    found: dict[str, Any] = {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "processors": os.cpu_count(),
        "python": platform.python_version(),
    }
    for name in _LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
