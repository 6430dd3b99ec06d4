"""``wholecloth bench``: how well and how fast, on your own cases or drawn ones."""

from __future__ import annotations

import json
from contextlib import closing, nullcontext
from pathlib import Path

import click

from wholecloth.cli import options, stopping
from wholecloth.cli.watch import Watch
from wholecloth.errors import UsageRefused
from wholecloth.share import words

_cases = click.argument("cases", type=options.PATH)
_out = click.option(
    "--out", type=options.PATH, default=Path("bench-results"), show_default=True, help="Results."
)
_launder = click.option(
    "--launder",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Send each published file through this many random reposts; 0 = as it lies.",
)
_seed = click.option("--seed", type=click.IntRange(min=0), default=1, show_default=True)
_jobs = click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: all]")

_MOST = 10_000_000
"""Pictures that ``--growth`` may re-draw: some 60 GB."""

_PEERS = """A peer's command is given {published}, {original} (files) and {out} (a folder) and
leaves one map there, .npy or gray .png; it runs without a shell. A wrapper may be as short as

\b
  import sys, numpy as np
  from pyIFD.NOI1 import GetNoiseMap
  published, out = sys.argv[1:]
  np.save(out + "/map.npy", GetNoiseMap(published))

\b
  --peer "pyIFD NOI1=/envs/pyifd/bin/python /place/wrap.py {published} {out}"
"""


@click.group(
    short_help="Measure accuracy and speed.",
    epilog="Example:  wholecloth bench draw drawn/ --pairs 6 && wholecloth bench all drawn/",
)
def bench() -> None:
    """Measure accuracy and speed over a folder of CASES, your own or drawn ones.

    CASES holds cases.jsonl, one JSON object a line: id, class, original, published (paths relative
    to the folder), and where known mask (255 = changed, published frame), mask_source and
    H_original_to_published. Class D is benign, class E holds distractors. Localisation is scored
    only against masks whose mask_source begins with "given" or "recovered".
    """


@bench.command(epilog="Example:  wholecloth bench draw drawn/ --pairs 4 --seed 5")
@_cases
@_seed
@click.option("--pairs", type=click.IntRange(min=1), default=48, show_default=True)
@click.option("--distractors", type=click.IntRange(min=0), default=20, show_default=True)
@options.quiet
def draw(cases: Path, seed: int, pairs: int, distractors: int, quiet: bool) -> None:
    """Draw a folder of cases with exact masks and homographies into CASES.

    Drawn scenes and, where scikit-image is installed, its photographs of things; no person is
    pictured. The same seed draws the same cases.
    """
    if cases.exists() and any(cases.iterdir()):
        raise UsageRefused(str(cases), "is not empty", "give a new folder")
    from wholecloth.testing.drawn_set import draw_set  # noqa: PLC0415

    with Watch(quiet=quiet) as watch:
        index = draw_set(cases, seed=seed, pairs=pairs, distractors=distractors, progress=watch)
    click.echo(f"drawn: {words.plain(str(index))}")


