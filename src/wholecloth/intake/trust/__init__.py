"""The C2PA trust lists that ship with wholecloth, pinned by digest.

They say which certificate authorities the C2PA conformance programme recognises; nothing is
fetched.  A newer list is read from a local file instead of being downloaded here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files

from wholecloth.errors import VerificationFailed
from wholecloth.model.dated import Dated

CHECKED = "2026-11-24"
"""The day the lists were compared with their source."""

SOURCE = "c2pa-org/conformance-public trust-list"

DATED = Dated(
    name="C2PA trust lists",
    what="signers that were added or withdrawn since are judged as they stood then",
    checked=CHECKED,
    source=SOURCE,
)

_PINNED = (
    (
        "C2PA-TRUST-LIST.pem",
        "75cacc98b79ecac33713c7ecfb58d4a0ef383f3c1f886e7409f9e37e8664aea5",
    ),
    (
        "C2PA-TSA-TRUST-LIST.pem",
        "c688d3555f4a2f1f8d663472bbd37888ff234abdd234c25934c0f9292e4eb5c9",
    ),
)


@dataclass(frozen=True, slots=True)
class TrustLists:
    """Two lists that must not be mixed: who may sign, and who may attest the time of signing."""

    anchors: str
    """PEM of the authorities whose certificates may sign manifests."""
    tsa: str
    """PEM of the authorities whose certificates may sign time stamps."""
    checked: str
    source: str
    sha256s: tuple[tuple[str, str], ...]
    """File name and SHA-256 of each list as shipped."""


@cache
def load() -> TrustLists:
    """The shipped lists.

    Raises:
        VerificationFailed: a list is missing or is not the one that was pinned; trusting it
            would let whoever changed it decide whose signature counts.
    """
    anchors, tsa = (_checked(name, digest) for name, digest in _PINNED)
    return TrustLists(anchors, tsa, CHECKED, SOURCE, _PINNED)


def _checked(name: str, digest: str) -> str:
    remedy = "reinstall wholecloth from a source you trust"
    try:
        data = files(__name__).joinpath(name).read_bytes()
    except OSError as error:
        raise VerificationFailed(name, "the trust list is missing", remedy) from error
    if sha256(data).hexdigest() != digest:
        raise VerificationFailed(name, "the trust list is not the one that was shipped", remedy)
    return data.decode("utf-8")
