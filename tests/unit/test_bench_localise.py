"""The side-by-side benchmark: what it says of ours and of the others is what was measured."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from wholecloth import atomic
from wholecloth.bench import baselines, localise, peers, probe, side_tables
from wholecloth.bench.cases import load
from wholecloth.bench.side import BASELINES, OURS, SideResult, auc, measure
from wholecloth.bench.work import spread
from wholecloth.cli.main import program
from wholecloth.errors import NotInstalled, UsageRefused
from wholecloth.testing.drawn_set import draw_set
from wholecloth.testing.launder import Laundering, launder
from wholecloth.testing.scenes import scene

RNG = np.random.default_rng(11)
GOOD = """import sys, pathlib, numpy as np, PIL.Image as I
published, original, out = map(pathlib.Path, sys.argv[1:])
a, b = (np.asarray(I.open(p).convert("L"), float) for p in (published, original))
np.save(out / "map.npy", np.abs(a - a.mean())[::2, ::2])
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench") / "cases"
    draw_set(folder, seed=3, pairs=6, distractors=1)
    return folder


@pytest.fixture(scope="module")
def wrapper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("peer") / "wrap.py"
    path.write_text(GOOD)
    return path


@pytest.fixture(scope="module")
def done(
    drawn: Path, wrapper: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, object], Path]:
    out = tmp_path_factory.mktemp("side") / "out"
    command = f"{sys.executable} {wrapper} {{published}} {{original}} {{out}}"
    others = [
        peers.peer_of(f"contrast={command}"),
        peers.peer_of(
            f"broken={sys.executable} -c 'raise SystemExit(\"no model\")' {{published}}{{out}}"
        ),
        peers.peer_of("missing=/no/such/program {published} {out}"),
    ]
    document = localise.run_localise(drawn, out, launder=1, seed=5, jobs=2, others=others)
    return document, out


def test_figures_of_a_laundered_drawn_set(done: tuple[dict, Path]) -> None:
    document, out = done
    assert document == json.loads((out / "results.json").read_text("utf-8"))
    row = document["overlap"]["S given"]
    assert (row["pairs"], row["photographs"]) == (4, 4)
    for metric in ("iou", "f1", "auc"):
        ours = row[metric][OURS]["mean"]
        others = [n for n in BASELINES if metric != "auc" or not n.startswith("imagemagick")]
        assert all(ours > row[metric][name]["mean"] for name in others), metric
        assert row[metric][OURS]["low"] <= ours <= row[metric][OURS]["high"]
    assert row["iou_failures_as_0"]["pairs"] == 4
    assert document["unedited"]["D"][OURS]["pairs"] == 2
    assert document["unedited"]["D"]["absdiff aligned"]["above_half_percent"] == 2
    assert document["registration"]["S"]["wrong_mirror"] == 0
    assert document["registration"]["S"]["median"] < 0.1
    speed = document["speed"]
    assert speed["ssim"]["pairs"] == 6
    assert speed["ssim"]["register_localise_ratio"]["median_of_pairs"] > 1
    parts = sum(r["ms_per_megapixel"] for r in speed["stages"].values())
    assert parts == pytest.approx(speed["all"]["ms_per_megapixel"], abs=1)
    for stage in ("register", "localise: comparable", "localise: predict, colour"):
        assert speed["stages"][stage]["median_ms"] > 0, stage


def test_the_page_has_ours_and_the_baselines_beside_each_other(done: tuple[dict, Path]) -> None:
    out = done[1]
    page = (out / "results.md").read_text("utf-8")
    assert page.startswith("# Registration and localisation: wholecloth")
    assert "`wholecloth bench localise cases --launder 1 --seed 5 --peer" in page
    assert "- settings: differential-" in page
    head = next(line for line in page.splitlines() if line.startswith("| class, mask"))
    assert head.index("**ours**") < head.index("SSIM + Otsu, aligned")
    assert head.index("ImageMagick 10 %, resized") < head.index("contrast")
    assert "| S, given | 4 (4) | **0." in page
    assert page.count("\n# ") == 0
    assert str(out.parent) not in page
    assert "/no/such/program" not in page
    assert sys.executable not in (out / "results.json").read_text("utf-8")


