"""Put on PYTHONPATH by the tests: every Python they start reports and refuses connections."""

import os
import sys

_WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind")


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event in _WATCHED:
        with open(os.environ["WHOLECLOTH_TEST_CONNECTIONS"], "a", encoding="utf-8") as log:
            log.write(f"{event} {args[1:]!r}\n")
        raise PermissionError(f"a test tried to open a connection: {event}")


if "WHOLECLOTH_TEST_CONNECTIONS" in os.environ:
    sys.addaudithook(_refuse)
