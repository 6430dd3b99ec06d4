"""Batches: stopped, resumed, tampered with, and two at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wholecloth.casework.verify import summary_bytes, verify
from wholecloth.errors import VerificationFailed
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

SMALL = (320, 240)


def run(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "wholecloth", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("batch")
    for name in ("photos", "b/x", "b/y"):
        (top / name).mkdir(parents=True)
    for i in range(3):
        (top / "photos" / f"{i}.jpg").write_bytes(encode(scene(51 + i, SMALL)))
    (top / "b" / "x" / "img.jpg").write_bytes(encode(scene(51, SMALL), quality=70))
    (top / "b" / "y" / "img.jpg").write_bytes(encode(scene(52, SMALL), quality=70))
    done = examined(top, top / "out")
    assert done.returncode == 0, done.stderr
    return top


def examined(top: Path, out: Path, *more: object) -> subprocess.CompletedProcess[str]:
    files = sorted((top / "b").glob("*/img.jpg"))
    return run("examine", *files, "--among", top / "photos", "--out", out, "--quiet", *more)


@pytest.fixture
def own(drawn: Path, tmp_path: Path) -> Path:
    shutil.copytree(drawn / "out", tmp_path / "out")
    return tmp_path / "out"


def test_the_same_batch_again_is_told_to_resume(drawn: Path, own: Path) -> None:
    before = (own / "summary.json").read_bytes()
    again = examined(drawn, own)
    assert again.returncode == 3
    assert "--resume" in again.stderr
    assert (own / "summary.json").read_bytes() == before
    (own / "summary.json").unlink()  # as after a stop
    assert "--resume" in examined(drawn, own).stderr
    with pytest.raises(VerificationFailed, match="missing") as refusal:
        verify(own)
    assert "--resume" in refusal.value.remedy
    assert examined(drawn, own, "--resume").returncode == 0
    assert (own / "summary.json").read_bytes() == before


def test_resuming_finds_results_by_content_and_keeps_the_others(drawn: Path, own: Path) -> None:
    top = own.parent / "more"
    (top / "b" / "a").mkdir(parents=True)
    shutil.copytree(drawn / "photos", top / "photos")
    shutil.copytree(drawn / "b" / "y", top / "b" / "y")
    (top / "b" / "a" / "img.jpg").write_bytes(encode(scene(53, SMALL), quality=70))
    done = run(
        "examine", top / "b/a/img.jpg", top / "b/y/img.jpg", "--among", drawn / "photos",
        "--out", own, "--quiet", "--resume",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = json.loads((own / "summary.json").read_text())["items"]
    assert len({r["sha256"] for r in rows}) == 3
    assert len({r["folder"] for r in rows}) == 3
    assert len(verify(own).items) == 3


def test_a_batch_that_gave_nothing_leaves_no_folder(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    done = run("examine", "none.jpg", "nor.jpg", "--among", tmp_path / "nowhere", "--out", out)
    assert done.returncode == 3
    assert not (tmp_path / "new").exists()


def test_a_tampered_item_is_not_resumed_and_not_hidden(drawn: Path, own: Path) -> None:
    report = own / "img.jpg.wholecloth" / "report.html"
    report.write_bytes(report.read_bytes() + b"x")
    done = examined(drawn, own, "--resume")
    assert done.returncode == 4
    assert "report.html" in done.stderr
    with pytest.raises(VerificationFailed, match=r"report\.html"):
        verify(own)
    assert examined(drawn, own, "--resume", "--replace").returncode == 0
    verify(own)


def test_other_candidates_are_not_passed_off_as_the_same(drawn: Path, own: Path) -> None:
    other = own.parent / "other"
    shutil.copytree(drawn / "photos", other)
    files = sorted((drawn / "b").glob("*/img.jpg"))
    done = run("examine", *files, "--among", other, "--out", own, "--quiet", "--resume")
    assert done.returncode == 3
    assert "other candidates" in done.stderr


def test_two_batches_at_once(drawn: Path, tmp_path: Path) -> None:
    files = [str(p) for p in sorted((drawn / "b").glob("*/img.jpg"))]
    command = [sys.executable, "-m", "wholecloth", "examine", *files, "--among"]
    command += [str(drawn / "photos"), "--out", str(tmp_path / "o"), "--quiet", "--resume"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    ends = [(p.communicate(timeout=60)[1], p.returncode) for p in both]
    assert 0 in [code for _, code in ends], ends
    for err, code in ends:
        assert code == 0 or "another run is writing" in err
    assert len(verify(tmp_path / "o").items) == 2


def test_a_forged_summary_does_not_fit_its_records(own: Path) -> None:
    rows = json.loads((own / "summary.json").read_text())["items"]
    for key, value in (("verdict", "edit"), ("outcome", "T0166.003"), ("sha256", "0" * 64)):
        forged = [rows[0] | {key: value}, *rows[1:]]
        (own / "summary.json").write_bytes(summary_bytes(forged))
        with pytest.raises(VerificationFailed, match=key):
            verify(own)
    for items in ([{}], [1], "x"):
        (own / "summary.json").write_bytes(summary_bytes(items))  # type: ignore[arg-type]
        with pytest.raises(VerificationFailed):
            verify(own)


def test_what_is_shown_is_what_is_checked(own: Path) -> None:
    """Good copies under hidden names must not vouch for forged files in plain sight."""
    item = own / "img.jpg.wholecloth"
    names = [p.name for p in item.iterdir()]
    for name in names:
        shutil.copy(item / name, item / f".new-{name}")
    (item / ".new-commit").write_text(json.dumps(names))
    (item / "report.html").write_text("<h1>T0166.003 asserted</h1>")
    with pytest.raises(VerificationFailed, match="cut short"):
        verify(item)
    (item / ".new-commit").unlink()
    with pytest.raises(VerificationFailed, match=r"report\.html"):
        verify(item)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes are POSIX")
@pytest.mark.parametrize("what", ["link", "dangling", "loop", "pipe", "folder"])
@pytest.mark.parametrize("name", ["record.json", "custody.jsonl", "report.html"])
def test_a_file_exchanged_for_something_else(own: Path, name: str, what: str) -> None:
    path = own / "img.jpg.wholecloth" / name
    data = path.read_bytes()
    path.unlink()
    if what == "link":
        (own.parent / "elsewhere").write_bytes(data)
        path.symlink_to(own.parent / "elsewhere")
    elif what == "dangling":
        path.symlink_to(own.parent / "nowhere")
    elif what == "loop":
        path.symlink_to(path)
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(VerificationFailed, match=name):
        verify(path.parent)


def test_the_cache_never_touches_a_folder_that_is_not_its_own(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir(mode=0o755)
    (mine / "notes.txt").write_text("precious")
    (mine / "features.sqlite").write_text("not a database")
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(mine))
    cleared = run("cache", "clear")
    assert cleared.returncode == 3
    assert "nothing was removed" in cleared.stderr
    one = drawn / "b" / "x" / "img.jpg"
    assert run("examine", one, "--among", drawn / "photos", "--out", tmp_path / "o").returncode == 0
    assert sorted(p.name for p in mine.iterdir()) == ["features.sqlite", "notes.txt"]
    assert (mine / "features.sqlite").read_text() == "not a database"
    assert mine.stat().st_mode & 0o777 == 0o755
    monkeypatch.setenv("WHOLECLOTH_CACHE", str(mine / "notes.txt"))
    assert run("cache", "clear").returncode == 3
    assert (mine / "notes.txt").read_text() == "precious"
    monkeypatch.setenv("WHOLECLOTH_CACHE", "relative")
    assert run("cache", "list", cwd=tmp_path).returncode == 0


@pytest.mark.parametrize(
    "args", [("signals", "--json"), ("doctor", "--json"), ("nonsense", "--json")]
)
@pytest.mark.parametrize("to", [">/dev/full", ">&-", "<&-"])
def test_streams_that_are_full_or_closed(args: tuple[str, ...], to: str) -> None:
    import shlex

    line = shlex.join([sys.executable, "-m", "wholecloth", *args])
    done = subprocess.run(
        ["bash", "-c", f"{line} {to}"], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.returncode in ((2,) if args[0] == "nonsense" else (0, 3))
    if to == ">/dev/full" and args[0] != "nonsense":
        assert done.returncode == 3
        assert "standard output" in done.stderr
