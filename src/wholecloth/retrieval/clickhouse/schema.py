"""The tables of a shard, and whose they are.

``about`` says which version of this schema the tables have and which index they belong to, so that
two indexes never write into one another.  ``pictures`` holds a row for every picture that may have
postings: it is written first and erased last.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from wholecloth.errors import IndexRefused
from wholecloth.retrieval.clickhouse.client import Client

SCHEMA = 1

_SETTINGS = {
    # Nothing is acknowledged before it is on the disk.  ClickHouse leaves that to the kernel, and
    # keeps replaced parts for eight minutes instead (old_parts_lifetime, 480 s).
    "fsync_after_insert": 1,
    "fsync_part_directory": 1,
    "min_rows_to_fsync_after_merge": 1,
    # So that what was erased goes within seconds: parts that are replaced are removed after one
    # second, by a thread that looks every one to five (by default every 30 to 300).
    "old_parts_lifetime": 1,
    "cleanup_delay_period": 1,
    "cleanup_delay_period_random_add": 0,
    "max_cleanup_delay_period": 5,
    # What a killed merge leaves; the default keeps it for a day.
    "temporary_directories_lifetime": 3600,
}
_PARTITION = 1048576
"""Numbers of pictures in one partition.  An erasure reads and rewrites the parts of one partition
and not what may be one part of the whole shard: 5.5 GB on a single server, less with every shard
more; 10⁹ pictures are 954 partitions, under the thousand that ClickHouse advises to stay below."""
_POSTINGS = """\
CREATE TABLE IF NOT EXISTS postings
(
    tier UInt8,
    word UInt16,
    image UInt32 CODEC(Delta, ZSTD),
    low UInt64 CODEC(NONE),
    high UInt64 CODEC(NONE)
)
ENGINE = MergeTree ORDER BY (tier, word, image) PARTITION BY intDiv(image, {partition})
SETTINGS index_granularity = 1024, {settings}"""
_PICTURES = """\
CREATE TABLE IF NOT EXISTS pictures
(
    image UInt32,
    first UInt16,
    detail UInt16,
    pdq_0 UInt64 CODEC(NONE),
    pdq_1 UInt64 CODEC(NONE),
    pdq_2 UInt64 CODEC(NONE),
    pdq_3 UInt64 CODEC(NONE)
)
ENGINE = MergeTree ORDER BY image
SETTINGS {settings}"""
_ABOUT = """\
CREATE TABLE IF NOT EXISTS about
(
    key String,
    value String
)
ENGINE = MergeTree ORDER BY key
SETTINGS {settings}"""
TABLES = ("postings", "pictures", "about")


def statements() -> tuple[str, ...]:
    """What makes the tables, in order; ``about`` last, so that it stands for all three."""
    settings = ", ".join(f"{name} = {value}" for name, value in _SETTINGS.items())
    return tuple(
        text.format(settings=settings, partition=_PARTITION)
        for text in (_POSTINGS, _PICTURES, _ABOUT)
    )


def script() -> str:
    """The same as a file for an administrator."""
    head = "-- Tables of one shard; made by wholecloth.retrieval.clickhouse.schema, version {}.\n"
    return head.format(SCHEMA) + "".join(f"\n{text};\n" for text in statements())


@dataclass(frozen=True, slots=True)
class Claim:
    """What ``about`` says."""

    schema: int
    index: str
    shard: str
    """Drawn when the shard was claimed: one shard named twice is noticed."""


def claimed(client: Client, name: str) -> Claim | None:
    """Whose the tables are; None where there are none yet, or nobody's.

    Raises:
        IndexRefused: there are other tables, or a newer schema.
    """
    columns = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase()"
    ).result_columns
    tables = set(columns[0]) if columns else set()
    if tables and "about" not in tables and not tables <= set(TABLES):
        remedy = "give a database of its own"
        raise IndexRefused(name, "holds tables that are not an index's", remedy)
    if "about" not in tables:
        return None
    columns = client.query("SELECT key, value FROM about ORDER BY key, value").result_columns
    facts = dict(zip(*columns, strict=True)) if columns else {}
    if not facts:
        return None
    try:
        claim = Claim(int(facts["schema"]), facts["index"], facts["shard"])
    except (KeyError, ValueError) as error:
        raise IndexRefused(
            name, "its table `about` is not ours", "give a database of its own"
        ) from error
    if claim.schema > SCHEMA:
        reason = f"has schema {claim.schema}; this version knows up to {SCHEMA}"
        raise IndexRefused(name, reason, "use the version of wholecloth that made it")
    return claim


def claim(client: Client, index: str, name: str) -> Claim:
    """Make the tables where they are missing, and take them for an index.

    Can be repeated.  Tables that another index claimed are taken only while no picture is in them:
    making that index was stopped half-way.

    Raises:
        IndexRefused: they belong to another index, or to another program.
    """
    found = claimed(client, name)
    if found is not None and found.index == index:
        return found
    if found is not None:
        if int(client.query("SELECT count() FROM pictures").result_columns[0][0]):
            remedy = "give each index a database of its own"
            raise IndexRefused(name, f"belongs to index {found.index}", remedy)
        client.command("ALTER TABLE about DELETE WHERE 1 SETTINGS mutations_sync = 2")
    if found is None:
        there = client.query("SELECT name FROM system.tables WHERE database = currentDatabase()")
        columns = there.result_columns
        # A user with the least rights cannot make tables; an administrator has then made them.
        if not columns or set(TABLES) - set(columns[0]):
            for statement in statements():
                client.command(statement)
    made = Claim(SCHEMA, index, secrets.token_hex(4))
    rows = [["schema", "index", "shard"], [str(made.schema), made.index, made.shard]]
    client.insert("about", rows, column_names=["key", "value"], column_oriented=True)
    return made
