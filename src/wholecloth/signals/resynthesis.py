"""Whole-frame re-synthesis, read against the original: the surroundings' residue as a score."""

from __future__ import annotations

from wholecloth.model.evidence import Exhibit, Inapplicable, Observed, Outcome, SignalInfo
from wholecloth.model.media import UNMODELLED


class Resynthesis:
    """Scores S2 and S3 outside the edit."""

    info = SignalInfo(
        id="resynthesis",
        version="1",
        group="surroundings",
        propositions=("P3",),
        shows=(
            "the surroundings of the edit lost their fine detail or gained energy that the file's "
            "own JPEG tables do not explain: the whole frame was re-synthesised or degraded"
        ),
        limits=(
            "median and denoising filters, repeated JPEG, upscaling and screenshots give the same "
            "reading; a tool that pastes its result back gives none; without a calibration the "
            "score is shown and not weighed"
        ),
        licence="Apache-2.0",
        source="design section 3; statistics S2 and S3 of the reference measurement",
    )

    def examine(self, exhibit: Exhibit) -> Outcome:
        """Report S3 as the score, S2 in words; inapplicable without a comparable surrounding."""
        edits = exhibit.edits
        if edits is None:
            return Inapplicable("no original to read the surroundings against")
        if edits.exact:
            return Inapplicable(
                "the surroundings are bit-identical to the original: nothing was re-synthesised "
                "there, which fits a result pasted back by AI or by hand alike"
            )
        if exhibit.published.facts.format in UNMODELLED:
            return Inapplicable(
                f"the losses of {exhibit.published.facts.format} are not modelled, so what is left "
                "in the surroundings cannot be told from them"
            )
        s2, s3 = edits.noise_correlation_drop, edits.unexplained_log
        if s2 is None or s3 is None:
            return Inapplicable("too little area outside the edit to measure")
        detail = (
            f"follows the original {-s2:.2f} less than JPEG alone would leave"
            if s2 < -0.005
            else "follows the original as well as JPEG alone would leave"
        )
        return Observed(
            text=(
                f"outside the edit, fine detail {detail} (S2 = {s2:.3f}), and the ln of "
                f"unexplained energy is {s3:.2f} (S3)"
            ),
            tier="score",
            score=round(s3, 4),
            location="pixels outside the edit",
        )


signal = Resynthesis()