@bench.command(
    epilog=_PEERS + "\nExample:  wholecloth bench localise cases/ --launder 1 --out side-by-side/"
)
@click.argument("cases", type=options.PATH, required=False)
@_out
@_launder
@_seed
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=48,
    show_default=True,
    help="How many are drawn where no CASES are given.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=COMMAND",
    help="Another detector, in its own environment; may be given again.",
)
@click.option(
    "--peer-timeout",
    type=click.IntRange(min=1),
    default=300,
    show_default=True,
    help="Seconds a peer may take for one pair.",
)
@_jobs
@options.as_json
@options.quiet
def localise(
    cases: Path | None,
    out: Path,
    launder: int,
    seed: int,
    pairs: int,
    peers: tuple[str, ...],
    peer_timeout: int,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Registration and localisation beside plain differences, SSIM and ImageMagick.

    Every pair of CASES (without it: of a set drawn for the run), each baseline once on the
    registered original and once on one merely resized: IoU, F1 and pixel AUC per class and origin
    of the mask, area falsely flagged where nothing was edited, registration error, CPU time per
    stage against scikit-image's SSIM, and memory. For timings worth quoting give --jobs 1.

    Writes results.json, results.md and plots. Nothing of the pictures is written; ImageMagick and
    peers are given them in temporary folders.
    """
    from wholecloth.bench.localise import run_localise  # noqa: PLC0415
    from wholecloth.bench.peers import peer_of  # noqa: PLC0415
    from wholecloth.bench.side_tables import markdown  # noqa: PLC0415

    others = [peer_of(text, peer_timeout) for text in peers]
    click.get_current_context().with_resource(stopping.armed())
    with Watch(quiet=quiet or as_json) as watch:
        document = run_localise(
            cases,
            out,
            launder=launder,
            seed=seed,
            pairs=pairs,
            jobs=jobs,
            others=others,
            progress=watch,
        )
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(markdown(document))
    written = ", ".join(["results.json", "results.md", *document["plots"]])
    click.echo(f"Written to {words.plain(str(out))}: {written}")


_VERDICT_PEERS = """A peer's command is given {published} and {original} (files, the true pair) and
prints "match" or "no match" as its last line; it runs without a shell. A wrapper may be as short as

\b
  import sys
  from perception.local_descriptor_deduplication import SIFT, generate_image_descriptors
  one, two = map(generate_image_descriptors, sys.argv[1:])
  print("match" if one and two and SIFT().validate_match(one, two)[0] else "no match")
"""


@bench.command(
    epilog=_VERDICT_PEERS
    + "\nExample:  wholecloth bench retrieve photos/ --queries 6 --out search/"
)
@_cases
@_out
@click.option(
    "--queries",
    type=click.IntRange(min=1),
    default=120,
    show_default=True,
    help="Drawn attacks; half as many of each kind of negative.",
)
@_seed
@click.option(
    "--kept-out",
    type=click.FloatRange(0, 0.9),
    default=0.3,
    show_default=True,
    metavar="SHARE",
    help="Share of the photographs that stays out of the index.",
)
@click.option(
    "--growth",
    metavar="SIZES",
    help="Also measure at these sizes, as 1000,10000; pictures beyond those there are re-drawn.",
)
@click.option(
    "--peer",
    "peers",
    multiple=True,
    metavar="NAME=COMMAND",
    help="Another verifier, told the true pair; may be given again.",
)
@click.option(
    "--peer-timeout",
    type=click.IntRange(min=1),
    default=60,
    show_default=True,
    help="Seconds a peer may take for one pair.",
)
@_jobs
@options.as_json
@options.quiet
def retrieve(
    cases: Path,
    out: Path,
    queries: int,
    seed: int,
    kept_out: float,
    growth: str | None,
    peers: tuple[str, ...],
    peer_timeout: int,
    jobs: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """The search for the original beside PDQ, pHash and dHash.

    CASES may be any folder of photographs. They are indexed in a temporary folder and asked for
    by drawn attacks: 15-60 % replaced, re-rendered, cropped, mirrored, filtered, resized, framed;
    by crops of one person from large photographs; and, where there is a cases.jsonl, by its
    published pictures. Photographs kept out and drawn look-alikes show how often it names a wrong
    one. Of cases, only class E is kept out.

    Writes results.json, results.md and plots. Nothing of the pictures is written.
    """
    from wholecloth.bench.peers import VERDICT_HOLES, peer_of  # noqa: PLC0415
    from wholecloth.bench.retrieve import How, run_retrieve  # noqa: PLC0415
    from wholecloth.bench.retrieve_page import markdown  # noqa: PLC0415

    others = [peer_of(text, peer_timeout, VERDICT_HOLES) for text in peers]
    how = How(queries, seed, kept_out, jobs, _sizes(growth))
    click.get_current_context().with_resource(stopping.armed())
    with Watch(quiet=quiet or as_json) as watch:
        document = run_retrieve(cases, out, how, others=others, progress=watch)
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(markdown(document))
    written = ", ".join(["results.json", "results.md", *document["plots"]])
    click.echo(f"Written to {words.plain(str(out))}: {written}")


def _sizes(text: str | None) -> tuple[int, ...]:
    """Whole numbers between commas."""
    parts = text.split(",") if text else []
    if not all(p.strip().isdecimal() and 0 < int(p) <= _MOST for p in parts):
        remedy = f"give whole numbers up to {_MOST} between commas, as 1000,10000"
        raise UsageRefused(f"--growth {text}", "is no list of sizes", remedy)
    return tuple(int(p) for p in parts)


@bench.command("all", epilog="Example:  wholecloth bench all cases/ --launder 1 --out laundered/")
@_cases
@_out
@_launder
@_seed
@_jobs
@click.option("--search/--no-search", default=True, help="Also search for every original.")
@options.cache
@options.as_json
@options.quiet
def all_(
    cases: Path,
    out: Path,
    launder: int,
    seed: int,
    jobs: int | None,
    search: bool,
    use_cache: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Right originals, registration, localisation, false alarms, time and memory.

    Writes results.json, results.md and plots. Nothing of the pictures is written.
    """
    from wholecloth.bench.run import run_all  # noqa: PLC0415
    from wholecloth.bench.tables import markdown  # noqa: PLC0415
    from wholecloth.retrieval.cache import FeatureCache  # noqa: PLC0415

    cache = FeatureCache.open() if use_cache and search else None
    with Watch(quiet=quiet or as_json) as watch, closing(cache) if cache else nullcontext():
        document = run_all(
            cases,
            out,
            launder=launder,
            seed=seed,
            jobs=jobs,
            with_search=search,
            cache=cache,
            progress=watch,
        )
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False))
        return
    click.echo(markdown(document))
    written = ", ".join(["results.json", "results.md", *document["plots"]])
    click.echo(f"Written to {words.plain(str(out))}: {written}")
