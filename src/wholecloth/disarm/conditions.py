"""What each outcome needs, as data.

Read from the release's own pages (the sentence it rests on is paraphrased beside each).  The
evaluator in ``weighing.decision`` knows nothing of techniques; change the table, not the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from wholecloth.model.assertion import OutcomeId


@dataclass(frozen=True, slots=True)
class Need:
    """One condition: met when *any* of ``facts`` is supported."""

    text: str
    facts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something that rules the outcome out when it is supported."""

    text: str
    fact: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An outcome with what it needs and what excludes it."""

    outcome: OutcomeId
    technique: str | None
    needs: tuple[Need, ...]
    excluded_by: tuple[Exclusion, ...] = ()
    also: tuple[tuple[str, str], ...] = ()
    """(fact, technique): added when the fact is supported."""


_ORIGINAL = Need("an original of this picture exists", ("P1",))
_EDIT = Need("the published picture was made from that original by an edit", ("P2",))
_AI = Need("AI made the edit", ("P3",))
_CLOTHED = Need("the reference picture shows the person clothed (a human finding)", ("P4a",))
_UNCLOTHED = Need(
    "the published picture appears to show them unclothed (a human finding or a platform's record)",
    ("P4b",),
)
_SEXUAL = Need("it is sexual, in a named cultural context (a human finding)", ("P4c",))

RULES: tuple[Rule, ...] = (
    # T0166.003: the original is identified, the published image was edited using AI to appear
    # undressed; submission to an AI platform or the platform's own word are named as evidence.
    Rule(
        "T0166.003",
        "T0166.003",
        (_ORIGINAL, _EDIT, _AI, _CLOTHED, _UNCLOTHED),
        (
            Exclusion("the likeness was placed into other material", "other_material"),
            Exclusion("the edit was made without AI", "manual"),
        ),
        (("P5", "T0162.006"),),
    ),
    # T0166.002: confirmed as generated with AI, sexual in nature, the likeness imposed on other
    # source material or wholly synthesised.
    Rule(
        "T0166.002",
        "T0166.002",
        (
            _AI,
            _SEXUAL,
            Need(
                "the likeness was placed into other material, or all of it is synthetic",
                ("other_material",),
            ),
        ),
        (
            Exclusion("the surroundings come from the subject's own photograph", "surroundings"),
            Exclusion("the edit was made without AI", "manual"),
        ),
        (("P5", "T0162.006"),),
    ),
    # T0161.004: the source imagery is identified and was not sexual; the edit is manual.
    Rule(
        "T0161.004",
        "T0161.004",
        (
            Need("the source picture of the person was not sexual (a human finding)", ("P4a",)),
            Need("the published picture was edited", ("P2", "other_material")),
            Need("the method was manual, not AI", ("manual",)),
            Need("sexual material was introduced (a human finding)", ("P4b", "P4c")),
        ),
        (Exclusion("AI made the edit", "P3"),),
        (("P5", "T0162.008"),),
    ),
    # T0166: the parent, where AI and the effect are shown but the source is unknown or only the
    # face or pose was derived, so that .002 and .003 cannot be told apart.
    Rule(
        "T0166",
        "T0166",
        (
            _AI,
            Need("it appears unclothed or is sexual (a human finding)", ("P4b", "P4c")),
        ),
        (
            Exclusion("the surroundings come from the subject's own photograph", "surroundings"),
            Exclusion("the edit was made without AI", "manual"),
        ),
        (("P5", "T0162.006"),),
    ),
    # The parent T0161 named as such; T0165 only where non-disclosure is recorded.
    Rule(
        "edited_method_undetermined",
        "T0161",
        (
            Need("an original of this picture exists", ("P1",)),
            Need("the published picture was edited", ("P2", "other_material")),
        ),
        (
            Exclusion("AI made the edit", "P3"),
            Exclusion("the edit was made without AI", "manual"),
        ),
        (("P5", "T0165"),),
    ),
    Rule(
        "not_an_edit",
        None,
        (Need("the published picture is a copy of a candidate", ("copy",)),),
    ),
)
