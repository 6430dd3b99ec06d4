"""Finding files: every field, every refusal."""

from __future__ import annotations

import json

import pytest

from wholecloth.cli.finding import TEMPLATE
from wholecloth.errors import FindingRefused
from wholecloth.weighing.statements import parse

BASE = {
    "who": "analyst 7",
    "when": "2026-11-24",
    "source": "analyst",
    "proposition": "P4b",
    "direction": "supports",
    "text": "seen in the capture",
}


def read(**changes: object) -> object:
    row = {k: v for k, v in (BASE | changes).items() if v is not None}
    return parse(json.dumps(row).encode(), "f.json", "0" * 64)


def test_one_object_is_one_statement() -> None:
    (statement,) = read()
    assert statement.propositions == ("P4b",)
    assert statement.direction == "supports"
    assert statement.file_sha256 == "0" * 64


def test_p4_means_both_halves() -> None:
    (statement,) = read(proposition="P4")
    assert statement.propositions == ("P4a", "P4b")


def test_a_list_and_a_toml_table_say_the_same() -> None:
    rows = json.dumps([BASE, BASE]).encode()
    toml = "\n".join(
        "[[finding]]\n" + "\n".join(f'{k} = "{v}"' for k, v in BASE.items()) for _ in "ab"
    )
    assert parse(rows, "a", "1" * 64) == parse(toml.encode(), "b", "1" * 64)


def test_the_template_we_print_is_accepted() -> None:
    (statement,) = parse(TEMPLATE.encode(), "template", "2" * 64)
    assert (statement.reliability, statement.credibility) == ("B", 2)


@pytest.mark.parametrize(
    "given",
    [
        {"admiralty": "B2"},
        {"admiralty": {"reliability": "B", "credibility": 2}},
        {"reliability": "b", "credibility": "2"},
    ],
)
def test_admiralty_letter_and_digit_are_kept_apart(given: dict[str, object]) -> None:
    (statement,) = read(**given)
    assert (statement.reliability, statement.credibility) == ("B", 2)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"who": None}, "'who'"),
        ({"text": "  "}, "'text'"),
        ({"proposition": None}, "'proposition'"),
        ({"proposition": "P9"}, "P9"),
        ({"direction": "maybe"}, "direction"),
        ({"when": "last week"}, "ISO 8601"),
        ({"reliability": "G"}, "A-F"),
        ({"credibility": 7}, "1-6"),
        ({"attachment_sha256": "abc"}, "64 hex"),
        ({"method": "magic"}, "method"),
        ({"verdict": "fake"}, "'verdict'"),
        ({"when": "2999-01-01"}, "lies in the future"),
        ({"method": "ai"}, "method speaks to P3"),
        ({"text": {"a": 1}}, "text must be one text"),
        ({"who": ["a", "b"]}, "who must be one text"),
        ({"feature": True}, "feature must be one text"),
    ],
)
def test_each_mistake_is_named(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(FindingRefused) as refused:
        read(**changes)
    assert complaint in refused.value.reason
    assert refused.value.item == "f.json"
    assert refused.value.remedy


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe", b"{", b"[1]", b"[" * 100_000, b"not toml at all"],
)
def test_what_is_no_finding_file_is_refused(data: bytes) -> None:
    with pytest.raises(FindingRefused):
        parse(data, "f", "0" * 64)


def test_the_second_of_two_is_named_by_number() -> None:
    rows = json.dumps([BASE, BASE | {"direction": "?"}]).encode()
    with pytest.raises(FindingRefused) as refused:
        parse(rows, "f.json", "0" * 64)
    assert "finding 2" in refused.value.item
