"""The decode worker: limits, death, and what it is not allowed to do."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wholecloth.errors import HostileMedia, UnreadableMedia
from wholecloth.intake.decode import Worker, WorkerPool
from wholecloth.intake.limits import Limits
from wholecloth.model.media import Source
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

GOOD = Source.of_bytes(encode(scene(3, (300, 200))), "good.jpg")


def test_it_survives_its_own_death() -> None:
    worker = Worker()
    first = worker.decode(GOOD)
    assert worker._child is not None
    worker._child.send_signal(signal.SIGKILL)
    worker._child.wait()
    again = worker.decode(GOOD)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    worker.close()


def test_pixel_limit_is_checked_on_the_header() -> None:
    worker = Worker(Limits(pixels=1000))
    with pytest.raises(HostileMedia, match="over the limit"):
        worker.decode(GOOD)
    worker.close()


def test_wall_limit_ends_a_decode_and_the_next_file_is_read() -> None:
    worker = Worker(Limits(wall_seconds=0.0005))
    with pytest.raises(HostileMedia, match="ended"):
        worker.decode(Source.of_bytes(encode(scene(3, (3000, 2000)), "PNG"), "slow.png"))
    worker.limits = Limits()
    assert worker.decode(GOOD).pixels.shape == (200, 300, 3)
    worker.close()


def test_memory_limit_refuses_the_file_only() -> None:
    worker = Worker(Limits(memory_bytes=260 * 2**20))
    big = Source.of_bytes(encode(np.zeros((9000, 9000, 3), np.uint8), "PNG"), "big.png")
    with pytest.raises((HostileMedia, UnreadableMedia)):
        worker.decode(big)
    assert worker.decode(GOOD).pixels.shape == (200, 300, 3)
    worker.close()


def test_reduced_decoding_keeps_the_full_size_in_the_facts() -> None:
    with WorkerPool(1) as pool:
        whole = pool.decode(GOOD)
        small = pool.decode(GOOD, max_side=100)
    assert (small.facts.width, small.facts.height) == (whole.facts.width, whole.facts.height)
    assert max(small.pixels.shape[:2]) == 100
    assert small.digests == whole.digests
    assert not small.pixels.flags.writeable


def test_heic_is_read() -> None:
    path = Path(__file__).parent.parent / "data" / "drawn-scene-41.heic"
    source = Source.of_bytes(path.read_bytes(), path.name)
    with WorkerPool(1) as pool:
        decoded = pool.decode(source)
    assert decoded.facts.format == "HEIF"
    truth = scene(41, (480, 360)).astype(int)
    assert np.abs(decoded.pixels.astype(int) - truth).mean() < 12


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux")
def test_no_socket_no_program_no_file(tmp_path: Path) -> None:
    code = (
        "import os, socket\n"
        "from wholecloth.intake.isolation import confine\n"
        "from wholecloth.intake.limits import Limits\n"
        "reached = confine(Limits())\n"
        "assert any('seccomp' in r for r in reached), reached\n"
        "for step in (lambda: socket.socket(), lambda: os.execv('/bin/true', ['true']),\n"
        "             lambda: open('probe', 'wb', 0).write(b'x' * 10)):\n"
        "    try:\n"
        "        step()\n"
        "    except OSError as error:\n"
        "        print(type(error).__name__)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.stdout.split() == ["PermissionError", "PermissionError", "OSError"], result
