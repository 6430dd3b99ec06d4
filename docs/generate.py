"""Write ``docs/reference/`` from the code, so that it cannot say anything else.

python docs/generate.py [FOLDER]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from wholecloth import errors
from wholecloth.casework import custody
from wholecloth.cli.main import program
from wholecloth.signals.registry import Broken, installed

NOTE = "<!-- made by docs/generate.py: change the code, not this page -->\n\n"


def commands() -> str:
    out = [NOTE + "# Commands\n"]
    for path, command in walk(program, "wholecloth"):
        context = click.Context(
            command,
            info_name=path,
            max_content_width=96,
            terminal_width=96,
            help_option_names=["-h", "--help"],
        )
        out.append(f"## {path}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(out)


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from walk(command.commands[name], f"{path} {name}")


def signals() -> str:
    out = [NOTE + "# Signals\n\nWhat is looked for in the published file and the pair.\n"]
    for signal in installed():
        if isinstance(signal, Broken):
            continue
        card = signal.info
        out.append(
            f"## {card.id}\n\nSpeaks to {', '.join(card.propositions)}. Group: {card.group}.\n\n"
            f"- **shows** {card.shows}\n- **limits** {card.limits}\n- **source** {card.source}\n"
        )
    return "\n".join(out)


def record() -> str:
    text = files("wholecloth").joinpath("model/record-1.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    out = [
        NOTE + f"# The record\n\n{schema['description']}\n\n| field | type | what |\n|---|---|---|"
    ]
    out += rows(schema["properties"], "", schema["$defs"])
    return "\n".join(out) + "\n"


def rows(properties: dict[str, Any], above: str, defs: dict[str, Any]) -> Iterator[str]:
    for name, raw in properties.items():
        field = defs[raw["$ref"].rpartition("/")[2]] | raw if "$ref" in raw else raw
        kind = field.get("type") or ("one of" if "enum" in field else "")
        shown = " or ".join(kind) if isinstance(kind, list) else kind
        values = ", ".join(f"`{v}`" for v in field.get("enum", ()))
        said = field.get("description", "")
        yield f"| `{above}{name}` | {shown} | {' '.join(filter(None, (said, values)))} |"
        if above == "" and "properties" in field:
            yield from rows(field["properties"], f"{name}.", defs)


def failures() -> str:
    tree = (errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nAbsence")[0]
    actions = ", ".join(f"`{a}`" for a in custody.Action.__args__)  # type: ignore[attr-defined]
    return (
        NOTE + "# Errors, exit codes, and events\n\n"
        "Every refusal names the item, the reason and a remedy; with `--json` they are one object "
        f"under `error`. The number is the exit code.\n\n```\n{tree}\n```\n\n"
        "130: stopped with Ctrl-C. 143: ended by SIGTERM or SIGHUP.\n\n"
        f"## Events of the custody log\n\n{actions}. {(custody.__doc__ or '').strip()}\n"
    )


PAGES = {"commands": commands, "signals": signals, "record": record, "errors": failures}


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent / "reference")
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / f"{name}.md").write_text(page().rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
