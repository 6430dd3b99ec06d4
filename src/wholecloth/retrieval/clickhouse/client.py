"""One connection to one shard, and what goes wrong with it in words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from wholecloth.errors import IndexRefused, NotInstalled
from wholecloth.retrieval.clickhouse.address import CERTIFICATES, PASSWORD, Address, Host

_CONNECT_SECONDS, _ANSWER_SECONDS = 10, 600
"""A mutation that rewrites a large part may take minutes."""
_DENIED = 497
"""ACCESS_DENIED in ClickHouse's list of error codes."""


class Result(Protocol):
    """The rows of a query."""

    @property
    def result_columns(self) -> Sequence[Sequence[Any]]:
        """One sequence per column; none at all where there are no rows."""


class Client(Protocol):
    """As much of a ``clickhouse_connect`` client as is used here."""

    def command(self, cmd: str, parameters: dict[str, Any] | None = None) -> Any:
        """Run a statement that gives no rows, or one value."""

    def query(self, query: str, parameters: dict[str, Any] | None = None) -> Result:
        """Rows."""

    def insert(
        self, table: str, data: Sequence[Any], column_names: list[str], *, column_oriented: bool
    ) -> Any:
        """Add rows, given as columns."""

    def close(self) -> None:
        """Let go."""


Connect = Callable[[Address, Host], Client]


def connect(address: Address, host: Host) -> Client:
    """A client of one shard; the password is in the environment.

    Raises:
        NotInstalled: clickhouse-connect is missing.
        IndexRefused: nobody answers there, or the user is not let in.
    """
    try:
        import clickhouse_connect  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = "install it with `pip install 'wholecloth[cluster]'`"
        raise NotInstalled("clickhouse-connect", "is needed for a cluster", remedy) from error
    with told(host):
        client: Client = clickhouse_connect.get_client(
            host=host.name,
            port=host.port,
            username=address.user,
            password=os.environ.get(PASSWORD, ""),
            database=address.database,
            secure=host.tls,
            verify=True,
            ca_cert=os.environ.get(CERTIFICATES) or None,
            connect_timeout=_CONNECT_SECONDS,
            send_receive_timeout=_ANSWER_SECONDS,
            autogenerate_session_id=False,
            # A picture's words are parameters, some 300 KB of them: in the body, not in the address
            # line, where proxies would cut and log them.
            form_encode_query_params=True,
        )
    return client


@contextmanager
def told(host: Host | str) -> Iterator[None]:
    """Errors of the client name the shard and a remedy."""
    from clickhouse_connect.driver.exceptions import ClickHouseError  # noqa: PLC0415

    try:
        yield
    except (ClickHouseError, OSError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        if f"code {_DENIED}" in line or f"Code: {_DENIED}" in line or "ACCESS_DENIED" in str(error):
            remedy = "give the user what deploy/clickhouse/grants.sql lists"
        else:
            remedy = (
                f"check that the server runs, the address (`index stats`) and {PASSWORD}; an "
                "index answers with all its shards or not at all"
            )
        raise IndexRefused(
            f"shard {host}", f"does not do what was asked ({line})", remedy
        ) from error
