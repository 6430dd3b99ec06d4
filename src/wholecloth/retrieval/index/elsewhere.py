"""Reading photographs on other machines: Dask's executor for ``Index.add``.

The workers need this package and the same paths as here (a shared file system), and nothing else:
no index, no database.  A task carries the index's secret for words, so the connection to the
scheduler is encrypted unless it stays on this machine.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any
from urllib.parse import urlsplit

from wholecloth.errors import IndexRefused, NotInstalled

_SECONDS = 10
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Elsewhere(Executor):
    """Any executor; a task whose worker died fails as one of local processes does.

    ``bulk.spread`` then reads that task's files itself, one after the other.
    """

    def __init__(
        self, executor: Executor, died: tuple[type[BaseException], ...], client: Any
    ) -> None:
        self._executor = executor
        self._died = died
        self._client = client

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """A future of ``fn(*args)``."""
        given: Future[Any] = Future()
        theirs = self._executor.submit(fn, *args, **kwargs)

        def done(theirs: Future[Any]) -> None:
            if theirs.cancelled():
                given.cancel()
            elif (error := theirs.exception()) is None:
                given.set_result(theirs.result())
            elif isinstance(error, self._died):
                given.set_exception(BrokenProcessPool(str(error)))
            else:
                given.set_exception(error)

        theirs.add_done_callback(done)
        return given

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go; the workers stay."""
        self._executor.shutdown(wait=wait and not cancel_futures)
        self._client.close()


def executor_of(address: str) -> Executor:
    """An executor of a running Dask cluster.

    Args:
        address: of its scheduler, ``tls://host:port``; certificates as Dask's configuration names
            them.  ``tcp://`` only on this machine.

    Raises:
        NotInstalled: ``distributed`` is missing.
        IndexRefused: the connection would not be encrypted, or nobody answers there.
    """
    host = urlsplit(address).hostname or ""
    if not address.startswith("tls://") and host not in _LOOPBACK:
        reason = "would get the index's secret over a connection that is not encrypted"
        raise IndexRefused(address, reason, "run the scheduler with TLS and give tls://host:port")
    try:
        from distributed import Client, KilledWorker  # noqa: PLC0415 - an extra
    except ImportError as error:
        remedy = "install it with `pip install 'wholecloth[dask]'`"
        raise NotInstalled("distributed", "is needed for workers of Dask", remedy) from error
    connected: Any = Client  # not annotated there
    try:
        client = connected(address, timeout=_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        line = (str(error).splitlines() or [type(error).__name__])[0]
        remedy = (
            "start it with `dask scheduler` and `dask worker --nthreads 1`, or check the address"
        )
        raise IndexRefused(address, f"no scheduler answers ({line})", remedy) from error
    return Elsewhere(client.get_executor(), (KilledWorker,), client)
