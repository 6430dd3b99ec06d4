"""The decode worker: a child process that turns hostile bytes into plain pixels.

Protocol on its standard input and output: a 4-byte big-endian length, a JSON header of that
length, then the payload whose size the header names.  It serves requests until its input ends.
Run as ``python -m wholecloth.intake.worker``; nothing else should import it.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from typing import Any, BinaryIO

from wholecloth.intake import isolation
from wholecloth.intake.limits import Limits


def read_exact(stream: BinaryIO, count: int) -> bytearray:
    """``count`` bytes, or EOFError.  Grows as bytes arrive, so a lying length allocates little."""
    data = bytearray()
    while len(data) < count:
        part = stream.read(min(count - len(data), 1 << 22))
        if not part:
            raise EOFError
        data += part
    return data


def send(stream: BinaryIO, header: dict[str, Any], *payload: bytes | memoryview) -> None:
    """One framed message."""
    encoded = json.dumps(header).encode()
    stream.write(struct.pack(">I", len(encoded)) + encoded)
    stream.writelines(payload)
    stream.flush()


def serve() -> None:
    """Answer requests until end of input."""
    inp, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a chatty library must not corrupt the protocol
    limits = Limits(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else Limits()
    # Imported before confinement: afterwards no file descriptor budget is left for it.
    from wholecloth.intake import pixels  # noqa: PLC0415

    pixels.prepare()
    reached = isolation.confine(limits)
    send(out, {"ready": True, "isolation": reached})
    while True:
        try:
            (length,) = struct.unpack(">I", read_exact(inp, 4))
        except EOFError:
            return
        request = json.loads(bytes(read_exact(inp, length)))
        data = bytes(read_exact(inp, request["size"]))
        isolation.cpu_allowance(limits)
        try:
            header, payload = pixels.decode(data, request, limits)
        except pixels.Refused as refusal:
            header = {"ok": False, "kind": refusal.kind, "reason": refusal.reason}
            header["remedy"], payload = refusal.remedy, b""
        except MemoryError:
            header = {"ok": False, "kind": "hostile", "reason": "needs more memory than allowed"}
            payload = b""
        except Exception as error:  # noqa: BLE001 - any decoder bug is this file's refusal
            reason = f"the file is damaged: its decoder gave up ({type(error).__name__})"
            header, payload = {"ok": False, "kind": "unreadable", "reason": reason}, b""
        send(out, header, payload)


if __name__ == "__main__":
    serve()
