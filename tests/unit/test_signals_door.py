"""Everything that comes through the door keeps its promises."""

from __future__ import annotations

import numpy as np
import pytest

from wholecloth.model.comparison import Alignment, EditMap
from wholecloth.model.evidence import Exhibit, Failed, Inapplicable, Observed
from wholecloth.model.media import ContainerFacts, Digests, Picture
from wholecloth.signals.registry import Broken, installed, run_all


def picture(shape: tuple[int, int]) -> Picture:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    facts = ContainerFacts("PNG", shape[1], shape[0], "RGB", c2pa_state="none")
    return Picture(Digests("0" * 64, "0" * 32), pixels, facts)


def edit_map(shape: tuple[int, int]) -> EditMap:
    mask = np.zeros(shape, bool)
    return EditMap(mask, ~mask, (), False, 0.0, 1.0, 1.0, 1.0, -0.1, 2.0, "test")


BARE = Exhibit(picture((40, 50)))
FULL = Exhibit(
    picture((40, 50)),
    picture((40, 50)),
    Alignment(np.eye(3), False, 9, 9, 0.1, "integer"),
    edit_map((40, 50)),
)


def test_our_four_are_installed_and_none_is_broken() -> None:
    signals = installed()
    assert not [s for s in signals if isinstance(s, Broken)]
    names = {s.info.id for s in signals if not isinstance(s, Broken)}
    assert names >= {"content_credentials", "digital_source_type", "generator_text", "resynthesis"}


@pytest.mark.parametrize(
    "signal", [s for s in installed() if not isinstance(s, Broken)], ids=lambda s: s.info.id
)
@pytest.mark.parametrize(
    "exhibit", [BARE, FULL, Exhibit(picture((1, 1)))], ids=["bare", "full", "1x1"]
)
def test_card_repeatable_answer_and_untouched_exhibit(signal: object, exhibit: Exhibit) -> None:
    info = signal.info  # type: ignore[attr-defined]
    for field in ("id", "version", "group", "shows", "limits", "licence", "source"):
        assert getattr(info, field).strip(), field
    assert info.propositions
    before = exhibit.published.pixels.copy()
    first = signal.examine(exhibit)  # type: ignore[attr-defined]
    assert first == signal.examine(exhibit)  # type: ignore[attr-defined]
    assert isinstance(first, (Observed, Inapplicable, Failed))
    if isinstance(first, (Inapplicable, Failed)):
        assert first.reason
    np.testing.assert_array_equal(before, exhibit.published.pixels)


def test_absence_moves_nothing() -> None:
    for finding in run_all(BARE):
        assert isinstance(finding.outcome, Inapplicable)


def test_a_residue_is_a_score_and_supports_nothing() -> None:
    (found,) = [f.outcome for f in run_all(FULL) if f.signal.id == "resynthesis"]
    assert isinstance(found, Observed)
    assert found.tier == "score"
    assert found.supports == ()
    assert found.log10_lr is None
