"""The decision: evaluate the conditions, name the weakest link, say what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wholecloth.disarm.conditions import RULES, Need, Rule
from wholecloth.disarm.release import technique
from wholecloth.model.assertion import Basis, Condition, ConditionState, Decision, Reading
from wholecloth.model.evidence import Finding, Observed, Proposition, Statement
from wholecloth.weighing.propositions import Pair, readings

Readings = Mapping[Proposition, Reading]
Facts = Mapping[str, tuple[ConditionState, tuple[str, ...]]]


def decide(
    pair: Pair,
    findings: Sequence[Finding],
    statements: Sequence[Statement],
    published_sha256: str,
) -> tuple[Readings, Decision]:
    """Propositions and the decision they reach, with its sensitivity."""
    read = readings(pair, findings, statements, published_sha256)
    facts = facts_of(pair, read)
    rule = _first(facts)
    sensitivity = []
    for left in _leave_one_out(pair, findings, statements):
        other_read = readings(left.pair, left.findings, left.statements, published_sha256)
        other = _first(facts_of(left.pair, other_read)).outcome
        if other != rule.outcome:
            sensitivity.append(f"Without {left.name} the outcome would be {other}.")
    # A reached technique shows its own conditions; anything else, those of the question asked.
    shown = rule if rule.outcome.startswith("T") else RULES[0]
    reference = technique(rule.technique) if rule.technique else None
    also = tuple(technique(t) for fact, t in rule.also if facts[fact][0] == "met")
    return read, Decision(
        outcome=rule.outcome,
        basis=_basis(rule, read),
        technique=reference,
        also=also,
        conditions=_conditions(shown, facts),
        sensitivity=tuple(sensitivity),
        next_steps=_next_steps(shown, facts, pair),
    )


_UNDETERMINED = Rule("undetermined", None, ())


def facts_of(pair: Pair, read: Readings) -> Facts:
    """Every fact a rule may ask for, as a condition state with its reasons."""
    out: dict[str, tuple[ConditionState, tuple[str, ...]]] = {}
    for proposition, reading in read.items():
        state: ConditionState = "missing"
        if reading.state == "supported":
            state = "met"
        elif reading.state == "contradicted":
            state = "contradicted"
        because = reading.because
        if reading.state == "weakly_supported":
            because = ("only weakly supported", *because)
        out[proposition] = (state, because)
    verdict = pair.verdict
    partial: ConditionState = "met" if verdict == "partial" else "missing"
    if verdict in ("edit", "copy", "rerendered"):
        partial = "contradicted"
    if pair.donor and partial == "contradicted":
        partial = "missing"  # which of the two shows the person is not for pixels to say
    out["other_material"] = (partial, (pair.sentence, *filter(None, (pair.donor,))))
    own = verdict in ("edit", "copy", "rerendered") and not pair.donor
    carried: ConditionState = "met" if own else "missing"
    if verdict == "partial":
        carried = "contradicted"
    out["surroundings"] = (carried, (pair.sentence, *filter(None, (pair.donor,))))
    out["copy"] = ("met" if verdict == "copy" and not pair.chain else "missing", (pair.sentence,))
    manual: ConditionState = "met" if read["P3"].state == "contradicted" else "missing"
    if read["P3"].state == "supported":
        manual = "contradicted"
    out["manual"] = (manual, read["P3"].because)
    return out


def _met(need: Need, facts: Facts) -> ConditionState:
    states = [facts[f][0] for f in need.facts]
    if "met" in states:
        return "met"
    return "contradicted" if all(s == "contradicted" for s in states) else "missing"


def _holds(rule: Rule, facts: Facts) -> bool:
    needed = all(_met(n, facts) == "met" for n in rule.needs)
    return needed and not any(facts[e.fact][0] == "met" for e in rule.excluded_by)


def _first(facts: Facts) -> Rule:
    return next((r for r in RULES if _holds(r, facts)), _UNDETERMINED)


def _conditions(rule: Rule, facts: Facts) -> tuple[Condition, ...]:
    out = []
    for need in rule.needs:
        state = _met(need, facts)
        met = [f for f in need.facts if facts[f][0] == "met"] or list(need.facts)
        because = tuple(b for f in met for b in facts[f][1])
        out.append(Condition(need.text, state, because))
    for exclusion in rule.excluded_by:
        state, because = facts[exclusion.fact]
        turned: ConditionState = "contradicted" if state == "met" else "met"
        text = f"no sign that {exclusion.text}"
        out.append(Condition(text, turned, because if state == "met" else ()))
    return tuple(out)


def _basis(rule: Rule, read: Readings) -> Basis | None:
    if rule.outcome == "undetermined":
        return None
    if rule.outcome == "not_an_edit":
        return "pixels"
    by_documents: Basis | None = "documents" if read["P3"].basis == "documents" else None
    return read["P2"].basis or read["P1"].basis or by_documents


@dataclass(frozen=True, slots=True)
class _Without:
    """The evidence with one item left out."""

    name: str
    pair: Pair
    findings: Sequence[Finding]
    statements: Sequence[Statement]


def _leave_one_out(
    pair: Pair, findings: Sequence[Finding], statements: Sequence[Statement]
) -> list[_Without]:
    out = []
    if pair.verdict not in ("no_original", "undetermined"):
        blank = Pair("no_original", "left out")
        out.append(_Without("the comparison with the original", blank, findings, statements))
    for i, finding in enumerate(findings):
        if isinstance(finding.outcome, Observed) and finding.outcome.tier != "score":
            name = f"the mark read by {finding.signal.id}"
            rest = [*findings[:i], *findings[i + 1 :]]
            out.append(_Without(name, pair, rest, statements))
    for i, statement in enumerate(statements):
        what = "/".join(statement.propositions)
        name = f"the finding on {what} by {statement.label}"
        others = [*statements[:i], *statements[i + 1 :]]
        out.append(_Without(name, pair, findings, others))
    return out


_STEPS = {
    "P1": "look for the original elsewhere: the person's own phone or accounts, older posts",
    "P2": "get the published file from as early a post as possible; reposts lose detail",
    "P3": (
        "ask the platform or app for its record of the job (input, output, feature); "
        "keep the file as first received, since reposts strip marks"
    ),
    "P4a": "have a person state, with --finding, that the reference picture shows clothing",
    "P4b": "have a person or the platform's record state, with --finding, what the edit shows",
    "P4c": "have a person state, with --finding, that it is sexual, and in which cultural context",
    "manual": "a donor picture or the editor's project file would show a manual method",
}


def _next_steps(rule: Rule, facts: Facts, pair: Pair) -> tuple[str, ...]:
    if pair.verdict == "copy" and not pair.chain:
        return ()
    wanted = [f for n in rule.needs if _met(n, facts) != "met" for f in n.facts]
    return tuple(dict.fromkeys(_STEPS[f] for f in wanted if f in _STEPS))
