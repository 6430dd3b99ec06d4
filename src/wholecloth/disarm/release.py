"""Facts of DISARM release 1.7 about the techniques wholecloth decides between.

Ids mean other things in other releases (T0166.003 does in the 2.0 Observations release), and STIX
ids are re-minted on every build, so a technique is always framework, release, id *and* name.
"""

from __future__ import annotations

from wholecloth.model.assertion import TechniqueRef
from wholecloth.model.dated import Dated

RELEASE = "1.7"
DATED = Dated(
    name="DISARM framework",
    what="a later release may name or number techniques otherwise",
    checked="2026-11-24",
    source="DISARM 1.7 (DISARMframeworks-17, 2026-01-21)",
)

_NAMES = {
    "T0161": "Falsified Content",
    "T0161.004": "Imagery Depicting Individual Edited to Introduce Sexual Material",
    "T0162.006": "AI-Generated Content Incorrectly Presented as Depicting Reality",
    "T0162.008": "Context Reframed by Edits to Media",
    "T0165": "Edited Content",
    "T0166": "AI-Generated Content",
    "T0166.002": "Sexual Deepfake Impersonation",
    "T0166.003": "AI-Nudified Imagery",
}


def technique(id_: str) -> TechniqueRef:
    """The named reference for an id of this release.  Raises KeyError for an unknown one."""
    return TechniqueRef("DISARM", RELEASE, id_, _NAMES[id_])
