"""Segments in a folder and ClickHouse side by side: time of a question, bytes, time of an erasure.

    python bench/stores.py [--pictures FOLDER] [--sizes 10000 100000] [--turned 10]

Postings are drawn anew from those of real pictures (of a folder, or drawn scenes): each (word,
signature) pair from the pool of all, with some of its 128 bits turned, 300 for each picture.  So
the words are as common as they are in photographs, and no picture is a copy of another.  With ten
bits turned, every posting that was drawn from a picture of a question still agrees with it, a share
of one in the pool's pictures: far more than in photographs.  With 64, none does but by chance.
Questions are edited crops of pictures that are among them as they are.  ClickHouse is chDB in a
process of its own behind the HTTP interface, with the client that a real server is asked with.

Times are of the search alone (both mirror states), without reading and describing the picture asked
for, which is the same for both.  The processor's time is of client and server together, all their
threads; it depends less than the wall clock on what else the machine does.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from PIL import Image

from wholecloth.model.media import RGB
from wholecloth.retrieval import score
from wholecloth.retrieval.features import MIRROR
from wholecloth.retrieval.index import Index, upkeep
from wholecloth.retrieval.index.manifest import ImageRow
from wholecloth.retrieval.postings import Kept, rank
from wholecloth.retrieval.score import Asked
from wholecloth.retrieval.selection import ASKED, FIRST, descriptors
from wholecloth.retrieval.vocabulary import Coded, Encoder
from wholecloth.testing.clickhouse import Server
from wholecloth.testing.scenes import scene

EACH = 300
BATCH = 10_000
QUESTIONS = 12


@dataclass
class Pool:
    pictures: list[Coded]
    questions: list[tuple[Asked, Asked]]
    """Both mirror states of edited crops of the first pictures."""

    def drawn(self, count: int, bits: int, rng: np.random.Generator) -> list[Coded]:
        words = np.concatenate([p.words for p in self.pictures])
        signatures = np.concatenate([p.signatures for p in self.pictures])
        at = rng.integers(0, len(words), count * EACH)
        turned = signatures[at]
        if bits >= 64:  # every bit with one half
            turned = rng.integers(0, 2**64, turned.shape, np.uint64)
        rows = np.arange(len(at))
        for _ in range(bits if bits < 64 else 0):
            bit = np.uint64(1) << rng.integers(0, 64, len(at)).astype(np.uint64)
            turned[rows, rng.integers(0, 2, len(at))] ^= bit
        chosen = words[at].reshape(count, EACH)
        return [Coded(w, s) for w, s in zip(chosen, turned.reshape(count, EACH, 2), strict=True)]


def read(folder: Path | None) -> Iterator[RGB]:
    if folder is None:
        for seed in range(300):
            yield scene(seed, (512, 384))
        return
    for path in sorted(p for p in folder.rglob("*") if p.suffix in {".jpg", ".png", ".webp"}):
        with Image.open(path) as picture:
            yield np.asarray(picture.convert("RGB"))


def pool(folder: Path | None, encoder: Encoder) -> Pool:
    pictures, questions = [], []
    for pixels in read(folder):
        coded = encoder.index(descriptors(pixels, FIRST))
        if len(coded) < EACH // 3:
            continue
        pictures.append(coded)
        if len(questions) < QUESTIONS:
            height, width = pixels.shape[:2]
            crop = pixels[height // 10 :, width // 10 :].copy()
            crop[height // 4 : height // 2, width // 4 : width // 2] = 127
            sift = descriptors(crop, ASKED)
            plain, mirrored = encoder.query(sift), encoder.query(sift[:, MIRROR])
            questions.append((score.asked(plain), score.asked(mirrored)))
    return Pool(pictures, questions)


def fill(index: Index, kept: list[Coded], rng: np.random.Generator) -> None:
    """As adding does, without photographs."""
    with index.manifest.change():
        ids = index.manifest.next_ids(len(kept))
    with index.writing(), index.manifest.change():
        segment = index.postings.add(
            [Kept(i, c, None, rng.bytes(32)) for i, c in zip(ids, kept, strict=True)]
        )
        for i in ids:
            row = ImageRow(i, i.to_bytes(32, "big"), segment, 1, 1)
            index.manifest.put_image(row)


def settled(index: Index) -> None:
    """All parts of a shard merged into one, as they become in time."""
    if index.cluster is not None:
        for shard in index.cluster.shards():
            for table in ("postings", "pictures"):
                shard.client.command(f"OPTIMIZE TABLE {table} FINAL")
        index.cluster.wait_erased()


ROUNDS = 3


def asked(
    index: Index, questions: list[tuple[Asked, Asked]], server: Server
) -> tuple[float, float, list[object]]:
    """Median milliseconds, mean processor milliseconds of both sides, and the answers.

    Every question once before, unmeasured.
    """
    answers: list[object] = [rank(index.postings, *q, "first", 100) for q in questions]
    times = []
    used = time.process_time() + server.cpu_seconds()
    for question in questions * ROUNDS:
        start = time.perf_counter()
        rank(index.postings, *question, "first", 100)
        times.append(1000 * (time.perf_counter() - start))
    used = time.process_time() + server.cpu_seconds() - used
    return median(times), 1000 * used / len(times), answers


def bytes_of(index: Index) -> int:
    return int(upkeep.stats(index)["tiers"]["first"]["bytes"])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--pictures", type=Path)
    arguments.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    arguments.add_argument("--turned", type=int, default=10, help="bits; from 64 on all of them")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, Server(Path(name) / "server") as server:
        about = {"owner": "bench", "purpose": "measuring"}
        local = Index.create(Path(name) / "local", **about)
        remote = Index.create(Path(name) / "remote", **about, like=local, postings=server.address)
        found = pool(given.pictures, local.encoder)
        print(
            f"{len(found.pictures)} pictures, {sum(map(len, found.pictures))} postings in the pool"
        )
        rng = np.random.default_rng(1)
        waiting, count = list(found.pictures), 0
        spent = {local: 0.0, remote: 0.0}
        for size in given.sizes:
            while count < size:
                more = min(size - count, BATCH)
                batch = waiting + found.drawn(more - len(waiting), given.turned, rng)
                waiting, count = [], count + more
                for index in spent:
                    start = time.perf_counter()
                    fill(index, batch, np.random.default_rng(count))
                    spent[index] += time.perf_counter() - start
            fresh, fresh_cpu, _ = asked(remote, found.questions, server)
            settled(remote)
            local_ms, local_cpu, local_answers = asked(local, found.questions, server)
            remote_ms, remote_cpu, remote_answers = asked(remote, found.questions, server)
            top = [a[0][0] == i + 1 for i, a in enumerate(remote_answers)]
            print(
                f"\n{size} pictures, {size * EACH / 1e6:.1f} M postings; "
                f"answers equal: {local_answers == remote_answers}; "
                f"true picture first: {sum(top)} of {len(top)}"
            )
            for label, index, ms, cpu in (
                ("segments", local, local_ms, local_cpu),
                ("chDB", remote, remote_ms, remote_cpu),
            ):
                held = bytes_of(index)
                start = time.perf_counter()
                upkeep.erase(index, [size.to_bytes(32, "big").hex()])
                erased = time.perf_counter() - start
                print(
                    f"  {label:9} question {ms:7.1f} ms, processor {cpu:7.1f} ms, "
                    f"{held / size:7.1f} bytes a picture, {held / size / EACH:5.2f} a posting, "
                    f"adding {1e3 * spent[index] / size:5.2f} ms a picture, "
                    f"erasing one {1000 * erased:7.0f} ms"
                )
            print(
                f"  chDB before its parts were merged: question {fresh:.1f} ms, "
                f"processor {fresh_cpu:.1f} ms"
            )


if __name__ == "__main__":
    main()
