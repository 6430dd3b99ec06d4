"""The Python blocks of docs/how-to/scale.md, run one after the other as they stand there."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from wholecloth.retrieval.clickhouse.address import PASSWORD
from wholecloth.testing.clickhouse import Server
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

pytest.importorskip("chdb", reason="chdb-core is not installed")

PAGE = Path(__file__).parents[2] / "docs/how-to/scale.md"


def test_the_page_works_as_written(
    loopback: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(PASSWORD, "for the tests")
    (tmp_path / "photographs").mkdir()
    for seed in range(5):
        path = tmp_path / "photographs" / f"{seed}.jpg"
        path.write_bytes(encode(scene(seed, (640, 480)), "JPEG", 90))
    published = scene(3, (640, 480))[20:460, 30:600].copy()
    published[150:300, 200:350] = np.flip(published[150:300, 200:350], 0)
    (tmp_path / "published.jpg").write_bytes(encode(published, "JPEG", 85))

    (commands,) = re.findall(r"```\n(wholecloth index .*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert commands.count("\n") == 3
    for line in commands.splitlines():
        command = [sys.executable, "-m", "wholecloth", *shlex.split(line)[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{line}\n{done.stderr}"

    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len(blocks) == 6
    with ExitStack() as stack:
        text = "\n".join(blocks)
        for port in ("8124", "8125", "8126", "8127"):
            server = stack.enter_context(Server(tmp_path / port, "for the tests"))
            text = text.replace(f"localhost:{port}", server.host)
        found: dict[str, object] = {}
        exec(compile(text, str(PAGE), "exec"), found)
        large: object = found["large"]
        assert len(large) == 4  # type: ignore[arg-type]
        large.close()  # type: ignore[attr-defined]
    assert found["moved"] == 5
    assert found["answer"].verdict == "same_photo"  # type: ignore[attr-defined]
    assert found["erased"].pictures == 1  # type: ignore[attr-defined]
    assert found["forgotten"] == 0
    assert found["added"].denied == 1  # type: ignore[attr-defined]
