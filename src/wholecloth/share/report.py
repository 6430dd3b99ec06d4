"""The report: one self-contained HTML file without script, made from the record alone.

It shows item labels, never file names, and no pixel of the published picture.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from wholecloth.share import words


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("wholecloth", "share/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["plain"] = words.plain
    environment.filters["percent"] = words.percent
    return environment.get_template("report.html.j2")


def render(
    record: Mapping[str, Any], figure_png: bytes | None, map_png: bytes | None = None
) -> str:
    """The report of one record; the figures are the outline and the map, if they could be drawn."""
    published = record["published"]
    edit = record["edit"]
    regions = []
    for number, region in enumerate(edit["regions"] if edit else (), 1):
        where = words.place(region["polygon"], published["width"], published["height"])
        changed = words.changed(region)
        regions.append(
            {"number": number, "where": where, "share": region["share"], "changed": changed}
        )
    figure, drawn_map = (
        base64.b64encode(f).decode("ascii") if f else None for f in (figure_png, map_png)
    )
    return _template().render(
        record=record,
        decision=record["decision"],
        edit=edit,
        original=record["original"],
        registration=record["registration"],
        regions=regions,
        bent=words.bent(record["registration"] or {}),
        laid=words.laid(record["original"] or {}),
        figure=figure,
        drawn_map=drawn_map,
        parts=words.parts(record),
        headline=words.headline(record),
        verdict=words.VERDICT[record["verdict"]],
        propositions=words.PROPOSITION,
        states=words.STATE,
        weakest=words.weakest(record),
        rests=words.rests_on(record),
        met=sum(c["state"] == "met" for c in record["decision"]["conditions"]),
        observed=[f for f in record["findings"] if f["state"] == "observed"],
        silent=[f for f in record["findings"] if f["state"] != "observed"],
    )