def test_a_peer_that_fails_is_named_and_the_run_goes_on(done: tuple[dict, Path]) -> None:
    document, out = done
    assert document["failed"] == {
        "broken": {"ended with 1: no model": 6},
        "missing": {"cannot be started (No such file or directory)": 6},
    }
    assert document["overlap"]["S given"]["iou"]["contrast"]["pairs"] == 4
    page = (out / "results.md").read_text("utf-8")
    assert "- broken: 6 × ended with 1: no model" in page


def test_nothing_of_the_pictures_is_written(done: tuple[dict, Path], drawn: Path) -> None:
    _, out = done
    plots = {"iou.png", "auc.png", "false-area.png", "registration.png", "stages.png"}
    assert {p.name for p in out.iterdir()} == plots | {"results.json", "results.md"}
    sizes = {cv2.imread(str(p)).shape for p in drawn.rglob("*.jpg")}
    for name in plots:
        data = (out / name).read_bytes()
        assert len(data) > 8000, name
        assert cv2.imread(str(out / name)).shape not in sizes
        assert b"tEXt" not in data, "no text, so no path either"
    kept = json.loads((out / "results.json").read_text("utf-8"))["results"]
    assert max(len(json.dumps(r)) for r in kept) < 4000, "figures, not arrays"


def test_the_same_seed_gives_the_same_figures(done: tuple[dict, Path], drawn: Path) -> None:
    row = next(r for r in load(drawn) if r.kind == "S")
    (again,) = measure(row, [5])
    first = next(r for r in done[0]["results"] if r["id"] == row.id)  # type: ignore[attr-defined]
    scores = again.as_dict()["scores"]
    assert scores == {k: v for k, v in first["scores"].items() if k in scores}
    assert again.error_px == first["error_px"]


def test_pseudo_masks_are_never_scored(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path / "cases")
    index = tmp_path / "cases" / "cases.jsonl"
    lines = []
    for line in index.read_text().splitlines()[:3]:
        row = json.loads(line)
        if row["class"] == "S":
            row["mask_source"] = "derived from difference"
        lines.append(json.dumps(row))
    index.write_text("\n".join(lines))
    results = localise.measure_all(tmp_path / "cases", [None], 1)
    assert [r.kind for r in results] == ["D", "S", "S"]
    assert not any(r.masked for r in results)
    assert all(s.iou is None and s.auc is None for r in results for s in r.scores.values())
    assert not any(r.unedited for r in results if r.kind == "S"), (
        "an unknown mask is not an empty one"
    )
    assert side_tables.figures(results)["overlap"] == {}


def test_an_empty_given_mask_says_that_nothing_was_edited(drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn, tmp_path / "cases")
    index = tmp_path / "cases" / "cases.jsonl"
    row = next(json.loads(n) for n in index.read_text().splitlines() if '"class": "S"' in n)
    mask = tmp_path / "cases" / row["mask"]
    read = cv2.imread(str(mask), 0)
    cv2.imwrite(str(mask), np.zeros_like(read))
    index.write_text(json.dumps(row))
    (result,) = localise.measure_all(tmp_path / "cases", [None], 1)
    assert result.unedited
    assert result.scores[OURS].iou is None
    assert side_tables.figures([result])["unedited"]["S"][OURS]["pairs"] == 1


def test_pairs_that_do_not_register_count_as_nothing_found() -> None:
    from wholecloth.bench.side import Scored

    def pair(name: str, iou: float | None) -> SideResult:
        result = SideResult(name, "A", "recovered", name, None, 1.0, masked=True)
        result.registered = iou is not None
        if iou is not None:
            result.scores[OURS] = Scored(iou, iou, iou, 0.1)
        return result

    row = side_tables.figures([pair("a", 0.8), pair("b", None)])["overlap"]["A recovered"]
    assert row["iou"][OURS]["mean"] == 0.8
    assert row["iou"][OURS]["pairs"] == 1
    assert row["iou_failures_as_0"]["mean"] == 0.4
    assert row["iou_failures_as_0"]["pairs"] == 2


