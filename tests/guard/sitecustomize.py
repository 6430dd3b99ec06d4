"""Put on PYTHONPATH by the tests: every Python they start reports and refuses connections."""

import os
import sys

_WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind")
_HERE = ("127.0.0.1", "::1", "localhost")


def _to_this_machine(event: str, args: tuple[object, ...]) -> bool:
    """Allowed to the children of tests that ask for the fixture ``loopback``."""
    if "WHOLECLOTH_TEST_LOOPBACK" not in os.environ:
        return False
    address = args[0] if event == "socket.getaddrinfo" else args[1]
    return (address[0] if isinstance(address, tuple) else address) in _HERE


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in _WATCHED and not _to_this_machine(event, args):
        with open(os.environ["WHOLECLOTH_TEST_CONNECTIONS"], "a", encoding="utf-8") as log:
            log.write(f"{event} {args[1:]!r}\n")
        raise PermissionError(f"a test tried to open a connection: {event}")


if "WHOLECLOTH_TEST_CONNECTIONS" in os.environ:
    sys.addaudithook(_refuse)
