"""The ledger of every number that was fitted or set by hand: ``docs/parameters.md``.

    python docs/parameters.py          bring the ledger up to date with the code
    python docs/parameters.py --check  say what does not fit; exit code 1 if anything

A row holds a number's value and, in words, what it was set on.  When a value changes, the command
puts ``TO BE SAID`` in place of the words and remembers the old ones' digest, and the test suite
refuses the ledger until somebody has said anew what the value rests on.  ``seal`` covers value,
words and date, so that none of them can be changed alone.

Collected are, in the modules below: module-level constants in capitals that are numbers or tuples
of numbers, and the number fields of frozen dataclass instances named in capitals.  Numbers inside
functions are not listed singly: one row a module counts and digests them (floats other than 0, .5
and 1, whole numbers from 5 on).
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import inspect
import pkgutil
import re
import sys
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

LEDGER = Path(__file__).parent / "parameters.md"
PACKAGES = ("wholecloth.localisation", "wholecloth.registration", "wholecloth.retrieval.index")
MODULES = (
    "wholecloth.copies",
    "wholecloth.originals",
    "wholecloth.retrieval.area",
    "wholecloth.retrieval.coding",
    "wholecloth.retrieval.features",
    "wholecloth.retrieval.linear",
    "wholecloth.retrieval.score",
    "wholecloth.retrieval.selection",
    "wholecloth.retrieval.verify",
    "wholecloth.retrieval.vocabulary",
    "wholecloth.weighing.derivation",
    "wholecloth.weighing.generations",
    "wholecloth.weighing.lookalike",
    "wholecloth.weighing.verdict",
    "wholecloth.signals.resynthesis",
    "wholecloth.pipeline",
)
UNSAID = "TO BE SAID"
INLINE = "(in functions)"
_NAME = re.compile(r"_?[A-Z][A-Z0-9_]*")
_HEAD = """# Fitted and set numbers

<!-- python docs/parameters.py brings names and values up to date; the words are written by hand -->

Every number on which the search, the registration, the localisation and the verdict rest, with
what it was set on. A test fails when a number changes, comes or goes without this page saying on
what the new one was set. What each number *means* stands beside it in the code.
"""


@dataclass(frozen=True)
class Row:
    """One number."""

    module: str
    name: str
    value: str
    note: str = UNSAID
    date: str = "-"
    was: str = "-"
    """Digest of the words that belonged to the value before this one."""

    @property
    def seal(self) -> str:
        return digest(self.value, self.note, self.date, self.was)


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:10]


def modules() -> list[str]:
    found = list(MODULES)
    for package in PACKAGES:
        folder = importlib.import_module(package).__path__
        found += [f"{package}.{m.name}" for m in pkgutil.iter_modules(folder)]
    return sorted(found)


def collected() -> list[Row]:
    """Module, name and value of every number in the code."""
    rows = []
    for module in modules():
        loaded = importlib.import_module(module)
        tree = ast.parse(inspect.getsource(loaded))
        short = module.removeprefix("wholecloth.")
        for name in _names(tree):
            value = getattr(loaded, name)
            if is_dataclass(value) and not isinstance(value, type):
                for field in fields(value):
                    inner = getattr(value, field.name)
                    if _numeric(inner):
                        rows.append(Row(short, f"{name}.{field.name}", repr(inner)))
            elif _numeric(value):
                rows.append(Row(short, name, repr(value)))
        inline = sorted(_inline(tree))
        if inline:
            text = f"{len(inline)} numbers, {digest(*map(repr, inline))}"
            rows.append(Row(short, INLINE, text))
    return rows


def _names(tree: ast.Module) -> list[str]:
    out = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        for target in targets:
            each = target.elts if isinstance(target, ast.Tuple) else [target]
            out += [e.id for e in each if isinstance(e, ast.Name) and _NAME.fullmatch(e.id)]
    return out


def _numeric(value: object) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(_numeric(v) for v in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _inline(tree: ast.Module) -> list[float]:
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                if isinstance(inner, ast.Constant) and _numeric(inner.value):
                    value = inner.value
                    whole = isinstance(value, int)
                    if (whole and value >= 5) or (not whole and value not in (0.0, 0.5, 1.0)):
                        found.append(value)
    return found


def written(path: Path = LEDGER) -> list[tuple[Row, str]]:
    """The rows of the ledger as they stand, each with the seal that stands beside it."""
    rows = []
    module = ""
    for line in path.read_text("utf-8").splitlines() if path.exists() else []:
        if line.startswith("## "):
            module = line.removeprefix("## ").strip()
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 6:
            name, value = cells[0].strip("`"), cells[1].strip("`")
            rows.append((Row(module, name, value, *cells[2:5]), cells[5]))
    return rows


def updated(now: list[Row], before: list[Row]) -> list[Row]:
    """The code's values with the words that still belong to them."""
    known = {(r.module, r.name): r for r in before}
    out = []
    for row in now:
        old = known.get((row.module, row.name))
        if old is None:
            out.append(row)
        elif old.value == row.value:
            out.append(old)
        else:
            last = old.was if old.note == UNSAID else digest(old.note)
            out.append(replace(row, was=last))
    return out


def rendered(rows: list[Row]) -> str:
    out, module = [_HEAD], ""
    for row in rows:
        if row.module != module:
            module = row.module
            out.append(f"\n## {module}\n\n| number | value | set on | date | before | seal |")
            out.append("|---|---|---|---|---|---|")
        cells = (f"`{row.name}`", f"`{row.value}`", row.note, row.date, row.was, row.seal)
        out.append(f"| {' | '.join(cells)} |")
    return "\n".join(out) + "\n"


def complaints(now: list[Row], ledger: list[tuple[Row, str]]) -> list[str]:
    """What does not fit, one line each; empty where everything does."""
    known = {(r.module, r.name): (r, seal) for r, seal in ledger}
    out = [
        f"{r.module} {r.name}: in the ledger twice"
        for i, (r, _) in enumerate(ledger)
        if any((q.module, q.name) == (r.module, r.name) for q, _ in ledger[:i])
    ]
    for row in now:
        where = f"{row.module} {row.name}"
        old, seal = known.pop((row.module, row.name), (None, ""))
        if old is None:
            out.append(f"{where}: is new ({row.value}); run python docs/parameters.py")
        elif old.value != row.value:
            out.append(
                f"{where}: {old.value} became {row.value}; run python docs/parameters.py, then "
                "say on what it was set"
            )
        elif old.note == UNSAID or old.date == "-":
            out.append(f"{where}: say on what {row.value} was set, and when")
        elif digest(old.note) == old.was:
            out.append(f"{where}: the words are those of the value before")
        elif seal != old.seal:
            out.append(f"{where}: words, date and seal do not fit; run python docs/parameters.py")
    out += [f"{m} {n}: is gone from the code; run python docs/parameters.py" for m, n in known]
    return out


def main() -> None:
    now = collected()
    if "--check" not in sys.argv:
        LEDGER.write_text(rendered(updated(now, [r for r, _ in written()])), "utf-8")
    wrong = complaints(now, written())
    print("\n".join(wrong) or f"{len(now)} numbers, each with what it was set on")  # noqa: T201
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