def test_auc_of_known_maps() -> None:
    truth = np.zeros((4, 5), bool)
    truth[:2] = True
    everywhere = np.ones_like(truth)
    assert auc(truth.astype(np.float32), truth, everywhere) == 1.0
    assert auc(1 - truth.astype(np.float32), truth, everywhere) == 0.0
    assert auc(np.zeros((4, 5), np.uint8), truth, everywhere) == 0.5
    score = RNG.integers(0, 6, truth.shape).astype(np.float32)
    pairs = [(a > b) + (a == b) / 2 for a in score[truth] for b in score[~truth]]
    assert auc(score, truth, everywhere) == pytest.approx(np.mean(pairs))
    # Where a method says nothing it stands below everything it speaks of.
    valid = RNG.random(truth.shape) < 0.6
    low = np.where(valid, score, -1)
    pairs = [(a > b) + (a == b) / 2 for a in low[truth] for b in low[~truth]]
    assert auc(score, truth, valid) == pytest.approx(np.mean(pairs))
    assert auc(score, np.zeros_like(truth), everywhere) is None


def test_the_emulated_imagemagick_is_its_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "compare_program", lambda: None)
    first = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    second = np.clip(first + RNG.integers(-60, 61, first.shape), 0, 255).astype(np.uint8)
    apart = np.abs(first.astype(float) - second) / 255 > 0.10
    valid = RNG.random((40, 50)) < 0.8
    found = baselines.imagemagick(first, second, valid)
    assert np.array_equal(found.mask, apart.any(axis=2) & valid)
    assert "emulated" in baselines.magick_is()


