"""The decision table, condition by condition, without pixels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wholecloth.model.evidence import Finding, Inapplicable, Observed, SignalInfo, Statement
from wholecloth.weighing.decision import decide
from wholecloth.weighing.propositions import Pair

SHA = "a" * 64
INFO = SignalInfo("mark", "1", "writer", ("P3",), "", "", "", "")
MARK = Finding(INFO, Observed("a generator's record", supports=("P3",), tier="C"))
SCORE = Finding(INFO, Observed("a residue", supports=("P3",), tier="score", score=9.0))
NONE = Finding(INFO, Inapplicable("No mark found."))
EDIT = Pair("edit", "an edit of S1")
PARTIAL = Pair("partial", "a part comes from S1")
COPY = Pair("copy", "a copy of S1")
NOTHING = Pair("no_original", "no original was found")


def say(*propositions: str, **fields: object) -> Statement:
    base = Statement("analyst 7", "2026-11-24", "analyst", propositions, "supports", "seen")  # type: ignore[arg-type]
    return replace(base, **fields)  # type: ignore[arg-type]


P4 = (say("P4a"), say("P4b"))
PLATFORM = say(
    "P1", "P2", "P3", "P4a", "P4b",
    source="platform: example", reliability="A", credibility=2,
    attachment_sha256="b" * 64, input="c" * 64, output=SHA, feature="garment removal",
)  # fmt: skip


def outcome(pair: Pair, findings: object = (), statements: object = ()) -> str:
    return decide(pair, findings, statements, SHA)[1].outcome  # type: ignore[arg-type]


def test_all_four_make_t0166_003() -> None:
    _, decision = decide(EDIT, [MARK], P4, SHA)
    assert decision.outcome == "T0166.003"
    assert decision.technique is not None
    assert decision.technique.name == "AI-Nudified Imagery"
    assert decision.technique.release == "1.7"
    assert decision.basis == "pixels"
    assert all(c.state == "met" for c in decision.conditions)


@pytest.mark.parametrize("missing", ["P4a", "P4b"])
def test_never_without_both_halves_of_p4(missing: str) -> None:
    left = [s for s in P4 if missing not in s.propositions]
    assert outcome(EDIT, [MARK], left) != "T0166.003"
    assert outcome(EDIT, [MARK], []) == "undetermined"


def test_no_mark_means_method_undetermined_and_names_the_parent() -> None:
    _, decision = decide(EDIT, [NONE], P4, SHA)
    assert decision.outcome == "edited_method_undetermined"
    assert decision.technique is not None
    assert decision.technique.id == "T0161"
    assert [t.id for t in decision.also] == []


def test_recorded_non_disclosure_adds_t0165() -> None:
    _, decision = decide(EDIT, [NONE], [*P4, say("P5")], SHA)
    assert [t.id for t in decision.also] == ["T0165"]


def test_a_score_alone_never_moves_p3() -> None:
    read, decision = decide(EDIT, [SCORE], P4, SHA)
    assert read["P3"].state == "undetermined"
    assert decision.outcome == "edited_method_undetermined"


def test_a_weak_mark_never_reaches_it() -> None:
    weak = Finding(INFO, Observed("a file name", supports=("P3",), tier="G"))
    read, decision = decide(EDIT, [weak], P4, SHA)
    assert read["P3"].state == "weakly_supported"
    assert decision.outcome == "edited_method_undetermined"


def test_manual_method_makes_t0161_004() -> None:
    manual = say("P3", direction="contradicts", method="manual", reliability="B", credibility=2)
    _, decision = decide(EDIT, [NONE], [*P4, manual, say("P5")], SHA)
    assert decision.outcome == "T0161.004"
    assert [t.id for t in decision.also] == ["T0162.008"]


def test_a_mark_against_a_manual_finding_is_a_conflict_and_decides_nothing() -> None:
    manual = say("P3", direction="contradicts", method="manual", reliability="B", credibility=2)
    read, decision = decide(EDIT, [MARK], [*P4, manual], SHA)
    assert read["P3"].state == "undetermined"
    assert decision.outcome not in ("T0166.003", "T0161.004")


def test_partial_derivation_is_never_t0166_003() -> None:
    assert outcome(PARTIAL, [MARK], P4) == "T0166"
    assert outcome(PARTIAL, [MARK], [*P4, say("P4c", context="…")]) == "T0166.002"


def test_surroundings_carried_over_are_never_t0166_002() -> None:
    assert outcome(EDIT, [MARK], [say("P4c")]) not in ("T0166.002", "T0166")


def test_on_documents_alone() -> None:
    _, decision = decide(NOTHING, [NONE], [PLATFORM], SHA)
    assert decision.outcome == "T0166.003"
    assert decision.basis == "documents"
    _, both = decide(EDIT, [MARK], [PLATFORM], SHA)
    assert both.basis == "both"


@pytest.mark.parametrize(
    "flaw",
    [
        {"attachment_sha256": None},
        {"reliability": "C"},
        {"reliability": None},
        {"input": None},
        {"output": None},
        {"feature": None},
        {"output": "d" * 64},
        {"credibility": 5},
        {"direction": "neutral"},
    ],
)
def test_a_flawed_platform_statement_does_not_carry_it(flaw: dict[str, object]) -> None:
    assert outcome(NOTHING, [NONE], [replace(PLATFORM, **flaw)]) != "T0166.003"  # type: ignore[arg-type]


def test_a_copy_is_not_an_edit_but_a_copy_of_an_edit_is_left_open() -> None:
    assert outcome(COPY) == "not_an_edit"
    assert outcome(replace(COPY, chain="which came first is not shown")) == "undetermined"


def test_sensitivity_names_what_each_thing_carries() -> None:
    _, decision = decide(EDIT, [MARK], P4, SHA)
    text = " ".join(decision.sensitivity)
    assert "Without the mark read by mark the outcome would be edited_method_undetermined." in text
    assert "the comparison with the original" in text
    assert len(decision.sensitivity) == 4


def test_p5_adds_presented_as_real() -> None:
    _, decision = decide(EDIT, [MARK], [*P4, say("P5")], SHA)
    assert [t.id for t in decision.also] == ["T0162.006"]


def test_a_finding_that_it_was_not_ai_never_supports_ai() -> None:
    denied = say("P3", direction="contradicts", method="ai", reliability="B", credibility=2)
    read, decision = decide(EDIT, [NONE], [*P4, denied], SHA)
    assert read["P3"].state == "contradicted"
    assert decision.outcome != "T0166.003"


def test_hearsay_that_it_was_ai_is_weak() -> None:
    hearsay = say("P3", reliability="B", credibility=2)
    read, decision = decide(EDIT, [NONE], [*P4, hearsay], SHA)
    assert read["P3"].state == "weakly_supported"
    assert decision.outcome == "edited_method_undetermined"


def test_a_statement_about_another_output_moves_nothing() -> None:
    other = replace(PLATFORM, output="d" * 64)
    read, decision = decide(NOTHING, [NONE], [other], SHA)
    assert {r.state for r in read.values()} == {"undetermined", "not_stated"}
    assert decision.outcome == "undetermined"


def test_a_copy_against_a_platform_document_is_a_conflict() -> None:
    assert outcome(COPY, [NONE], [*P4, PLATFORM]) not in ("T0166", "T0166.003", "T0166.002")
