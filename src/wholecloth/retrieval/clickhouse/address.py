"""Where a cluster is: ``clickhouse://user@host:port,host:port,…/database``.

Each host is one shard.  The address is kept in the manifest and printed, so it holds no password;
that comes from the environment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wholecloth.errors import IndexRefused

SCHEME = "clickhouse://"
PASSWORD = "WHOLECLOTH_CLICKHOUSE_PASSWORD"  # noqa: S105 - the name of a variable
CERTIFICATES = "WHOLECLOTH_CLICKHOUSE_CA"
_PORT, _TLS_PORT = 8123, 8443
"""ClickHouse's own defaults of its HTTP interface, without and with TLS."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_WHOLE = re.compile(
    r"clickhouse://(?:(?P<user>[A-Za-z0-9_.-]+)@)?(?P<hosts>[^/@]+)/(?P<database>[A-Za-z_]\w*)",
    re.ASCII,
)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(?::(?P<port>\d{1,5}))?", re.ASCII)
_SHAPE = "write it as clickhouse://user@host:port/database, several hosts with commas between"


@dataclass(frozen=True, slots=True)
class Host:
    """One shard's HTTP interface."""

    name: str
    port: int

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted: always, except to this machine itself."""
        return self.name not in _LOOPBACK

    def __str__(self) -> str:
        return f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class Address:
    """The shards of one index."""

    hosts: tuple[Host, ...]
    user: str
    database: str
    text: str
    """As it was given."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read an address.

        Raises:
            IndexRefused: it is of another shape, holds a password, or names a host twice.
        """
        if re.match(r"[a-z]+://[^/@]*:[^/@]*@", text):
            remedy = f"leave it out and put it into the environment as {PASSWORD}"
            # The text is not repeated: errors are logged.
            raise IndexRefused("the address", "holds a password", remedy)
        found = _WHOLE.fullmatch(text)
        if found is None:
            raise IndexRefused(text, "is no address of a cluster", _SHAPE)
        hosts = tuple(_host(part, text) for part in found["hosts"].split(","))
        if len(set(hosts)) < len(hosts):
            raise IndexRefused(text, "names a host twice", "name each shard once")
        return cls(hosts, found["user"] or "default", found["database"], text)


def _host(part: str, text: str) -> Host:
    found = _HOST.fullmatch(part)
    if found is None or int(found["port"] or 1) > 65535:
        raise IndexRefused(text, f"has a host that cannot be read: {part}", _SHAPE)
    host = Host(found["name"].strip("[]"), int(found["port"] or 0))
    return Host(host.name, host.port or (_TLS_PORT if host.tls else _PORT))