def test_the_program_is_used_where_it_is_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "compare"
    program.write_text(
        f"#!{sys.executable}\n"
        "import sys, numpy as np, PIL.Image as I\n"
        "if sys.argv[1] == '-version':\n"
        "    print('Version: ImageMagick 6.9.11-60 Q16 x86_64'); raise SystemExit\n"
        "assert sys.argv[sys.argv.index('-fuzz') + 1] == '10%'\n"
        "a, b, out = sys.argv[-3:]\n"
        "a, b = (np.asarray(I.open(p), int) for p in (a, b))\n"
        "I.fromarray((np.abs(a - b) > 25.5).any(2)).convert('L').save(out)\n"
        "raise SystemExit(1)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    baselines.compare_program.cache_clear()
    try:
        first, second = (scene(n, (64, 48)) for n in (1, 2))
        found = baselines.imagemagick(first, second, np.ones(first.shape[:2], bool))
        assert np.array_equal(found.mask, baselines.emulated_compare(first, second))
        assert baselines.magick_is() == "ImageMagick 6.9.11-60 Q16"
    finally:
        baselines.compare_program.cache_clear()


@pytest.mark.skipif(baselines.compare_program() is None, reason="ImageMagick is not installed here")
def test_the_real_imagemagick_agrees_with_the_emulation() -> None:
    first = RNG.integers(0, 256, (40, 50, 3)).astype(np.uint8)
    second = np.clip(first + RNG.integers(-60, 61, first.shape), 0, 255).astype(np.uint8)
    found = baselines.imagemagick(first, second, np.ones((40, 50), bool))
    assert np.array_equal(found.mask, baselines.emulated_compare(first, second))


def test_ssim_in_strips_is_ssim_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    ssim = pytest.importorskip("skimage.metrics").structural_similarity
    first, second = (cv2.cvtColor(scene(n, (90, 205)), cv2.COLOR_RGB2GRAY) for n in (4, 5))
    _, whole = ssim(first, second, full=True, data_range=255)
    assert np.allclose(baselines.ssim_map(first, second), whole, atol=1e-6)
    monkeypatch.setattr(baselines, "_SSIM_STRIP", 64 * 90)
    assert np.allclose(baselines.ssim_map(first, second), whole, atol=1e-6)


def test_otsu_looks_at_the_comparable_pixels_only() -> None:
    score = np.full((20, 20), 10, np.uint8)
    score[5:9, 5:9] = 60
    score[:, 15:] = 250
    valid = np.ones_like(score, bool)
    valid[:, 15:] = False
    expected = np.zeros_like(valid)
    expected[5:9, 5:9] = True
    assert np.array_equal(baselines.otsu(score, valid), expected)
    assert not baselines.otsu(score, np.zeros_like(valid)).any()


def test_without_scikit_image_ssim_is_left_out_and_said_so(
    drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "skimage.metrics", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    baselines._skimage_ssim.cache_clear()
    shutil.copytree(drawn, tmp_path / "cases")
    index = tmp_path / "cases" / "cases.jsonl"
    index.write_text("\n".join(index.read_text().splitlines()[:2]))
    try:
        with pytest.raises(NotInstalled):
            baselines.ssim(*(scene(1, (64, 64)),) * 2, np.ones((64, 64), bool))
        document = localise.run_localise(tmp_path / "cases", tmp_path / "out", jobs=1)
    finally:
        baselines._skimage_ssim.cache_clear()
    assert "ssim" not in document["speed"]
    assert "ssim aligned" not in document["overlap"]["S given"]["iou"]
    assert "absdiff aligned" in document["overlap"]["S given"]["iou"]
    page = (tmp_path / "out" / "results.md").read_text("utf-8")
    assert "SSIM was left out: scikit-image is not installed" in page
    assert "No plots: they need matplotlib" in page
    assert document["plots"] == []


def test_a_probe_measures_what_runs_and_goes_again() -> None:
    from wholecloth.localisation import predict

    before = predict._sharpness
    with probe.probing() as seen:
        assert predict._sharpness is not before
        outer = seen.wrapped("outer", seen.wrapped("inner", _spin))
        assert outer() == "spun"
    assert predict._sharpness is before
    assert seen.last["inner"] == "spun"
    assert seen.own_s["inner"] > 0.02
    assert seen.own_s["outer"] < 0.01, "its own time only"
    assert probe.total({"a": 1.0, "a: b": 2.0, "ab": 4.0}, "a") == 3.0


def _spin() -> str:
    end = time.process_time() + 0.03
    while time.process_time() < end:
        pass
    return "spun"


def test_ours_in_the_benchmark_is_ours_in_the_product(drawn: Path) -> None:
    from wholecloth.bench.pairs import measure as product

    row = next(r for r in load(drawn) if r.kind == "S")
    (side,) = measure(row, [7])
    alone = product(row, 7)
    assert side.scores[OURS].iou == alone.iou
    assert side.scores[OURS].flagged == alone.flagged
    assert (side.error_px, side.verdict) == (alone.error_px, alone.verdict)


@pytest.mark.parametrize(
    "text", ["name", "=x {published} {out}", "a=run {published}", "a='x", "a="]
)
def test_a_peer_must_say_where_its_map_goes(text: str) -> None:
    with pytest.raises(UsageRefused):
        peers.peer_of(text)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("pass", "left 0 maps"),
        ("open(o + '/m.npy', 'w').write('x')", "cannot be read"),
        ("import numpy; numpy.save(o + '/m.npy', numpy.array([[1.0, float('nan')]]))", "finite"),
        ("import numpy; numpy.save(o + '/m.npy', numpy.zeros(3))", "finite numbers"),
        ("open(o + '/m.png', 'w').write('x')", "cannot be read"),
        ("import time; time.sleep(60)", "took over 1 s"),
        ("import subprocess; subprocess.run(['sleep', '60'])", "took over 1 s"),
    ],
)
def test_peers_that_give_no_map(code: str, reason: str) -> None:
    words = (sys.executable, "-c", f"import sys; o = sys.argv[1]; {code}", "{out}", "{published}")
    begun = time.monotonic()
    with pytest.raises(peers.PeerFailed, match=reason):
        peers.run(peers.Peer("p", words, 1), (b"a", "JPEG"), (b"b", "PNG"), (8, 8))
    assert time.monotonic() - begun < 20


def test_a_peer_is_given_the_files_and_its_map_is_brought_to_the_frame(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, numpy; p, q, o = map(pathlib.Path, sys.argv[1:])\n"
        "assert (p.suffix, q.suffix) == ('.jpg', '.png')\n"
        "assert (p.read_bytes(), q.read_bytes()) == (b'a', b'b')\n"
        "numpy.save(o / 'm.npy', numpy.array([[0.0, 0.0], [0.0, 9.0]]))"
    )
    words = (sys.executable, "-c", code, "{published}", "{original}", "{out}")
    found = peers.run(peers.Peer("p", words), (b"a", "JPEG"), (b"b", "PNG"), (8, 10))
    assert found.score is not None
    assert found.score.shape == found.mask.shape == (8, 10)
    assert found.mask[-1, -1]
    assert not found.mask[0].any()


