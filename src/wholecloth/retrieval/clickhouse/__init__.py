"""Postings in ClickHouse: one server or several, each holding a part of the pictures."""

from wholecloth.retrieval.clickhouse.address import Address
from wholecloth.retrieval.clickhouse.store import ClickHouse

__all__ = ["Address", "ClickHouse"]
