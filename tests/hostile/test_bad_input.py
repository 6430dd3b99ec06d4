"""Bad input: one clear line each, nothing lost, the rest goes on."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

SMALL = (400, 300)


def command(*args: object) -> list[str]:
    return [sys.executable, "-m", "wholecloth", *map(str, args)]


def run(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*args), capture_output=True, text=True, check=False, cwd=cwd)


def refused(result: subprocess.CompletedProcess[str], item: str, code: int = 3) -> str:
    """One line on standard error that names the item; nothing on standard output."""
    assert result.returncode == code, result
    assert result.stdout == ""
    lines = [n for n in result.stderr.splitlines() if not n.startswith("About to decode")]
    assert len(lines) == 1, lines
    assert item in lines[0]
    assert " - " in lines[0]
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(encode(scene(51, SMALL)))
    (folder / "b.jpg").write_bytes(encode(scene(52, SMALL)))
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "pub.jpg"
    path.write_bytes(encode(scene(51, SMALL), quality=70))
    return path


def huge_png(width: int = 50_000, height: int = 50_000) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        crc = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


BAD = {
    "truncated.jpg": encode(scene(51, SMALL))[:9000],
    "huge.png": huge_png(),
    "lie.jpg": b"%PDF-1.7 not a picture",
    "empty.jpg": b"",
    "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "noise.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
}


@pytest.mark.parametrize("name", BAD)
def test_refused_as_published(tmp_path: Path, photos: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name])
    out = tmp_path / "out"
    line = refused(run("examine", path, "--among", photos, "--out", out), name)
    assert not out.exists(), line
    assert path.read_bytes() == BAD[name]


def test_named_and_skipped_as_candidates(tmp_path: Path, photos: Path, published: Path) -> None:
    for name, data in BAD.items():
        (photos / name).write_bytes(data)
    (photos / "tiny.png").write_bytes(encode(scene(53, (20, 20)), "PNG"))
    (photos / "again.jpg").write_bytes((photos / "a.jpg").read_bytes())
    result = run("examine", published, "--among", photos, "--out", tmp_path / "out", "--json")
    assert result.returncode == 0
    record = json.loads(result.stdout)
    assert record["verdict"] == "copy"
    assert record["original"]["path"].endswith("a.jpg")
    named = {Path(s["path"]).name for s in record["candidates"]["skipped"]}
    assert named == {*BAD, "tiny.png", "again.jpg"}
    assert record["candidates"]["read"] == 2


def test_a_lying_extension_is_read_by_content(
    tmp_path: Path, photos: Path, published: Path
) -> None:
    lie = tmp_path / "really-a-jpeg.png"
    lie.write_bytes(published.read_bytes())
    result = run("examine", lie, "--among", photos, "--out", tmp_path / "out", "--json")
    assert json.loads(result.stdout)["published"]["format"] == "JPEG"


def test_an_empty_folder(tmp_path: Path, published: Path) -> None:
    (tmp_path / "nothing").mkdir()
    refused(run("examine", published, "--among", tmp_path / "nothing"), "nothing")
    assert not (tmp_path / "pub.jpg.wholecloth").exists()


def test_an_output_place_that_cannot_be_used(tmp_path: Path, photos: Path, published: Path) -> None:
    (tmp_path / "file").write_text("mine")
    refused(run("examine", published, "--among", photos, "--out", tmp_path / "file"), "file")
    refused(run("examine", published, "--among", photos, "--out", tmp_path / "file/x"), "file")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    refused(run("examine", published, "--among", photos, "--out", tmp_path / "full"), "full")
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert sorted(p.name for p in (tmp_path / "full").iterdir()) == ["mine.txt"]


def test_the_command_line_itself(published: Path) -> None:
    refused(run("examine", published, "--amongst", "x"), "command line", code=2)
    refused(run("examine"), "command line", code=2)
    refused(run("examine", published), "--among", code=2)
    as_json = run("examine", published, "--json")
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["error"]["item"] == "--among"


@pytest.mark.parametrize("after", [0.2, 0.8, 1.4, 2.0])
def test_ctrl_c_leaves_nothing_half_written(
    tmp_path: Path, photos: Path, published: Path, after: float
) -> None:
    for i in range(30):
        (photos / f"more-{i}.jpg").write_bytes(encode(scene(9000 + i, SMALL)))
    out = tmp_path / "out"
    with subprocess.Popen(
        command("examine", published, "--among", photos, "--out", out),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert "Traceback" not in err
    if process.returncode == 0:  # it was done before the signal came
        assert json.loads((out / "record.json").read_text())["verdict"] == "copy"
    else:
        assert process.returncode in (130, -signal.SIGINT)
        assert time.monotonic() - started < 10
        assert not out.exists()
    assert published.exists()


def test_age_doubt_keeps_nothing(tmp_path: Path, photos: Path, published: Path) -> None:
    before = published.read_bytes()
    out = tmp_path / "out"
    result = run("examine", published, "--among", photos, "--out", out, "--age-doubt")
    assert "Do not copy, forward or delete" in result.stdout
    assert "report.cybertip.org" in result.stdout
    assert not out.exists()
    assert published.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are POSIX")
def test_the_age_key_stops_a_running_batch_and_removes_it(
    tmp_path: Path, photos: Path, published: Path
) -> None:
    import pty

    for i in range(60):
        (photos / f"more-{i}.jpg").write_bytes(encode(scene(9000 + i, SMALL)))
    second = tmp_path / "second.jpg"
    second.write_bytes(encode(scene(52, SMALL), quality=60))
    out = tmp_path / "out"
    master, slave = pty.openpty()
    with subprocess.Popen(
        command("examine", published, second, "--among", photos, "--out", out),
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 30
        while not (out / "pub.jpg.wholecloth" / "record.json").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.write(master, b"a")
        stdout, stderr = process.communicate(timeout=30)
    os.close(master)
    os.close(slave)
    assert process.returncode == 3, stderr
    assert "doubt about age" in stdout
    assert not (out / "pub.jpg.wholecloth").exists()
    assert not (out / "second.jpg.wholecloth").exists()
    assert published.exists()


def test_names_that_try_to_write_on_the_terminal(tmp_path: Path, photos: Path) -> None:
    name = "bad\x1b[31m\u202egpj.\nexe.jpg"
    path = tmp_path / name
    path.write_bytes(encode(scene(52, SMALL), quality=60))
    result = run("examine", path, "--among", photos, "--out", tmp_path / "out")
    assert result.returncode == 0
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert "\\x1b" in result.stdout


def test_links_are_followed_once_and_loops_named(
    tmp_path: Path, photos: Path, published: Path
) -> None:
    (photos / "loop").symlink_to(photos, target_is_directory=True)
    (photos / "self").symlink_to(photos / "self")
    (photos / "link.jpg").symlink_to(photos / "a.jpg")
    os.mkfifo(photos / "pipe.jpg")
    result = run("examine", published, "--among", photos, "--out", tmp_path / "out", "--json")
    record = json.loads(result.stdout)
    skipped = {Path(s["path"]).name: s["reason"] for s in record["candidates"]["skipped"]}
    assert "loop" in skipped["loop"]
    assert "loop" in skipped["self"]
    assert "same file" in skipped["link.jpg"]
    assert "regular" in skipped["pipe.jpg"]
    assert record["candidates"]["read"] == 2


def test_one_bad_published_file_does_not_stop_the_others(
    tmp_path: Path, photos: Path, published: Path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(BAD["truncated.jpg"])
    out = tmp_path / "out"
    result = run("examine", broken, published, "--among", photos, "--out", out)
    assert result.returncode == 3
    assert "broken.jpg" in result.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert summary["items"][0]["error"]["item"] == str(broken)
    assert summary["items"][1]["verdict"] == "copy"
    assert (out / "pub.jpg.wholecloth" / "record.json").exists()
