"""Pictures of one photograph: where a set holds an edit of an edit, both may be originals in it.

What was published of one case may be the original of the next.  Asked for the first, a search that
names the second is right in its way, and one asked for an attack on either may name the other.
So pictures of one family are set aside: neither right nor wrong.  Where the very picture asked for
lies in the index, the search need not look further, and the query is counted in a group of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from wholecloth.bench.cases import sha256
from wholecloth.bench.hashes import THRESHOLDS, Hashes
from wholecloth.bench.queries import Query
from wholecloth.errors import InputRefused
from wholecloth.intake.collect import file_source
from wholecloth.intake.decode import WorkerPool

ITSELF = ", itself in the index"


def told_apart(queries: Sequence[Query], table: Hashes) -> list[Query]:
    """The same queries, each with the rest of its photograph's family set aside, in their groups.

    Two originals are of one family where PDQ calls a published picture of one the same as the
    other, directly or over several steps.
    """
    family = {name: {name} for name in table.sha256}
    itself = set()
    with WorkerPool(1) as pool:
        for query in queries:
            if query.published is None or not query.right:
                continue
            near = _near(pool, query.published, table)
            if set(near) - {t for name in query.right for t in table.twins(name)}:
                itself.add(query.id)
            members = [name for name in (*near, *query.right) if name in family]
            joined = set().union(*(family[m] for m in members))
            for name in joined:
                family[name] = joined
    done = []
    for query in queries:
        aside = {*query.aside, *_kin(query, family)} - set(query.right)
        group = query.group + (ITSELF if query.id in itself else "")
        done.append(replace(query, aside=tuple(sorted(aside)), group=group))
    return done


def _kin(query: Query, family: dict[str, set[str]]) -> set[str]:
    return {kin for name in query.right for kin in family.get(name, {name})}


def _near(pool: WorkerPool, published: Path, table: Hashes) -> list[str]:
    """Photographs that are this picture, by its bytes or by PDQ."""
    try:
        away = table.distances(pool.decode(file_source(published)).pixels)["PDQ"]
    except InputRefused:
        return []
    near = {table.sha256[i] for i in np.flatnonzero(away <= THRESHOLDS["PDQ"])}
    return sorted(near | ({sha256(published)} & set(table.sha256)))