def test_a_stopped_run_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {"results.json": b"old"}
    (tmp_path / "results.json").write_bytes(b"old")
    steps = 0

    def stop(step: str, path: Path) -> None:
        nonlocal steps
        steps += step == "rename"
        if steps == 3:
            monkeypatch.setattr(atomic, "before_step", lambda *_: None)
            raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "before_step", stop)
    files = {"results.json": b"new", "results.md": b"new", "iou.png": b"new"}
    with pytest.raises(KeyboardInterrupt):
        localise.write(tmp_path, files)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == old
    steps = 0
    monkeypatch.setattr(atomic, "before_step", stop)
    with pytest.raises(KeyboardInterrupt):
        localise.write(tmp_path / "fresh" / "deep", files)
    assert not (tmp_path / "fresh").exists()


def _slow(folder: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(dir=folder):
        time.sleep(60)


@pytest.mark.parametrize("how", ["SIGINT", "SIGKILL"])
def test_a_stop_ends_the_workers_and_their_temporary_folders(tmp_path: Path, how: str) -> None:
    code = (
        "import os, signal, sys, threading, time; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from test_bench_localise import _slow; from wholecloth.bench.work import spread\n"
        # A shell's background job ignores SIGINT, and its children inherit that.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "def stop():\n"
        "    while len(list(Path(sys.argv[1]).iterdir())) < 2: time.sleep(0.05)\n"
        f"    os.kill(os.getpid(), signal.{how})\n"
        "if __name__ == '__main__':\n"
        "    threading.Thread(target=stop, daemon=True).start()\n"
        "    spread(_slow, [(sys.argv[1],)] * 8, 2)\n"
    )
    script, folder = tmp_path / "run.py", tmp_path / "temp"
    script.write_text(code)
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), str(folder), str(Path(__file__).parent)],
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        # Standard error ends when the last worker, which holds it too, has ended.
        said = child.communicate(timeout=50)[1]
    assert ("KeyboardInterrupt" in said) == (how == "SIGINT")
    assert child.returncode != 0
    assert not list(folder.iterdir())


def test_spread_keeps_the_order() -> None:
    assert spread(pow, [(n, 2) for n in range(5)], 1) == [0, 1, 4, 9, 16]
    assert spread(pow, [(n, 2) for n in range(5)], 2) == [0, 1, 4, 9, 16]


def test_a_large_repost_is_measured_too(tmp_path: Path) -> None:
    # 5 MP: compared at a reduced size, its map brought back to the full frame.
    original = scene(60, (2600, 2000))
    edited = original.copy()
    edited[600:1300, 700:1500] = scene(61, (800, 700))
    mask = np.zeros(original.shape[:2], bool)
    mask[600:1300, 700:1500] = True
    sent = launder(edited, mask, Laundering(qualities=(85,)))
    cv2.imwrite(str(tmp_path / "a.png"), original[..., ::-1])
    (tmp_path / "b.jpg").write_bytes(sent.data)
    cv2.imwrite(str(tmp_path / "m.png"), sent.mask.astype(np.uint8) * 255)
    row = {"id": "x", "class": "C", "original": "a.png", "published": "b.jpg", "mask": "m.png"}
    row["mask_source"] = "given"
    (tmp_path / "cases.jsonl").write_text(json.dumps(row))
    (result,) = localise.measure_all(tmp_path, [None], 1)
    assert result.scores[OURS].iou is not None
    assert result.scores[OURS].iou > 0.9
    assert result.scores[OURS].auc is not None
    assert result.scores[OURS].auc > 0.95
    assert result.peak_mib is None or result.peak_mib < 1500


def test_without_cases_a_set_is_drawn_and_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    line = ["bench", "localise", "--pairs", "2", "--jobs", "1", "--json"]
    shown = CliRunner().invoke(program, [*line, "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0, shown.output
    document = json.loads(shown.stdout)
    assert document["command"] == "wholecloth bench localise --pairs 2 --seed 1"
    assert {k: r["pairs"] for k, r in document["pairs"].items()} == {"D": 1, "S": 1}
    assert not list((tmp_path / "temp").iterdir())
