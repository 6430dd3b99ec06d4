"""The record as a person reads it on a terminal: plain text, names shown, foreign text escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wholecloth.share import words
from wholecloth.share.words import plain

_MARK = {"met": "[met]         ", "missing": "[missing]     ", "contradicted": "[contradicted]"}


def summary(record: Mapping[str, Any], name: str, folder: str) -> str:
    """Several lines, no colour codes: which original, where, how, what it comes to."""
    lines = [f"{plain(name)}", ""]
    lines += _original(record)
    lines += _method(record)
    lines += ["", "Propositions"]
    for key, reading in record["propositions"].items():
        text = f"  {key:<4}{words.PROPOSITION[key]}"
        lines.append(f"{text:<60} {words.STATE[reading['state']]}")
    lines += _decision(record)
    lines += _left_out(record)
    lines += ["", f"Written to {plain(folder)}: record.json, report.html, figures"]
    return "\n".join(lines)


def _original(record: Mapping[str, Any]) -> list[str]:
    original, edit = record["original"], record["edit"]
    lines = [f"Verdict      {record['verdict']}: {words.VERDICT[record['verdict']]}"]
    if original is None:
        return [*lines, f"             {record['sentence']}"]
    registration = record["registration"]
    residual = registration["residual_px"]
    lines.append(f"Original     {plain(original['path'])}  ({original['relation']})")
    if registration["putative"]:
        lines.append(
            f"Geometry     {registration['inliers']} of {registration['putative']} features agree"
            + (f", residual {residual:.2f} px" if residual is not None else "")
            + (", mirrored" if registration["mirrored"] else "")
        )
    if words.bent(registration):
        lines.append(f"             {words.bent(registration)}")
    for other in record["sources"][1:]:
        lines.append(
            f"Also         {plain(other['path'])}  ({other['relation']}, {other['kind']}, "
            f"explains {words.percent(other['share'])} of the frame)"
        )
    for copy in record["copies"]:
        lines.append(f"Same bytes   {plain(copy)}")
    if edit is not None and edit["regions"]:
        regions = edit["regions"]
        published = record["published"]
        where = words.place(regions[0]["polygon"], published["width"], published["height"])
        count = f"{len(regions)} region" + ("" if len(regions) == 1 else "s")
        largest = "" if len(regions) == 1 else "the largest "
        lines.append(
            f"Edited       {words.percent(edit['share'])} of the comparable area, {count}, "
            f"{largest}{where}"
        )
        if words.changed(regions[0]):
            lines.append(f"             {words.changed(regions[0])}")
    elif edit is not None:
        lines.append("Edited       no area; every comparable part is explained by the original")
    if words.laid(original):
        lines.append(f"On top       {words.laid(original)}")
    for number, line in enumerate(words.parts(record)):
        lines.append(f"{'' if number else 'Parts':<13}{line}")
    if edit is not None and edit["beside"] > 0.05:
        share = words.percent(edit["beside"])
        lines.append(f"Not compared {share} of the frame: the original does not cover it")
    if original["relation"] == "partial":
        lines.append(f"Explains     {words.percent(original['share'])} of the published frame")
    return lines


def _method(record: Mapping[str, Any]) -> list[str]:
    lines = ["", "How it was made"]
    for finding in record["findings"]:
        if finding["state"] == "observed":
            kind = "score only" if finding["tier"] == "score" else f"tier {finding['tier']}"
            lines.append(f"  {finding['signal']} ({kind}): {plain(finding['text'])}")
        else:
            lines.append(f"  {finding['signal']}: {plain(finding['reason'])}")
    return lines


def _decision(record: Mapping[str, Any]) -> list[str]:
    decision = record["decision"]
    lines = ["", f"Outcome      {words.headline(record)}"]
    technique = decision["technique"]
    if technique:
        lines.append(
            f"             {technique['framework']} {technique['release']} {technique['id']} "
            f"{technique['name']}" + (f", on {decision['basis']}" if decision["basis"] else "")
        )
    for also in decision["also"]:
        lines.append(f"             also {also['id']} {also['name']}")
    reached = decision["outcome"].startswith("T")
    lines.append("Conditions   " + ("" if reached else "of T0166.003, the question asked"))
    lines += [f"  {_MARK[c['state']]} {c['text']}" for c in decision["conditions"]]
    lines += [f"  If           {plain(s)}" for s in decision["sensitivity"]]
    lines += [f"  Next         {s}" for s in decision["next_steps"]]
    return lines


def _left_out(record: Mapping[str, Any]) -> list[str]:
    lines = ["", "Not examined"]
    lines += [f"  {plain(n)}" for n in record["not_examined"]]
    skipped = record["candidates"]["skipped"]
    for entry in skipped[:8]:
        lines.append(f"  left out: {plain(entry['path'])} ({plain(entry['reason'])})")
    if len(skipped) > 8:
        lines.append(f"  … and {len(skipped) - 8} more, all in record.json")
    return lines


def overview(items: list[dict[str, Any]]) -> str:
    """One line per published file of a batch."""
    lines = ["Summary"]
    for item in items:
        if "error" in item:
            what = f"refused: {plain(item['error']['reason'])}"
        else:
            record = item["record"]
            what = f"{record['verdict']}, {record['decision']['outcome']}"
        lines.append(f"  {plain(item['published'])}: {what}")
    return "\n".join(lines)
