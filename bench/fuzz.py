"""Mutated files of every format through the decode worker and the metadata signals.

    python bench/fuzz.py [COUNT] [SEED]

Each file is a seed picture with bits flipped, bytes overwritten with extreme numbers, ranges cut,
doubled, moved or exchanged with another seed's.  Anything but a decoded picture or a refusal in
words is a failure, as is a decode over its limits.  Prints what happened and ends with exit code 1
on a failure, after writing the file to ``fuzz-failures/``.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from PIL import Image, PngImagePlugin

from wholecloth.errors import HostileMedia, InputRefused
from wholecloth.intake import trust
from wholecloth.intake.decode import Worker, picture
from wholecloth.intake.limits import DEFAULT
from wholecloth.model.evidence import Exhibit, Failed
from wholecloth.model.media import Source
from wholecloth.signals.registry import run_all
from wholecloth.testing.scenes import scene

LIMITS = replace(DEFAULT, cpu_seconds=10, wall_seconds=15.0, memory_bytes=2 * 2**30)
EXTREMES = [
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\x80\0\0\0",
    b"\0\0",
    b"\xff\xff",
]


def seeds() -> dict[str, bytes]:
    drawn = Image.fromarray(scene(72, (160, 112)))
    other = Image.fromarray(scene(73, (160, 112)))
    info = PngImagePlugin.PngInfo()
    info.add_text(
        "parameters", "a room\nSteps: 20, Sampler: Euler, Seed: 1, Size: 512x512, Model: m"
    )
    info.add_itxt("prompt", json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 1}}}))
    exif = Image.Exif()
    exif[0x0131] = "an editor"
    exif[0x010E] = "a description"
    xmp = (
        b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-"
        b"syntax-ns#'><rdf:Description xmlns:Iptc4xmpExt='http://iptc.org/std/Iptc4xmpExt/2008-02-29/'"
        b" Iptc4xmpExt:DigitalSourceType='http://cv.iptc.org/newscodes/digitalsourcetype/"
        b"trainedAlgorithmicMedia'/></rdf:RDF></x:xmpmeta>"
    )

    def saved(format_: str, image: Image.Image = drawn, **options: object) -> bytes:
        stream = io.BytesIO()
        image.save(stream, format_, **options)
        return stream.getvalue()

    heic = Path(__file__).parent.parent / "tests" / "data" / "drawn-scene-41.heic"
    return {
        "JPEG": saved("JPEG", exif=exif, xmp=xmp),
        "JPEG progressive": saved("JPEG", progressive=True),
        "JPEG CMYK": saved("JPEG", drawn.convert("CMYK")),
        "MPO": saved("MPO", save_all=True, append_images=[other]),
        "PNG": saved("PNG", pnginfo=info, exif=exif),
        "PNG palette": saved("PNG", drawn.quantize(64)),
        "APNG": saved("PNG", save_all=True, append_images=[other]),
        "WEBP": saved("WEBP", exif=exif, xmp=xmp),
        "WEBP lossless": saved("WEBP", lossless=True),
        "WEBP animated": saved("WEBP", save_all=True, append_images=[other]),
        "GIF": saved("GIF", drawn.quantize(64)),
        "GIF animated": saved("GIF", drawn.quantize(64), save_all=True, append_images=[other]),
        "TIFF": saved("TIFF"),
        "TIFF LZW": saved("TIFF", compression="tiff_lzw"),
        "TIFF deflate": saved("TIFF", compression="tiff_adobe_deflate"),
        "TIFF JPEG": saved("TIFF", compression="jpeg"),
        "BMP": saved("BMP"),
        "AVIF": saved("AVIF", exif=exif),
        "HEIC": heic.read_bytes(),
    }


SEEDS = seeds()


def mutated(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    head = rng.random() < 0.6  # structure sits at the front more often than not
    for _ in range(rng.choice((1, 1, 2, 4, 9, 30))):
        if len(out) < 16:
            break
        at = rng.randrange(min(len(out), 600) if head else len(out))
        match rng.randrange(8):
            case 0 | 1 | 2:
                out[at] ^= 1 << rng.randrange(8)
            case 3:
                out[at : at + 4] = rng.choice(EXTREMES)
            case 4:
                out[at : at + rng.randrange(1, 60)] = b""
            case 5:
                part = out[at : at + rng.randrange(1, 200)]
                out[at:at] = part * rng.choice((1, 1, 2, 50))
            case 6:
                donor = SEEDS[rng.choice(list(SEEDS))]
                start = rng.randrange(len(donor))
                out[at : at + 40] = donor[start : start + rng.randrange(1, 300)]
            case 7:
                out[at : at + 4] = struct.pack(">I", rng.randrange(1 << 32))
    if rng.random() < 0.1:
        out = out[: rng.randrange(1, len(out) + 1)]
    return bytes(out)


def batch(job: tuple[int, int]) -> tuple[Counter[str], list[str], float, int]:
    seed, count = job
    rng = random.Random(seed)
    worker = Worker(LIMITS)
    seen: Counter[str] = Counter()
    failures, slowest, peak = [], 0.0, 0
    anchors = trust.load().anchors
    names = list(SEEDS)
    for i in range(count):
        name = names[i % len(names)]
        data = mutated(SEEDS[name], rng)
        started = time.monotonic()
        try:
            taken = picture(worker.decode(Source.of_bytes(data, "fuzzed"), credentials=i % 4 == 0))
            what = "decoded"
            for finding in run_all(Exhibit(taken, trust=anchors)):
                if not isinstance(finding.outcome, Failed):
                    continue
                if "C2pa" in finding.outcome.reason:
                    what = "decoded; broken Content Credentials said to be so"
                else:
                    what = f"signal failed: {finding.signal.id}"
                    failures.append(kept(data, seed, i, f"{what}: {finding.outcome.reason}"))
        except HostileMedia as error:
            what = "over a limit" if "limit" in error.reason else f"hostile: {error.reason}"
        except InputRefused as error:
            foreign = "decoder gave up" in error.reason
            what = f"refused: {error.reason}" if foreign else "refused in words"
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            what = f"uncaught {type(error).__name__}"
            failures.append(kept(data, seed, i, f"{what}: {error}"))
        took = time.monotonic() - started
        slowest = max(slowest, took)
        if took > LIMITS.wall_seconds + 5:
            failures.append(kept(data, seed, i, f"took {took:.1f} s"))
        seen[what] += 1
        peak = max(peak, peak_of(worker))
    worker.close()
    return seen, failures, slowest, peak


def peak_of(worker: Worker) -> int:
    """Largest resident size of the worker so far, in KiB; 0 where the system does not say."""
    child = worker._child  # noqa: SLF001 - measuring our own part
    if child is None or child.poll() is not None:
        return 0
    try:
        text = Path(f"/proc/{child.pid}/status").read_text("ascii")
    except OSError:
        return 0
    return int(text.split("VmHWM:")[1].split()[0])


def kept(data: bytes, seed: int, number: int, why: str) -> str:
    folder = Path("fuzz-failures")
    folder.mkdir(exist_ok=True)
    path = folder / f"{seed}-{number}"
    path.write_bytes(data)
    return f"{path}: {why}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    jobs = [(first * 1000 + i, min(200, count - 200 * i)) for i in range((count + 199) // 200)]
    total: Counter[str] = Counter()
    failures: list[str] = []
    slowest, peak = 0.0, 0
    started = time.monotonic()
    with ProcessPoolExecutor() as pool:
        for done, (seen, failed, slow, high) in enumerate(pool.map(batch, jobs), 1):
            total += seen
            failures += failed
            slowest, peak = max(slowest, slow), max(peak, high)
            print(f"\r{done}/{len(jobs)} batches", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    for what, number in total.most_common():
        print(f"{number:6d}  {what}")
    print(
        f"{total.total()} files of {len(SEEDS)} kinds in {time.monotonic() - started:.0f} s; "
        f"slowest {slowest:.1f} s, worker's peak {peak // 1024} MiB; {len(failures)} failures"
    )
    for line in failures:
        print(line)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
