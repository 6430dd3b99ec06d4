"""A server for tests: chDB, which is ClickHouse as a library, behind ClickHouse's HTTP interface.

It runs in a process of its own, because the engine installs signal handlers, blocks a signal and
starts threads, and so that a test can kill it.  The client under test is the one that is used with
a real server, down to the bytes that travel; what the interface does not do here (sessions,
compression of answers, limits, rights) no test of ours is about.

    with Server(folder) as server:
        … server.address …
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from wholecloth.retrieval.clickhouse import schema
from wholecloth.retrieval.clickhouse.address import PASSWORD

DATABASE = "photographs"
USER = "wholecloth"
_LONGEST = 131072
"""Bytes of one parameter: ClickHouse's default of http_max_field_value_size."""
_INSERT = re.compile(rb"\s*INSERT INTO .* FORMAT Native\s", re.IGNORECASE | re.DOTALL)


class Server:
    """A running server on this machine only.

    Args:
        folder: where it keeps everything; scanned by tests that look for bytes.
        password: what it asks for.
        grants: SQL of GRANT statements; its user then has these rights and no others, and the
            tables are made beforehand, as an administrator would.  Without: every right.
    """

    def __init__(self, folder: Path, password: str = "", grants: str = "") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", __name__, str(folder)]
        if grants:
            subprocess.run(
                [*command, "--tables"], check=True, env=os.environ | {PASSWORD: password}
            )
            command.append(str(_restricted(folder.with_suffix(".rights"), grants)))
        self._child = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {PASSWORD: password},
        )
        line = self._child.stdout.readline() if self._child.stdout else ""
        if not line.startswith("port "):
            raise RuntimeError("the engine did not start")
        self.port = int(line.split()[1])

    @property
    def host(self) -> str:
        """Host and port as an address has them."""
        return f"127.0.0.1:{self.port}"

    @property
    def address(self) -> str:
        """Of an index that has this server alone."""
        return f"clickhouse://{USER}@{self.host}/{DATABASE}"

    def cpu_seconds(self) -> float:
        """Processor time it has used, of all its threads (Linux)."""
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def kill(self) -> None:
        """As a power cut would."""
        self._child.kill()
        self._child.wait()

    def close(self) -> None:
        """Stop, cleanly if it does so within ten seconds."""
        self._child.terminate()
        try:
            self._child.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._child.stdout:
            self._child.stdout.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_CONFIG = "<clickhouse><users_config>{}</users_config></clickhouse>"
_USERS = """<clickhouse><profiles><default/></profiles><quotas><default/></quotas><users><default>
<password/><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
<grants>{}</grants></default></users></clickhouse>"""


def _restricted(folder: Path, grants: str) -> Path:
    """A configuration in which the engine's user has only these rights, and may read what came."""
    folder.mkdir()
    given = re.findall(r"^(GRANT .*) TO \w+;$", grants, re.MULTILINE)
    given += ["GRANT READ ON FILE", "GRANT CREATE TEMPORARY TABLE ON *.*"]
    lines = "".join(f"<query>{escape(line)}</query>" for line in given)
    (folder / "users.xml").write_text(_USERS.format(lines))
    (folder / "config.xml").write_text(_CONFIG.format(folder / "users.xml"))
    return folder / "config.xml"


def holds(folder: Path, body: bytes) -> int:
    """How many times these bytes lie in the files below a folder."""
    found = 0
    for path in sorted(folder.rglob("*")):
        try:
            found += path.read_bytes().count(body) if path.is_file() else 0
        except FileNotFoundError:  # removed meanwhile, which is what is waited for
            continue
    return found


class _Engine:
    """One query at a time."""

    def __init__(self, folder: str, config: str = "") -> None:
        from chdb.session import Session  # noqa: PLC0415 - only here, and in its own process

        session: Any = Session
        self._session = session(f"{folder}?config-file={config}" if config else folder)
        self._restricted = bool(config)
        self._lock = threading.Lock()
        self._used = ""

    def run(self, database: str, text: str, values: dict[str, str]) -> bytes:
        with self._lock:
            if database != self._used:
                # An administrator would have made it.
                if not self._restricted:
                    self._session.query(f"CREATE DATABASE IF NOT EXISTS {database} ENGINE = Atomic")
                self._session.query(f"USE {database}")
                self._used = database
            answer = self._session.query(text, "TabSeparated", params=values)
            return bytes(answer.bytes() or b"")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    engine: _Engine

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        """Answer /ping."""
        self._reply(200, b"Ok.\n")

    def do_POST(self) -> None:
        """Run one statement."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        if self.headers.get("Content-Encoding") == "lz4":
            body = _unpacked(body)
        try:
            self._let_in()
            self._reply(200, self._answer(body))
        except Exception as error:  # noqa: BLE001 - a server answers
            text = str(error)
            code = re.search(r"Code: (\d+)", text)
            self._reply(500, text.encode(), code[1] if code else "1001")

    def _answer(self, body: bytes) -> bytes:
        fields = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/form-data"):
            mark = b"--" + kind.partition("boundary=")[2].encode()
            for part in body.split(mark)[1:-1]:
                head, _, given = part.strip(b"\r\n").partition(b"\r\n\r\n")
                name = re.search(rb'name="(\w+)"', head)
                if len(given) > _LONGEST:
                    raise ValueError("Code: 1000. Field value too long")
                if name is not None:
                    fields[name[1].decode()] = given.decode()
            body = b""
        database = fields.get("database", DATABASE)
        if not re.fullmatch(r"\w+", database, re.ASCII):
            raise ValueError("Code: 81. no such database")
        values = {k.removeprefix("param_"): v for k, v in fields.items() if k.startswith("param_")}
        insert = _INSERT.match(body)
        if insert is None:
            return self.engine.run(database, fields.get("query", "") + body.decode(), values)
        # The engine reads no request; what came is put where it can read it, and erased again.
        with tempfile.NamedTemporaryFile() as file:
            file.write(body[insert.end() :])
            file.flush()
            into = re.sub(r"\sFORMAT Native\s*$", "", insert[0].decode(), flags=re.IGNORECASE)
            read = f"{into} SELECT * FROM file('{file.name}', Native)"
            return self.engine.run(database, read, values)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _let_in(self) -> None:
        given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
        if given != f"{USER}:{os.environ.get(PASSWORD, '')}".encode():
            raise PermissionError("Code: 516. Authentication failed (AUTHENTICATION_FAILED)")

    def _reply(self, status: int, body: bytes, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-ClickHouse-Format", "Native")
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.end_headers()
        self.wfile.write(body)


def _unpacked(body: bytes) -> bytes:
    """One LZ4 frame after the other: the client packs every block on its own."""
    import lz4.frame  # noqa: PLC0415

    parts = []
    while body:
        frame = lz4.frame.LZ4FrameDecompressor()
        parts.append(frame.decompress(body))
        body = frame.unused_data or b""
    return b"".join(parts)


def _main(folder: str, *rest: str) -> None:
    if rest == ("--tables",):
        engine = _Engine(folder)
        for statement in schema.statements():
            engine.run(DATABASE, statement, {})
        return
    _Handler.engine = _Engine(folder, *rest)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    print(f"port {server.server_address[1]}", flush=True)  # noqa: T201 - to the parent
    server.serve_forever()


if __name__ == "__main__":
    _main(*sys.argv[1:])
