"""Faults of an index: kills, the time of an erasure, a folder of a million files.

    python bench/index_faults.py kills [COUNT]        (300 or more; every step, then random moments)
    python bench/index_faults.py erase [PICTURES]     (1 000: one segment)
    python bench/index_faults.py files [COUNT]        (1 000 000 empty files, walked twice)

Everything is drawn and lies in a temporary folder.  Ends with exit code 1 where something is lost,
comes back or is left.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from wholecloth.retrieval.index import Index, adding, upkeep
from wholecloth.testing import kills
from wholecloth.testing.postings import Drawn, taken

FEATURES, DETAIL, DETAIL_SHARE = 300, 2500, 0.2
"""As many as a photograph of 500 px and, for one in five, one of more than 1 000 px has."""


def killed(count: int) -> int:
    """Kill at every step of every act, plain and encrypted, then at random moments."""
    rng = random.Random(1)
    table: dict[tuple[bool, str, str], Counter[str]] = {}
    done = 0
    with tempfile.TemporaryDirectory() as top:
        grounds = {}
        for encrypted in (False, True):
            (Path(top) / str(encrypted)).mkdir()
            grounds[encrypted] = kills.prepare(Path(top) / str(encrypted), encrypted=encrypted)
        spans = {}
        for encrypted, ground in grounds.items():
            for act in kills.ACTS:
                total = kills.steps(ground, act)
                spans[encrypted, act] = kills.duration(ground, act)
                for step in range(1, total + 1):
                    trial = kills.at_step(ground, act, step)
                    done += _counted(table, encrypted, "steps", trial)
        while done < count:
            encrypted, act = rng.choice(list(spans))
            moment = rng.uniform(0, spans[encrypted, act])
            trial = kills.after(grounds[encrypted], act, moment)
            done += _counted(table, encrypted, "moments", trial)
    print(f"{'act':8} {'mode':6} {'killed at':10} {'kills':>6} {'too late':>9} {'wrong':>6}")
    for (encrypted, act, where), seen in sorted(table.items()):
        mode = "vault" if encrypted else "plain"
        print(f"{act:8} {mode:6} {where:10} {seen['killed']:6} {seen['late']:9} {seen['wrong']:6}")
    wrong = sum(seen["wrong"] for seen in table.values())
    print(f"{done} kills, {wrong} with something lost, come back or left")
    return wrong


def _counted(
    table: dict[tuple[bool, str, str], Counter[str]],
    encrypted: bool,
    where: str,
    trial: kills.Trial,
) -> int:
    seen = table.setdefault((encrypted, trial.act, where), Counter())
    seen["killed" if trial.killed else "late"] += 1
    if trial.wrong:
        seen["wrong"] += 1
        print(f"{trial.act}, {trial.when}: {'; '.join(trial.wrong[:5])}")
    return int(trial.killed)


def erased(pictures: int) -> int:
    """Milliseconds per picture erased from one segment, and whether anything stays."""
    left = 0
    for encrypted in (False, True):
        with tempfile.TemporaryDirectory() as top:
            vault = Path(top) / "vault.key" if encrypted else None
            index = Index.create(
                Path(top) / "index", owner="a bench", purpose="timing", vault=vault
            )
            names = kills.names("picture", pictures)
            large = names[: int(DETAIL_SHARE * pictures)]
            _put(index, large, DETAIL)
            _put(index, names[len(large) :], 0)
            upkeep.compact(index)
            size = max(row.size for row in index.manifest.segments())
            gone = random.Random(2).sample(names, 20)
            times = []
            for name in gone:
                start = time.perf_counter()
                upkeep.erase(index, [name])
                times.append(1000 * (time.perf_counter() - start))
            start = time.perf_counter()
            many = [n for n in names if n not in gone][:100]
            upkeep.erase(index, many)
            together = 1000 * (time.perf_counter() - start) / len(many)
            all_gone = [taken(n, FEATURES, DETAIL if n in large else 0) for n in (*gone, *many)]
            left += len(kills.scan(index.folder, all_gone))
            index.close()
        mode = "vault" if encrypted else "plain"
        print(
            f"{mode}: {pictures} pictures, segment of {size / 2**20:.1f} MiB: one at a time median "
            f"{statistics.median(times):.0f} ms, most {max(times):.0f} ms; 100 together "
            f"{together:.1f} ms each; files with traces left: {left}"
        )
    return left


def _put(index: Index, names: list[str], detail: int) -> None:
    listed = index.folder.with_suffix(".list")
    listed.write_text("\n".join(names))
    adding.add(index, [], lists=[listed], executor=Drawn(FEATURES, detail))


def walked(count: int) -> int:
    """Add a folder of empty files twice: seconds, and the most memory this process had."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "files"
        folder.mkdir()
        for name in _names(count):
            os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))
        with Index.create(Path(top) / "index", owner="a bench", purpose="timing") as index:
            print(f"before: {_mib():.0f} MiB")
            for again in ("first", "again"):
                start = time.perf_counter()
                done = adding.add(index, [folder])
                seconds = time.perf_counter() - start
                print(
                    f"{again}: {len(done.skipped)} of {count} named as no pictures in "
                    f"{seconds:.0f} s; at most {_mib():.0f} MiB"
                )
                if len(done.skipped) != count:
                    return 1
                del done
            print(f"index: {upkeep.stats(index)['bytes'] / 2**20:.0f} MiB")
    return 0


def _names(count: int) -> Iterator[str]:
    return (f"{i:07d}.jpg" for i in range(count))


def _mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    what, *rest = sys.argv[1:] or [""]
    number = int(rest[0]) if rest else None
    if what == "kills":
        sys.exit(bool(killed(number or 300)))
    if what == "erase":
        sys.exit(bool(erased(number or 1000)))
    if what == "files":
        sys.exit(bool(walked(number or 1_000_000)))
    sys.exit(__doc__)
