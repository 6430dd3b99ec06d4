"""What is asked of a shard.  Values travel as typed parameters; nothing is put into the text."""

from __future__ import annotations

SEARCH = """\
SELECT p.image AS image,
    t.total / sqrt(greatest(if({tier:UInt8} = 0, p.first, p.detail), 1)) AS score
FROM pictures AS p
INNER JOIN
(
    SELECT image, sum(best) AS total
    FROM
    (
        SELECT image, feature, max(weight * {weights:Array(UInt16)}[distance + 1]) AS best
        FROM
        (
            SELECT k.image AS image, a.feature AS feature, a.weight AS weight,
                bitCount(bitXor(k.low, a.low)) + bitCount(bitXor(k.high, a.high)) AS distance
            FROM postings AS k
            INNER JOIN
            (
                SELECT q.1 AS word, q.2 AS low, q.3 AS high, q.4 AS feature, q.5 AS weight
                FROM
                (
                    SELECT arrayJoin(arrayZip({words:Array(UInt16)}, {low:Array(UInt64)},
                        {high:Array(UInt64)}, {feature:Array(UInt32)},
                        {weight:Array(UInt64)})) AS q
                )
            ) AS a ON k.word = a.word
            WHERE k.tier = {tier:UInt8} AND k.word IN {words:Array(UInt16)}
                AND distance < length({weights:Array(UInt16)})
        )
        GROUP BY image, feature
    )
    GROUP BY image
) AS t ON p.image = t.image
ORDER BY score DESC, image
LIMIT {count:UInt32}"""
"""The whole score in one statement; see ``wholecloth.retrieval.score``.

Innermost, every posting of a word that was asked for meets the features that asked for it, and most
are too far away to go on.  Per feature and picture the best counts, the sum is over features, and
the division is by the square root of the number of features kept.  Whole numbers until the
division, so the order in which threads sum does not matter.
"""

FREQUENCY = """\
SELECT word, count() FROM postings
WHERE tier = {tier:UInt8} AND word IN {words:Array(UInt16)}
GROUP BY word"""

PICTURES = "SELECT countIf(if({tier:UInt8} = 0, first, detail) > 0) FROM pictures"

NEAR = """\
SELECT image, arrayMin(arrayMap((a, b, c, d) -> bitCount(bitXor(pdq_0, a))
    + bitCount(bitXor(pdq_1, b)) + bitCount(bitXor(pdq_2, c)) + bitCount(bitXor(pdq_3, d)),
    {a:Array(UInt64)}, {b:Array(UInt64)}, {c:Array(UInt64)}, {d:Array(UInt64)})) AS away
FROM pictures
WHERE away <= {within:UInt16}
ORDER BY away, image"""

THERE = "SELECT image FROM pictures WHERE image IN {images:Array(UInt32)} ORDER BY image"

BETWEEN = """\
SELECT image FROM pictures WHERE image >= {start:UInt32} AND image < {end:UInt64} ORDER BY image"""

HIGHEST = "SELECT max(image) FROM pictures"

ERASE = (
    "ALTER TABLE postings DELETE WHERE image IN {images:Array(UInt32)} SETTINGS mutations_sync = 2",
    "ALTER TABLE pictures DELETE WHERE image IN {images:Array(UInt32)} SETTINGS mutations_sync = 2",
)
"""Mutations: parts that hold any of these are written anew without them, and the statement returns
when that is done.  (``DELETE FROM`` would only hide the rows.)"""

INACTIVE = """\
SELECT concat(table, '/', name) FROM system.parts
WHERE database = currentDatabase() AND table IN ('postings', 'pictures')
    AND _state NOT IN ('Active', 'PreActive', 'Temporary')"""
"""Parts that were replaced and still lie on the disk.  Without the column ``_state``, ClickHouse
leaves out those that are being removed at this moment."""

DETACHED = """\
SELECT concat(table, '/', name) FROM system.detached_parts
WHERE database = currentDatabase() AND table IN ('postings', 'pictures')"""
"""Parts that somebody, or a start after damage, set aside: no mutation reaches them."""

COUNTS = """\
SELECT (SELECT count() FROM pictures), (SELECT count() FROM postings WHERE tier = 0),
    (SELECT count() FROM postings WHERE tier = 1), (SELECT sum(first) FROM pictures),
    (SELECT sum(detail) FROM pictures)"""

BYTES = """\
SELECT sum(bytes_on_disk) FROM system.parts
WHERE database = currentDatabase() AND table IN ('postings', 'pictures') AND active"""
