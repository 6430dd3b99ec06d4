"""Propositions, conditions and the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["supported", "weakly_supported", "not_stated", "contradicted", "undetermined"]
ConditionState = Literal["met", "missing", "contradicted"]
OutcomeId = Literal[
    "T0166.003",
    "T0166.002",
    "T0161.004",
    "T0166",
    "edited_method_undetermined",
    "not_an_edit",
    "undetermined",
]
Basis = Literal["pixels", "documents", "both"]


@dataclass(frozen=True, slots=True)
class TechniqueRef:
    """An entry of a framework, always with its release: ids change meaning between releases."""

    framework: str
    release: str
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Reading:
    """The state of one proposition, and why."""

    state: State
    because: tuple[str, ...]
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing a technique needs."""

    text: str
    state: ConditionState
    because: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome, its conditions, and what would change it."""

    outcome: OutcomeId
    basis: Basis | None
    technique: TechniqueRef | None
    also: tuple[TechniqueRef, ...]
    conditions: tuple[Condition, ...]
    sensitivity: tuple[str, ...]
    next_steps: tuple[str, ...]
