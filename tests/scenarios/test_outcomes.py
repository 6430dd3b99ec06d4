"""Which evidence reaches which outcome: drawn cases through the front door."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from wholecloth import examine
from wholecloth.testing.cases import draw_case, draw_partial
from wholecloth.testing.launder import encode
from wholecloth.testing.scenes import scene

A1111 = (
    "a prompt that is never shown\nNegative prompt: neither is this\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Model hash: abcdef1234, "
    "Denoising strength: 0.6, Mask blur: 4, Version: v1.10.1"
)

Say = Callable[..., Path]


@pytest.fixture
def say(tmp_path: Path) -> Say:
    """Write a finding file and return its path."""
    count = iter(range(100))

    def write(proposition: str, **fields: object) -> Path:
        row = {
            "who": "analyst 7",
            "when": "2026-11-24",
            "source": "analyst",
            "proposition": proposition,
            "direction": "supports",
            "text": "stated for the test",
            "reliability": "B",
            "credibility": 2,
        } | fields
        path = tmp_path / f"finding-{next(count)}.json"
        path.write_text(json.dumps(row), "utf-8")
        return path

    return write


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Published with a generator's mark, published without, and a folder with the original."""
    folder = tmp_path_factory.mktemp("pair")
    photos = folder / "photos"
    photos.mkdir()
    case = draw_case(4, "recloth", "mild")
    (photos / "original.jpg").write_bytes(case.original)
    (photos / "other.jpg").write_bytes(encode(scene(901)))
    plain = folder / "plain.jpg"
    plain.write_bytes(case.published)
    marked = folder / "marked.png"
    pixels = np.asarray(Image.open(plain).convert("RGB"))
    marked.write_bytes(encode(pixels, "PNG", parameters=A1111))
    return marked, plain, photos


def decide(published: Path, among: list[Path], *findings: Path) -> dict[str, Any]:
    record = examine(published, among, findings=findings).record
    assert "never shown" not in json.dumps(record)
    return record


def test_mark_and_both_halves_of_p4_reach_t0166_003(
    pair: tuple[Path, Path, Path], say: Say
) -> None:
    marked, _, photos = pair
    record = decide(marked, [photos], say("P4a"), say("P4b"))
    decision = record["decision"]
    assert decision["outcome"] == "T0166.003"
    assert decision["basis"] == "pixels"
    assert decision["technique"] == {
        "framework": "DISARM",
        "release": "1.7",
        "id": "T0166.003",
        "name": "AI-Nudified Imagery",
    }
    assert any("generator_text" in s for s in decision["sensitivity"])
    assert record["propositions"]["P3"]["state"] == "supported"


def test_without_p4_it_does_not(pair: tuple[Path, Path, Path], say: Say) -> None:
    marked, _, photos = pair
    alone = decide(marked, [photos])
    assert alone["decision"]["outcome"] == "undetermined"
    assert alone["propositions"]["P4b"]["state"] == "not_stated"
    missing = [c for c in alone["decision"]["conditions"] if c["state"] == "missing"]
    assert len(missing) == 2
    half = decide(marked, [photos], say("P4a"))
    assert half["decision"]["outcome"] != "T0166.003"


def test_a_manual_method_instead_reaches_t0161_004(pair: tuple[Path, Path, Path], say: Say) -> None:
    _, plain, photos = pair
    manual = say("P3", direction="contradicts", method="manual", text="project file with layers")
    record = decide(plain, [photos], say("P4a"), say("P4b"), manual)
    assert record["decision"]["outcome"] == "T0161.004"
    assert record["propositions"]["P3"]["state"] == "contradicted"


def test_a_partial_derivation_does_not_reach_t0166_003(tmp_path: Path, say: Say) -> None:
    drawn = draw_partial(5)
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "donor.jpg").write_bytes(drawn.donor)
    published = tmp_path / "p.png"
    import io

    pixels = np.asarray(Image.open(io.BytesIO(drawn.published)).convert("RGB"))
    published.write_bytes(encode(pixels, "PNG", parameters=A1111))
    record = decide(published, [photos], say("P4a"), say("P4b"))
    assert record["verdict"] == "partial"
    assert record["original"]["relation"] == "partial"
    assert abs(record["original"]["share"] - drawn.share) < 0.05
    assert record["decision"]["outcome"] != "T0166.003"
    with_sexual = decide(published, [photos], say("P4b"), say("P4c", context="…"))
    assert with_sexual["decision"]["outcome"] == "T0166.002"


def test_a_platform_statement_reaches_it_on_documents(tmp_path: Path, say: Say) -> None:
    published = tmp_path / "p.jpg"
    published.write_bytes(encode(scene(77)))
    digest = hashlib.sha256(published.read_bytes()).hexdigest()
    elsewhere = tmp_path / "photos"
    elsewhere.mkdir()
    (elsewhere / "unrelated.jpg").write_bytes(encode(scene(78)))
    fields = {
        "propositions": ["P1", "P2", "P3", "P4a", "P4b"],
        "source": "platform: example",
        "reliability": "A",
        "input": "e" * 64,
        "output": digest,
        "feature": "garment removal",
    }
    letter = say("P2", **fields, attachment_sha256="f" * 64)
    record = decide(published, [elsewhere], letter)
    assert record["verdict"] == "no_original"
    assert record["decision"]["outcome"] == "T0166.003"
    assert record["decision"]["basis"] == "documents"
    unsupported = decide(published, [elsewhere], say("P2", **fields))
    assert unsupported["decision"]["outcome"] != "T0166.003"
    bare = decide(published, [], letter)
    assert bare["decision"]["outcome"] == "T0166.003"
