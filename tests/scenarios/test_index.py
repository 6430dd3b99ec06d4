"""The verbs of ``wholecloth index`` as a person uses them, from an empty folder to an erasure."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import signal
import stat
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from wholecloth.cli import main
from wholecloth.retrieval.index import keys
from wholecloth.testing.cases import draw_case
from wholecloth.testing.launder import Laundering, encode
from wholecloth.testing.scenes import scene

SIZE = (320, 240)
KEPT = ("--owner", "a hotline", "--purpose", "finding originals")
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Said:
    """What the program answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """One document and nothing else."""
        return json.loads(self.out)


def run(*args: object) -> Said:
    """The program as it is started, with its exit codes, in this process: it is started often."""
    out, err, argv = io.StringIO(), io.StringIO(), sys.argv
    handlers = [(s, signal.getsignal(s)) for s in _SIGNALS]
    sys.argv = ["wholecloth", *map(str, args)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main.run()
    except SystemExit as done:
        return Said(int(done.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = argv
        for number, handler in handlers:
            signal.signal(number, handler)


def did(*args: object) -> Said:
    """The same, where nothing may go wrong."""
    said = run(*args)
    assert said.code == 0, said.out + said.err
    return said


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def drawn(seed: int) -> bytes:
    return encode(scene(seed, SIZE))


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_bytes().splitlines()]


def everything(folder: Path) -> bytes:
    return b"".join(p.read_bytes() for p in folder.iterdir())


def make(folder: Path, *paths: Path, how: tuple[object, ...] = ()) -> Path:
    """An index of these pictures."""
    did("index", "create", folder, *KEPT, *how)
    if paths:
        did("index", "add", folder, *paths, "--jobs", 1, "--quiet")
    return folder


def ask(folder: Path, *args: object) -> list[dict[str, Any]]:
    rows = did("index", "find", folder, *args, "--json").json
    assert isinstance(rows, list)
    return rows


@dataclass(frozen=True)
class Ground:
    """Photographs, pictures to ask for, and an index that no test changes."""

    photos: Path
    asked: Path
    index: Path

    @property
    def original(self) -> Path:
        return self.photos / "original.jpg"

    @property
    def edit(self) -> Path:
        """Of the original: another scene in its middle, cropped, mirrored, smaller, saved again."""
        return self.asked / "edit.jpg"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    top = tmp_path_factory.mktemp("index")
    photos, asked = top / "photos", top / "asked"
    (photos / "deeper").mkdir(parents=True)
    asked.mkdir()
    chain = Laundering(crop=(0.05, 0.05, 0.95, 0.9), mirror=True, scale=0.9, qualities=(80,))
    case = draw_case(41, "splice", chain, size=(480, 360))
    (photos / "original.jpg").write_bytes(case.original)
    for seed in (901, 902):
        (photos / f"{seed}.jpg").write_bytes(drawn(seed))
    (photos / "deeper" / "903.jpg").write_bytes(drawn(903))
    (asked / "edit.jpg").write_bytes(case.published)
    (asked / "unrelated.jpg").write_bytes(drawn(990))
    return Ground(photos, asked, make(top / "made", photos))


@pytest.fixture
def index(ground: Ground, tmp_path: Path) -> Path:
    """A copy of the index, to be changed."""
    return Path(shutil.copytree(ground.index, tmp_path / "index"))


# -- create --------------------------------------------------------------------------------


def test_owner_and_purpose_are_stated(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    assert run("index", "create", folder).code == 2
    said = run("index", "create", folder, "--owner", "a hotline")
    assert (said.code, "--purpose" in said.err) == (2, True)
    said = run("index", "create", folder, "--owner", " ", "--purpose", "finding originals")
    assert (said.code, "give --owner" in said.err) == (3, True)
    assert not folder.exists()
    made = did("index", "create", folder, *KEPT, "--json").json["index"]
    assert (made["owner"], made["purpose"]) == ("a hotline", "finding originals")
    assert log(folder)[0]["action"] == "created"


def test_nobody_else_can_open_it(index: Path) -> None:
    assert stat.S_IMODE(index.stat().st_mode) == 0o700
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in index.iterdir()}
    assert set(modes) > {"key", "log.jsonl", "manifest.sqlite"}
    assert set(modes.values()) == {0o600}, modes


def test_a_folder_that_holds_something_is_refused(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (ground.photos, ground.index, tmp_path / "file"):
        before = sorted(folder.rglob("*"))
        said = run("index", "create", folder, *KEPT)
        assert (said.code, "new folder" in said.err) == (3, True)
        assert sorted(folder.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    did("index", "create", tmp_path / "empty", *KEPT)


# -- add -----------------------------------------------------------------------------------


def test_a_bad_file_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.jpg").write_bytes(drawn(1))
    (photos / "broken.jpg").write_bytes(drawn(2)[:3000])
    (photos / "notes.txt").write_text("not a picture")
    folder = make(tmp_path / "index")
    first = did("index", "add", folder, photos, "--jobs", 1, "--json").json
    assert (first["added"], first["known"], first["left_out"]) == (1, 0, 1)
    assert [(Path(u["name"]).name, bool(u["reason"])) for u in first["unread"]] == [
        ("broken.jpg", True)
    ]
    again = did("index", "add", folder, photos, "--jobs", 1)
    assert "0 added, 1 known already, 1 not read" in again.out
    assert "broken.jpg" in again.out
    (photos / "broken.jpg").write_bytes(drawn(2))
    assert did("index", "add", folder, photos, "--json").json["added"] == 1
    assert did("index", "stats", folder, "--json").json["refused"] == 1  # the text


def test_a_second_name_and_a_changed_file(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    one, two = photos / "one.jpg", photos / "two.jpg"
    one.write_bytes(drawn(1))
    (photos / "other.jpg").write_bytes(drawn(7))
    folder = make(tmp_path / "index", photos)
    two.write_bytes(one.read_bytes())
    row = did("index", "add", folder, photos, "--json").json
    assert (row["added"], row["known"]) == (0, 3)
    said = did("index", "find", folder, two, "--reveal", "a test", "--quiet").out
    assert str(one) in said
    assert str(two) in said

    one.write_bytes(drawn(3))
    row = did("index", "add", folder, photos, "--json").json
    assert (row["added"], row["known"]) == (1, 2)
    ((new,), (old,)) = (r["results"] for r in ask(folder, one, two, "--reveal", "a test"))
    assert (new["path"], old["path"]) == (str(one), str(two))
    assert did("index", "stats", folder, "--json").json["pictures"] == 3


def test_lists(ground: Ground, tmp_path: Path) -> None:
    folder = make(tmp_path / "index")
    relative = os.path.relpath(ground.photos / "901.jpg", tmp_path)
    (tmp_path / "plain.txt").write_text(f"{relative}\n\n{ground.original}\n")
    (tmp_path / "rows.jsonl").write_text(json.dumps({"path": str(ground.photos / "902.jpg")}))
    lists = ("--list", tmp_path / "plain.txt", "--list", tmp_path / "rows.jsonl")
    assert did("index", "add", folder, *lists, "--json").json["added"] == 3
    (tmp_path / "bad.jsonl").write_text('{"name": "901.jpg"}\n')
    for name in ("bad.jsonl", "none.txt"):
        said = run("index", "add", folder, "--list", tmp_path / name)
        assert (said.code, name in said.err) == (3, True)


# -- find ----------------------------------------------------------------------------------


def test_the_answer_is_a_list_of_digests_and_verdicts(ground: Ground) -> None:
    """An exact copy, an edit, an unrelated picture."""
    same, edit, unrelated = ask(
        ground.index, ground.original, ground.edit, ground.asked / "unrelated.jpg"
    )
    assert same["query_sha256"] == sha256(ground.original)
    assert edit["query_sha256"] == sha256(ground.edit)
    assert (same["verdict"], edit["verdict"]) == ("same_photo", "same_photo")
    for row in (same, edit):
        best = row["results"][0]
        assert (best["sha256"], best["verdict"]) == (sha256(ground.original), "same_photo")
        assert best["path"] is None
        assert row["index"]["owner"] == "a hotline"
        assert row["index"]["purpose"] == "finding originals"
    assert same["results"][0]["share"] == 1
    assert 0.5 < edit["results"][0]["share"] < 0.9  # the rest is what was put in
    assert (unrelated["verdict"], unrelated["results"]) == ("no_match", [])


def test_in_words(ground: Ground) -> None:
    said = did("index", "find", ground.index, ground.edit).out
    assert "kept by a hotline for: finding originals" in said
    assert f"{sha256(ground.original)[:16]}  same_photo" in said
    assert "original.jpg" not in said


def test_a_folder_is_asked_and_what_cannot_be_read_is_named(ground: Ground, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    asked.mkdir()
    (asked / "1-broken.jpg").write_bytes(drawn(1)[:3000])
    shutil.copy(ground.edit, asked / "2-edit.jpg")
    (asked / "notes.txt").write_text("not a picture")
    broken, edit, missing = ask(ground.index, asked, tmp_path / "none.jpg")
    for row, name in ((broken, "1-broken.jpg"), (missing, "none.jpg")):
        assert (row["query_sha256"], row["verdict"], row["results"]) == (None, None, [])
        assert row["error"]["item"].endswith(name)
        assert row["error"]["reason"]
    assert edit["verdict"] == "same_photo"
    said = run("index", "find", ground.index, tmp_path / "none.jpg", "--json")
    assert (said.code, len(said.json)) == (3, 1)  # nothing was asked


def test_paths_are_shown_for_a_reason_that_is_logged_first(
    ground: Ground, index: Path, tmp_path: Path
) -> None:
    (row,) = ask(index, ground.edit, "--reveal", "report 7")
    assert row["results"][0]["path"] == str(ground.original)
    shown, asked = log(index)[-2:]
    assert (shown["action"], shown["detail"]) == ("names_shown", {"reason": "report 7"})
    assert (asked["action"], asked["detail"]) == ("asked", {"verdict": "same_photo"})
    written = (index / "log.jsonl").read_text()
    assert sha256(ground.edit) not in written  # which pictures were asked for is not to be read
    assert sha256(ground.original) not in written
    assert run("index", "find", index, ground.edit, "--reveal", " ").code == 2

    (tmp_path / "file").write_text("in the way")
    nowhere = tmp_path / "file" / "log.jsonl"
    said = run("index", "find", index, ground.edit, "--reveal", "report 7", "--log", nowhere)
    assert said.code == 3
    assert str(ground.original) not in said.out + said.err
    elsewhere = tmp_path / "log.jsonl"
    before = len(log(index))
    ask(index, ground.edit, "--reveal", "report 8", "--log", elsewhere)
    assert [e["action"] for e in log(tmp_path)] == ["names_shown", "asked"]
    assert len(log(index)) == before


@pytest.mark.parametrize("becomes", ["gone", "no picture", "another picture"])
def test_a_photograph_that_is_not_there_any_more_gives_no_verdict(
    ground: Ground, tmp_path: Path, becomes: str
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(ground.photos, photos)
    folder = make(tmp_path / "index", photos)
    original = photos / "original.jpg"
    if becomes == "gone":
        original.unlink()
    else:
        original.write_bytes(drawn(950) if becomes == "another picture" else b"lost")
    (row,) = ask(folder, ground.edit)
    assert sha256(ground.original) not in {r["sha256"] for r in row["results"]}
    assert sha256(ground.original) in {n["sha256"] for n in row["not_verified"]}
    assert any("could not be compared" in line for line in row["reach"])
    # Its own bytes are known without it.
    (same,) = ask(folder, ground.original)
    assert same["results"][0]["sha256"] == sha256(ground.original)


GROUP = (3000, 6000)
"""Two frames of 1800 × 1200 in which 24 things stand side by side."""
CUT = ((1, 2), (2, 3))
"""Rows and columns of things that the first tier has next to nothing of (300 features a frame)."""


def test_one_thing_cut_out_of_a_large_frame_needs_the_detail_tier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Signatures are drawn anew for every index, and with some of them a word in common by chance
    # lists the frame in the first tier too; so both indexes have one secret that is held.
    monkeypatch.setattr(keys, "secrets", SimpleNamespace(token_bytes=lambda n: bytes(range(n))))
    photos = tmp_path / "photos"
    photos.mkdir()
    for seed in GROUP:
        things = [[scene(seed + 10 * y + x, (300, 300)) for x in range(6)] for y in range(4)]
        whole = np.vstack([np.hstack(row) for row in things])
        (photos / f"group-{seed}.jpg").write_bytes(encode(whole, quality=92))
    for seed in (911, 912, 913):
        (photos / f"{seed}.jpg").write_bytes(encode(scene(seed, (200, 150))))
    asked = []
    for y, x in CUT:
        thing = scene(GROUP[0] + 10 * y + x, (300, 300)).copy()
        thing[100:200, 110:190] = scene(9999, (80, 100))
        asked.append(tmp_path / f"cut-{y}{x}.jpg")
        asked[-1].write_bytes(encode(np.ascontiguousarray(thing[:, ::-1]), quality=80))

    detailed = make(tmp_path / "detailed", photos)
    coarse = make(tmp_path / "coarse")
    did("index", "add", coarse, photos, "--no-detail", "--quiet")
    held = did("index", "stats", detailed, "--json").json["tiers"]
    assert (held["first"]["pictures"], held["detail"]["pictures"]) == (5, 2)
    assert did("index", "stats", coarse, "--json").json["tiers"]["detail"]["pictures"] == 0

    frame = sha256(photos / f"group-{GROUP[0]}.jpg")
    for row in ask(detailed, *asked):
        assert (row["verdict"], row["results"][0]["sha256"]) == ("same_photo", frame)
    for row in ask(coarse, *asked):
        assert (row["verdict"], row["results"]) == ("no_match", [])


# -- erase, allow --------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["path", "folder", "sha256"])
def test_what_is_erased_is_not_found_and_does_not_come_back(
    ground: Ground, index: Path, by: str
) -> None:
    photo = ground.photos / "deeper" / "903.jpg"
    digest = sha256(photo)
    assert ask(index, photo)[0]["results"][0]["sha256"] == digest
    traces = (bytes.fromhex(digest), b"903.jpg")
    assert all(trace in everything(index) for trace in traces)
    named = {"path": photo, "folder": photo.parent, "sha256": digest}[by]
    said = run("index", "erase", index, named, ground.photos / "none.jpg", "--json")
    assert said.code == 3  # one of the two is not in the index
    assert said.json == {"erased": 1, "not_found": [str(ground.photos / "none.jpg")]}
    (row,) = ask(index, photo)
    assert (row["verdict"], row["results"], row["of"]) == ("no_match", [], 3)
    assert not any(trace in everything(index) for trace in traces)

    again = did("index", "add", index, ground.photos, "--json").json
    assert (again["added"], again["denied"], again["known"]) == (0, 1, 3)
    assert ask(index, photo)[0]["verdict"] == "no_match"
    assert "1 allowed" in did("index", "allow", index, digest).out
    assert did("index", "add", index, ground.photos, "--json").json["added"] == 1
    assert ask(index, photo)[0]["verdict"] == "same_photo"
    assert [e["action"] for e in log(index) if e["action"] in ("erased", "allowed")] == [
        "erased", "allowed",
    ]  # fmt: skip


# -- verify, stats, compact, merge ---------------------------------------------------------


def test_verify_names_what_was_changed(index: Path) -> None:
    assert "holds: 4 pictures" in did("index", "verify", index).out
    assert did("index", "verify", index, "--json").json == {
        "holds": True, "pictures": 4, "damage": [],
    }  # fmt: skip
    segment = next(index.glob("segment-*"))
    body = bytearray(segment.read_bytes())
    body[len(body) // 2] ^= 1
    segment.write_bytes(body)
    said = run("index", "verify", index)
    assert (said.code, segment.name in said.out) == (4, True)
    assert "restore" in said.err
    said = run("index", "verify", index, "--json")
    assert said.code == 4
    assert not said.json["holds"]
    assert segment.name in said.json["damage"][0]


def test_verify_reads_the_log_too(ground: Ground, index: Path) -> None:
    ask(index, ground.original)
    path = index / "log.jsonl"
    path.write_text(path.read_text().replace("same_photo", "no_match  "))
    said = run("index", "verify", index)
    assert (said.code, "log.jsonl" in said.out) == (4, True)


def test_stats_and_compact(ground: Ground, tmp_path: Path) -> None:
    folder = make(tmp_path / "index", ground.photos / "901.jpg")
    did("index", "add", folder, ground.photos, "--quiet")
    before = did("index", "stats", folder, "--json").json
    assert (before["pictures"], before["places"], before["segments"]) == (4, 4, 2)
    assert before["about"]["owner"] == "a hotline"
    segments = sum(p.stat().st_size for p in folder.glob("segment-*"))
    assert before["bytes"] - before["manifest_bytes"] == segments
    assert sum(tier["bytes"] for tier in before["tiers"].values()) <= segments
    assert did("index", "compact", folder, "--json").json == {"joined": 2}
    assert did("index", "compact", folder, "--json").json == {"joined": 0}
    said = did("index", "stats", folder).out
    assert "4 in 1 segments" in said
    assert ask(folder, ground.edit)[0]["verdict"] == "same_photo"
    assert did("index", "verify", folder).code == 0


def test_shards_with_one_secret_merge(ground: Ground, tmp_path: Path) -> None:
    whole = make(tmp_path / "whole", ground.photos / "901.jpg")
    shard = make(tmp_path / "shard", ground.photos, how=("--like", whole))
    did("index", "erase", shard, ground.photos / "902.jpg")
    assert did("index", "merge", whole, shard, "--json").json == {"merged": 2}
    assert did("index", "merge", whole, shard, "--json").json == {"merged": 0}
    (row,) = ask(whole, ground.edit, "--reveal", "a test")
    assert row["results"][0]["path"] == str(ground.original)
    # What a shard has erased stays out.
    assert did("index", "add", whole, ground.photos, "--json").json["denied"] == 1
    said = run("index", "merge", whole, ground.index)
    assert (said.code, "--like" in said.err) == (3, True)
    assert did("index", "stats", whole, "--json").json["pictures"] == 3


# -- who may ask ---------------------------------------------------------------------------


def test_a_vault_key_is_needed(ground: Ground, tmp_path: Path) -> None:
    key = tmp_path / "vault.key"
    folder = make(tmp_path / "index", how=("--vault", key))
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    did("index", "add", folder, ground.photos, "--vault", key, "--quiet")
    assert ask(folder, ground.edit, "--vault", key)[0]["verdict"] == "same_photo"
    for verb, *args in (("find", ground.edit), ("stats",), ("add", ground.photos), ("verify",)):
        said = run("index", verb, folder, *args)
        assert (said.code, "--vault FILE" in said.err) == (3, True), verb
    (tmp_path / "other.key").write_bytes(bytes(32))
    said = run("index", "find", folder, ground.edit, "--vault", tmp_path / "other.key")
    assert (said.code, "another key" in said.err) == (3, True)
    (tmp_path / "short.key").write_bytes(b"short")
    for name in ("short.key", "none.key"):
        said = run("index", "find", folder, ground.edit, "--vault", tmp_path / name)
        assert (said.code, name in said.err) == (3, True)
    assert not (tmp_path / "none.key").exists()


def test_only_who_is_named_may_ask(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "index", ground.photos, how=("--may-ask", "analyst 2"))
    for name in ("", "analyst 3"):
        monkeypatch.setenv("WHOLECLOTH_ACTOR", name)
        said = run("index", "find", folder, ground.original)
        assert (said.code, "WHOLECLOTH_ACTOR" in said.err) == (3, True)
        assert "same_photo" not in said.out
        said = run("find-copies", ground.original, "--in", folder, "--quiet")
        assert (said.code, "WHOLECLOTH_ACTOR" in said.err) == (3, True)
    monkeypatch.setenv("WHOLECLOTH_ACTOR", "analyst 2")
    assert ask(folder, ground.original)[0]["verdict"] == "same_photo"
    asked = [e for e in log(folder) if e["action"] == "asked"]
    assert [e["by"]["who"] for e in asked] == ["analyst 2"]


def test_so_many_questions_an_hour(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "index", ground.photos, how=("--per-hour", 2))
    monkeypatch.setenv("WHOLECLOTH_ACTOR", "analyst 2")
    three = (ground.original, ground.photos / "901.jpg", ground.photos / "902.jpg")
    said = run("index", "find", folder, *three)
    assert (said.code, "2 questions an hour are the limit" in said.out) == (0, True)
    lines = [line for line in said.out.splitlines() if line[:1] == "Q"]
    assert ["not asked" in line or "was not asked" in line for line in lines] == [
        False,
        False,
        True,
    ]
    assert run("index", "find", folder, ground.original).code == 3
    monkeypatch.setenv("WHOLECLOTH_ACTOR", "analyst 3")
    assert len(ask(folder, *three[:2])) == 2


def test_a_doubt_about_age_opens_and_keeps_nothing(ground: Ground, index: Path) -> None:
    before = {p.name: p.read_bytes() for p in index.iterdir()}
    said = run("index", "find", index, ground.edit, "--age-doubt")
    assert (said.code, "inhope.org" in said.out) == (3, True)
    assert "same_photo" not in said.out
    said = run("index", "find", index, ground.edit, "--age-doubt", "--json")
    assert (said.code, "inhope.org" in said.json["error"]["remedy"]) == (3, True)
    assert {p.name: p.read_bytes() for p in index.iterdir()} == before


# -- wrong arguments -----------------------------------------------------------------------


def test_wrong_arguments(ground: Ground, index: Path, tmp_path: Path) -> None:
    wrong: tuple[tuple[object, ...], ...] = (
        ("find", index), ("add", index), ("erase", index), ("allow", index), ("merge", index),
        ("add", index, ground.photos, "--jobs", 0), ("nothing", index), (),
        ("create", tmp_path / "new", *KEPT, "--per-hour", -1),
    )  # fmt: skip
    for args in wrong:
        assert run("index", *args).code == 2, args
    none = tmp_path / "none"
    refused: tuple[tuple[object, ...], ...] = (
        ("find", none, ground.edit), ("find", ground.photos, ground.edit), ("stats", none),
        ("add", index, none), ("merge", index, none), ("allow", index, "no digest"),
        ("create", tmp_path / "new", *KEPT, "--like", none),
    )  # fmt: skip
    for args in refused:
        said = run("index", *args)
        assert said.code == 3, args
        assert " - " in said.err, args  # the remedy
    assert not none.exists()
    assert not (tmp_path / "new").exists()
    said = run("index", "find", none, ground.edit, "--json")
    assert (said.code, said.json["error"]["item"]) == (3, str(none))


def test_empty_folders_and_an_empty_index(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    folder = make(tmp_path / "index")
    row = did("index", "add", folder, tmp_path / "empty", "--json").json
    assert (row["added"], row["unread"]) == (0, [])
    said = run("index", "find", folder, tmp_path / "empty")
    assert (said.code, "holds no picture" in said.err) == (3, True)
    (answer,) = ask(folder, ground.edit)
    assert (answer["verdict"], answer["of"]) == ("no_match", 0)
    assert did("index", "verify", folder).code == 0
    assert did("index", "stats", folder, "--json").json["pictures"] == 0


def test_the_only_photograph_of_an_index_is_found(ground: Ground, tmp_path: Path) -> None:
    folder = make(tmp_path / "index", ground.original)
    assert ask(folder, ground.edit)[0]["verdict"] == "same_photo"


# -- find-copies ---------------------------------------------------------------------------


def test_find_copies_works_on_an_index(ground: Ground, tmp_path: Path) -> None:
    folder = make(tmp_path / "posts", ground.asked, ground.photos / "901.jpg")
    record = did("find-copies", ground.original, "--in", folder, "--json").json
    (about,) = record["indexes"]
    assert (about["owner"], about["pictures"]) == ("a hotline", 3)
    matched = {r["sha256"] for r in record["items"] if r["verdict"] == "edit"}
    assert matched == {sha256(ground.edit)}
    assert log(folder)[-1]["action"] == "asked"
    # Beside files, each once.
    both = did("find-copies", ground.original, "--in", folder, ground.asked, "--json").json
    digests = [r["sha256"] for r in both["items"]]
    assert len(digests) == len(set(digests))
    assert {r["sha256"] for r in both["items"] if r["verdict"] == "edit"} == matched


def test_find_copies_names_what_it_cannot_read_of_an_index(ground: Ground, tmp_path: Path) -> None:
    posts = tmp_path / "posts"
    shutil.copytree(ground.photos, posts)
    folder = make(tmp_path / "index", posts)
    (posts / "original.jpg").unlink()
    record = did("find-copies", ground.original, "--in", folder, "--json").json
    assert record["indexes"][0]["pictures"] == 4
    row = record["indexes"][0]
    assert (row["gone"], row["holds_original"]) == (1, True)


@pytest.fixture(autouse=True)
def _nobody_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHOLECLOTH_ACTOR", raising=False)
