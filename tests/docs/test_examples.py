"""What the help, the README and the docs tell people to type works as written."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from wholecloth.cli.main import program
from wholecloth.testing.cases import draw_case
from wholecloth.testing.drawn_set import draw_set
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

ROOT = Path(__file__).parents[2]
SIZE = (480, 360)
P4A = """[[finding]]
who = "witness 1"
when = 2026-11-24
source = "witness"
proposition = "P4a"
direction = "supports"
text = "a coat in the original"
"""
PLATFORM = """[[finding]]
who = "trust and safety"
when = 2026-11-24
source = "platform: EXAMPLE"
proposition = "P3"
direction = "supports"
method = "ai"
text = "job 7 of our service"
reliability = "A"
credibility = 1
input = "upload 1"
output = "download 1"
feature = "garment swap"
attachment_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", line],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=os.environ | {"PATH": path},
    )


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything that examples name is there."""
    top = tmp_path_factory.mktemp("examples") / "work"
    for name in ("photos", "intake", "trove"):
        (top / name).mkdir(parents=True)
    case = draw_case(7, "recloth", size=SIZE)
    (top / "published.jpg").write_bytes(case.published)
    (top / "original.jpg").write_bytes(case.original)
    (top / "photos" / "one.jpg").write_bytes(case.original)
    (top / "photos" / "two.jpg").write_bytes(encode(scene(8, SIZE)))
    (top / "intake" / "a.jpg").write_bytes(case.published)
    (top / "intake" / "b.jpg").write_bytes(encode(scene(9, SIZE)))
    (top / "trove" / "a.jpg").write_bytes(case.published)
    (top / "trove" / "b.jpg").write_bytes(encode(scene(8, SIZE), quality=60))
    (top / "p4a.toml").write_text(P4A)
    (top / "finding.toml").write_text(P4A)
    (top / "platform.toml").write_text(PLATFORM)
    draw_set(top / "cases", seed=2, pairs=3, distractors=1)
    shutil.copytree(top / "cases", top / "my-cases")
    steps = {
        "decoded.json": "wholecloth plumbing decode published.jpg",
        "found.json": "wholecloth plumbing find decoded.json --among photos/",
        "registered.json": "wholecloth plumbing register found.json",
        "localised.json": "wholecloth plumbing localise registered.json",
        "marked.json": "wholecloth plumbing signals localised.json",
    }
    for name, line in steps.items():
        assert shell(f"{line} > {name}", top).returncode == 0, line
    assert (
        shell("wholecloth examine published.jpg --among photos/ --out case-12/", top).returncode
        == 0
    )
    kept = '--owner "desk 3" --purpose "finding originals"'
    for line in (
        f"wholecloth index create archive.index {kept}",
        "wholecloth index add archive.index photos/",
        f"wholecloth index create shard.index {kept} --like archive.index",
        "wholecloth index add shard.index intake/",
    ):
        assert shell(line, top).returncode == 0, line
    return top


@pytest.fixture
def work(prepared: Path, tmp_path: Path) -> Path:
    own = tmp_path / "work"
    shutil.copytree(prepared, own)
    line = "wholecloth index add archive.index photos/"  # places are absolute
    assert shell(line, own).returncode == 0
    return own


def verbs(command: click.Command = program, path: str = "wholecloth") -> Iterator[tuple[str, str]]:
    yield path, command.epilog or ""
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from verbs(child, f"{path} {name}")


EXAMPLES = dict(verbs())


@pytest.mark.parametrize("verb", EXAMPLES)
def test_every_verb_s_help_ends_with_an_example_that_works(verb: str, work: Path) -> None:
    last = EXAMPLES[verb].split("\n\n")[-1]
    assert last.startswith("Example:  wholecloth "), f"{verb} has no example at its end"
    line = last.removeprefix("Example:  ")
    if verb != "wholecloth":
        assert verb in line or verb.rpartition(" ")[0] in line
    if "--out case-12/" in line:
        shutil.rmtree(work / "case-12")
    done = shell(line, work)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    shown = shell(f"{verb} --help", work).stdout
    assert " ".join(shown.split()).endswith(" ".join(last.split()))


def blocks(path: Path) -> list[str]:
    """Command blocks of a page, comments and the lines of other programs left out."""
    out = []
    for block in re.findall(r"```\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
        lines = [n for n in block.splitlines() if n.startswith(("wholecloth ", "python -m "))]
        if lines:
            out.append("\n".join(lines))
    return out


PAGES = {
    (page, number): block
    for page in ("README.md", "docs/how-to.md")
    for number, block in enumerate(blocks(ROOT / page))
}


@pytest.mark.parametrize("key", PAGES, ids=lambda k: f"{k[0]} {k[1]}")
def test_commands_of_the_pages_work(key: tuple[str, int], work: Path) -> None:
    block = PAGES[key]
    if "--out case-12/" in block:
        shutil.rmtree(work / "case-12")
    if "--resume" in block:
        assert shell(block.replace(" --resume", ""), work).returncode == 0
    done = shell(block, work)
    assert done.returncode == 0, f"{block}\n{done.stderr}"


def test_commands_in_the_table_of_verbs_work(work: Path) -> None:
    table = (ROOT / "README.md").read_text("utf-8").split("### Other verbs")[1].split("###")[0]
    lines = [n for n in re.findall(r"`(wholecloth [^`]+)`", table) if "..." not in n]
    assert len(lines) >= 9
    for line in lines:
        done = shell(line, work)
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_the_tutorial_works_from_beginning_to_end(tmp_path: Path) -> None:
    for block in blocks(ROOT / "docs" / "tutorial.md"):
        done = shell(block, tmp_path)
        assert done.returncode == 0, f"{block}\n{done.stderr}"
    import json

    record = json.loads((tmp_path / "record.json").read_text("utf-8"))
    first = json.loads((tmp_path / "case" / "record.json").read_text("utf-8"))
    assert record["record_digest"] == first["record_digest"]


def test_the_readme_shows_what_the_demo_prints(tmp_path: Path) -> None:
    recipe = (ROOT / "Makefile").read_text().split("demo: $(VENV)/ready\n")[1].split("\n\n")[0]
    done = None
    for line in recipe.replace("$(BIN)/", "").splitlines():
        done = shell(line.strip(), tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stderr}"
    assert done is not None
    shown = (ROOT / "README.md").read_text("utf-8")
    block = shown.split("```\ndemo/published.jpg\n")[1].split("```")[0]
    # Last digits differ between processors; the words and the order do not.
    expected, got = (
        re.sub(r"[\d.]+", "#", t.rstrip()) for t in ("demo/published.jpg\n" + block, done.stdout)
    )
    assert expected == got


def test_the_python_example_of_the_readme_works(work: Path) -> None:
    shutil.rmtree(work / "case-12")
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert code is not None
    done = subprocess.run(
        [sys.executable, "-c", code[1]], capture_output=True, text=True, check=False, cwd=work
    )
    assert done.stdout == "edit edited_method_undetermined\n", done.stderr


def test_the_reference_is_what_the_code_says(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, page in module.PAGES.items():
        written = (ROOT / "docs" / "reference" / f"{name}.md").read_text("utf-8")
        assert written.rstrip() == page().rstrip(), f"run python docs/generate.py ({name})"


def test_links_in_the_pages_lead_somewhere() -> None:
    pages = [p for p in ROOT.rglob("*.md") if ".venv" not in p.parts and "demo" not in p.parts]
    assert len(pages) > 10
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if not target.startswith(("http", "mailto")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
