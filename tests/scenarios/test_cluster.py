"""An index with its postings in a cluster: same answers, real erasure, no half answers."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from wholecloth import indexes
from wholecloth.errors import (
    AgeDoubt,
    IndexDamaged,
    IndexRefused,
    OutputRefused,
    VerificationFailed,
)
from wholecloth.model.media import RGB
from wholecloth.retrieval.clickhouse import Address, ClickHouse, schema
from wholecloth.retrieval.clickhouse.address import PASSWORD
from wholecloth.retrieval.clickhouse.client import connect, told
from wholecloth.retrieval.index import Index, upkeep
from wholecloth.retrieval.index.adding import add
from wholecloth.retrieval.postings import Kept
from wholecloth.retrieval.score import Asked
from wholecloth.retrieval.selection import ASKED_DETAIL
from wholecloth.retrieval.vocabulary import Coded
from wholecloth.testing.clickhouse import DATABASE, USER, Server, holds
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

pytest.importorskip("chdb", reason="chdb-core is not installed")

DEPLOY = Path(__file__).parents[2] / "deploy/clickhouse"
ABOUT = {"owner": "tests", "purpose": "scenario"}
MARKER = bytes.fromhex("c0ffee1189abcdef")
"""Half a signature that no other posting has."""


@pytest.fixture(scope="module")
def server(loopback: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PASSWORD, "for the tests")
        with Server(tmp_path_factory.mktemp("server"), "for the tests") as one:
            yield one


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for seed in range(6):
        (folder / f"{seed}.jpg").write_bytes(encode(scene(seed, (480, 360)), "JPEG", 88))
    return folder


def edited(seed: int) -> RGB:
    """A crop with its middle replaced."""
    pixels = scene(seed, (480, 360))[30:330, 40:440].copy()
    pixels[90:210, 140:260] = scene(90 + seed, (120, 120))
    return pixels


def at(server: Server, database: str) -> str:
    return server.address.replace(f"/{DATABASE}", f"/{database}")


def ranked(index: Index) -> list[list[tuple[int, float]]]:
    return [[(r.image, r.score) for r in index.rank(edited(seed))] for seed in range(6)]


def test_the_same_answers_as_from_a_folder(
    loopback: None, server: Server, photographs: Path, tmp_path: Path
) -> None:
    local = Index.create(tmp_path / "local", **ABOUT)
    remote = Index.create(tmp_path / "remote", **ABOUT, like=local, postings=at(server, "same"))
    assert add(local, [photographs]).added == add(remote, [photographs]).added == 6
    assert ranked(remote) == ranked(local)
    assert [found[0][0] for found in ranked(remote)] == [1, 2, 3, 4, 5, 6]
    assert remote.reposts(scene(2, (480, 360))) == (3,)
    assert add(remote, [photographs]).known == 6
    assert list(upkeep.damage(remote)) == []
    with Index.open(tmp_path / "remote") as again:
        assert again.about.postings == at(server, "same")
        assert ranked(again) == ranked(local)


def test_erasing_leaves_no_byte_after_the_wait(
    loopback: None, server: Server, tmp_path: Path
) -> None:
    rng = np.random.default_rng(1)
    store = ClickHouse(Address.parse(at(server, "erasing")), "scan")
    store.prepare()
    kept = []
    for image in range(1, 301):
        signatures = rng.integers(0, 2**64, (100, 2), dtype=np.uint64)
        if image == 123:
            signatures[:, 0] = np.frombuffer(MARKER, "<u8")[0]
        coded = Coded(rng.integers(0, 65536, 100).astype(np.uint16), signatures)
        pdq = MARKER * 4 if image == 123 else rng.bytes(32)
        kept.append(Kept(image, coded, coded if image == 123 else None, pdq))
    store.add(kept)
    assert holds(server.folder, MARKER) >= 204  # two tiers and the PDQ, more while parts merge
    store.erase([123])
    start = time.monotonic()
    store.wait_erased()
    assert holds(server.folder, MARKER) == 0
    assert time.monotonic() - start < 30  # documented: some five seconds
    assert store.pictures("first") == 299
    store.close()


NUMBERS = (1, 2, 1048576, 1048577)
"""Two of one partition and two of the next."""


def test_an_erasure_leaves_other_partitions_as_they_are(
    loopback: None, server: Server, tmp_path: Path
) -> None:
    """Or erasing one picture of a billion would write the whole shard anew."""
    store = ClickHouse(Address.parse(at(server, "partitions")), "partitions")
    store.prepare()
    mark = {image: hashlib.sha256(bytes([i])).digest()[:8] for i, image in enumerate(NUMBERS)}
    for image in NUMBERS:
        signatures = np.frombuffer(mark[image] * 100, "<u8").reshape(-1, 2)
        coded = Coded(np.arange(50, dtype=np.uint16), signatures)
        store.add([Kept(image, coded, None, bytes(32))])
    for shard in store.shards():
        shard.client.command("OPTIMIZE TABLE postings FINAL")
    store.wait_erased()
    before = {image: inodes_with(server.folder, mark[image]) for image in NUMBERS}
    assert [len(found) for found in before.values()] == [1, 1, 1, 1]
    store.erase([1])
    store.wait_erased()
    assert inodes_with(server.folder, mark[1]) == set()
    assert inodes_with(server.folder, mark[2]).isdisjoint(before[2])  # written anew
    assert inodes_with(server.folder, mark[1048577]) == before[1048577]  # linked
    store.close()


def inodes_with(folder: Path, body: bytes) -> set[int]:
    found = set()
    for path in folder.rglob("*.bin"):
        with contextlib.suppress(FileNotFoundError):
            if body in path.read_bytes():
                found.add(path.stat().st_ino)
    return found


def test_a_part_set_aside_is_not_called_erased(
    loopback: None, server: Server, tmp_path: Path
) -> None:
    address = Address.parse(at(server, "aside"))
    store = ClickHouse(address, "aside")
    store.prepare()
    coded = Coded(np.arange(9, dtype=np.uint16), np.full((9, 2), 7, np.uint64))
    store.add([Kept(1, coded, None, MARKER * 4)])
    client = connect(address, address.hosts[0])
    (part,) = client.query(
        "SELECT name FROM system.parts WHERE database = 'aside' AND table = 'pictures' AND active"
    ).result_columns[0]
    client.command(f"ALTER TABLE pictures DETACH PART '{part}'")
    store.erase([1])
    with pytest.raises(VerificationFailed, match="detached parts") as caught:
        store.wait_erased()
    assert "DROP DETACHED PART" in caught.value.remedy
    client.close()
    store.close()


def test_what_a_stopped_writer_left_is_never_found_and_goes(
    loopback: None,
    server: Server,
    photographs: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index = Index.create(tmp_path / "index", **ABOUT, postings=at(server, "stopped"))
    with monkeypatch.context() as patch:

        def full(*_: object) -> None:
            raise OutputRefused("manifest", "cannot be written", "")

        patch.setattr(index.manifest, "put_image", full)
        with pytest.raises(OutputRefused):
            add(index, [photographs])
    assert index.cluster is not None
    assert index.cluster.pictures("first") == 6
    assert len(index) == 0
    assert ranked(index) == [[]] * 6
    assert any("6 picture(s) left by a stopped writer" in line for line in upkeep.damage(index))

    assert add(index, [photographs]).added == 6
    assert min(found[0][0] for found in ranked(index)) == 7  # no number is given twice
    upkeep.compact(index)
    assert index.cluster.pictures("first") == 6
    assert list(upkeep.damage(index)) == []

    # A manifest restored from an older copy would give numbers anew.
    with index.manifest.change():
        index.manifest.set("next", 7)
        index.manifest.forget(12)
    with pytest.raises(IndexDamaged, match="already holds a picture"):
        add(index, [photographs])


def test_a_doubt_about_age_leaves_nothing(
    loopback: None, server: Server, photographs: Path, tmp_path: Path
) -> None:
    index = Index.create(tmp_path / "index", **ABOUT, postings=at(server, "doubt"))
    files = sorted(photographs.iterdir())
    indexes.add(index, files[:2])
    assert index.cluster is not None

    def doubt(_: str, done: int, of: int) -> None:
        if done == of:
            raise AgeDoubt("3.jpg", "doubt about age", "")

    with pytest.raises(AgeDoubt):
        indexes.add(index, files[2:], progress=doubt)
    assert index.cluster.between(0, 100).tolist() == [1, 2]
    assert list(upkeep.damage(index)) == []
    index.close()


def test_a_lost_shard_gives_no_answer_and_is_filled_again(
    loopback: None, server: Server, photographs: Path, tmp_path: Path
) -> None:
    with Server(tmp_path / "second", "for the tests") as second:
        both = at(server, "lost").replace(server.host, f"{server.host},{second.host}")
        index = Index.create(tmp_path / "index", **ABOUT, postings=both)
        add(index, [photographs])
        before = ranked(index)
        assert all(before)
        second.kill()
        with pytest.raises(IndexRefused, match="does not do what was asked") as caught:
            index.rank(edited(1))
        assert "all its shards or not at all" in caught.value.remedy
        index.close()
    with Server(tmp_path / "third", "for the tests") as third:
        now = at(server, "lost").replace(server.host, f"{server.host},{third.host}")
        index = Index.open(tmp_path / "index")
        with pytest.raises(IndexRefused, match="does not do what was asked"):
            upkeep.move(index, now)
        upkeep.move(index, now, lost=True)
        index.close()
        index = Index.open(tmp_path / "index")
        assert any("have no postings" in line for line in upkeep.damage(index))
        lost = upkeep.forget_missing(index)
        assert 0 < lost < 6
        assert add(index, [photographs]).added == lost
        found = [[score for _, score in each] for each in ranked(index)]
        assert found == [[score for _, score in each] for each in before]
        index.close()


def test_a_shard_is_added_and_none_is_left_out(
    loopback: None, server: Server, photographs: Path, tmp_path: Path
) -> None:
    one = at(server, "grown")
    index = Index.create(tmp_path / "index", **ABOUT, postings=one)
    files = sorted(photographs.iterdir())
    add(index, files[:4])
    with Server(tmp_path / "second", "for the tests") as second:
        both = one.replace(server.host, f"{server.host},{second.host}")
        upkeep.move(index, both)
        index.close()
        index = Index.open(tmp_path / "index")
        add(index, files)
        shards = upkeep.stats(index)["shards"]
        assert [s["pictures"] for s in shards] == [5, 1]
        assert [found[0][0] for found in ranked(index)] == [1, 2, 3, 4, 5, 6]
        with pytest.raises(IndexRefused, match="leaves out shard"):
            upkeep.move(index, one)
        index.close()


def test_whose_database_it_is(loopback: None, server: Server, tmp_path: Path) -> None:
    address = Address.parse(at(server, "whose"))
    client = connect(address, address.hosts[0])
    mine = Index.create(tmp_path / "mine", **ABOUT, postings=address.text)
    # Making an index that was stopped half-way may be repeated while nothing is in it.
    Index.create(tmp_path / "again", **ABOUT, postings=address.text)
    with pytest.raises(IndexRefused, match="does not hold index"):
        mine.rank(edited(1))
    client.command("INSERT INTO pictures VALUES (1, 1, 0, 0, 0, 0, 0)")
    with pytest.raises(IndexRefused, match="belongs to index"):
        Index.create(tmp_path / "third", **ABOUT, postings=address.text)
    assert not (tmp_path / "third").exists()

    client.command(
        "ALTER TABLE about UPDATE value = '2' WHERE key = 'schema' SETTINGS mutations_sync = 2"
    )
    with pytest.raises(IndexRefused, match="has schema 2; this version knows up to 1"):
        Index.open(tmp_path / "again").rank(edited(1))

    client.command("DROP TABLE about")
    client.command("CREATE TABLE visits (x UInt8) ENGINE = MergeTree ORDER BY x")
    with pytest.raises(IndexRefused, match="holds tables that are not an index's"):
        Index.create(tmp_path / "fourth", **ABOUT, postings=address.text)
    client.close()


def test_a_server_named_twice(loopback: None, server: Server, tmp_path: Path) -> None:
    twice = at(server, "twice").replace(server.host, f"{server.host},localhost:{server.port}")
    index = Index.create(tmp_path / "index", **ABOUT, postings=twice)
    with pytest.raises(IndexRefused, match="is the same server as"):
        index.rank(edited(1))


def test_a_wrong_password_leaves_nothing_behind(
    loopback: None, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "another one")
    with pytest.raises(IndexRefused, match="does not do what was asked") as caught:
        Index.create(tmp_path / "index", **ABOUT, postings=server.address)
    assert PASSWORD in caught.value.remedy
    assert "another one" not in str(caught.value)
    assert not (tmp_path / "index").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("clickhouse://user:secret@host/db", "holds a password"),
        ("http://host/db", "is no address"),
        ("clickhouse://host", "is no address"),
        ("clickhouse://host/db; DROP TABLE x", "is no address"),
        ("clickhouse://ho st/db", "cannot be read"),
        ("clickhouse://host:99999/db", "cannot be read"),
        ("clickhouse://host:1,host:1/db", "names a host twice"),
    ],
)
def test_addresses_that_are_refused(text: str, reason: str) -> None:
    with pytest.raises(IndexRefused, match=reason) as caught:
        Address.parse(text)
    assert "secret" not in f"{caught.value} {caught.value.remedy}"


def test_only_this_machine_is_spoken_to_in_the_open() -> None:
    address = Address.parse(f"clickhouse://{USER}@localhost,[::1]:9,shard-1.example,h:8123/w")
    assert [(str(h), h.tls) for h in address.hosts] == [
        ("localhost:8123", False),
        ("::1:9", False),
        ("shard-1.example:8443", True),
        ("h:8123", True),
    ]


def test_a_vault_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexRefused, match="stay readable"):
        Index.create(
            tmp_path / "index", **ABOUT, vault=tmp_path / "key", postings="clickhouse://localhost/w"
        )
    assert list(tmp_path.iterdir()) == []


def test_the_longest_question_fits_into_what_a_server_takes(loopback: None, server: Server) -> None:
    store = ClickHouse(Address.parse(at(server, "long")), "long")
    store.prepare()
    count = 3 * ASKED_DETAIL.count
    words = np.arange(count, dtype=np.uint16)
    signatures = np.full((count, 2), 2**64 - 1, np.uint64)
    store.add([Kept(1, Coded(words, signatures), Coded(words, signatures), bytes(32))])
    query = Asked(words, signatures, np.arange(count, dtype=np.int64))
    weight = np.full(count, 16, np.int64)
    ((image, value),) = store.search(query, weight, "detail", 10)
    assert image == 1
    assert value == 16 * 1024 * count / np.sqrt(count)
    store.close()


def test_the_rights_that_are_asked_for_suffice_and_allow_no_more(
    loopback: None, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "for the tests")
    grants = (DEPLOY / "grants.sql").read_text("utf-8")
    with Server(tmp_path / "server", "for the tests", grants) as server:
        index = Index.create(tmp_path / "index", **ABOUT, postings=server.address)
        files = sorted(photographs.iterdir())
        assert add(index, files[:3]).added == 3
        assert ranked(index)[1][0][0] == 2
        assert upkeep.erase(index, [str(files[0])]).pictures == 1
        assert upkeep.compact(index) == 0
        assert list(upkeep.damage(index)) == []
        assert upkeep.stats(index)["shards"][0]["pictures"] == 2

        address = Address.parse(server.address)
        client = connect(address, address.hosts[0])
        for statement in (
            "DROP TABLE postings",
            "CREATE TABLE more (x UInt8) ENGINE = MergeTree ORDER BY x",
            "ALTER TABLE pictures UPDATE first = 0 WHERE 1",
            "CREATE DATABASE another",
            "SELECT * FROM url('http://127.0.0.1/', LineAsString)",
        ):
            with pytest.raises(IndexRefused) as caught, told("here"):
                client.command(statement)
            assert "grants.sql" in caught.value.remedy, statement
        client.close()
        index.close()


def test_the_script_for_administrators_is_what_is_made() -> None:
    assert (DEPLOY / "schema.sql").read_text("utf-8") == schema.script()
