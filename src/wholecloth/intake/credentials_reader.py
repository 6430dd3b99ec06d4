"""Reads Content Credentials (C2PA) inside the decode worker, without ever opening a connection.

c2pa-python's defaults fetch remote manifests, which would let a published file announce that it
is being examined.  Everything that could reach the network is therefore switched off by name,
and switched off again by an empty list of allowed hosts.  Identity assertions (CAWG) are left
undecoded because resolving a ``did:web`` is not covered by that list (c2pa-rs issue 1645).
"""

from __future__ import annotations

import io
import json
import re
from hashlib import sha256
from importlib import import_module
from typing import Any

MAX_FILE_BYTES = 200 * 2**20
MAX_JSON_CHARS = 4 * 2**20
"""Manifest stores are tens of kilobytes; the signals do not read beyond this."""

_EKUS = (
    "1.3.6.1.5.5.7.3.4",  # e-mail protection: what the C2PA allowed before its own usage existed
    "1.3.6.1.5.5.7.3.36",  # document signing
    "1.3.6.1.5.5.7.3.8",  # time stamping
    "1.3.6.1.5.5.7.3.9",  # OCSP signing
    "1.3.6.1.4.1.311.76.59.1.9",  # Microsoft's C2PA signing
    "1.3.6.1.4.1.62558.2.1",  # C2PA claim signing; without it current platform files look invalid
)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")
_DROPPED = frozenset({"thumbnail", "manifest_data"})
"""Pointers to pictures and to raw manifests: of no use without the bytes."""


def prepare() -> None:
    """Load the library before the worker is confined; afterwards the import would cost more."""
    import_module("c2pa")  # 50 MB, wanted in the worker only


def read_credentials(
    data: bytes, mime: str, trust_anchors: str, tsa_anchors: str
) -> tuple[str | None, str]:
    """The manifest store as JSON, and what happened.

    ``trust_anchors`` and ``tsa_anchors`` are PEM texts; an empty one means that nobody is
    trusted.  The second value is ``read``, ``none``, ``remote`` (a manifest is pointed to and
    was not fetched) or ``error: …``.  Raises nothing: a damaged manifest is not a damaged file.
    """
    if len(data) > MAX_FILE_BYTES:
        return None, f"error: larger than {MAX_FILE_BYTES // 2**20} MiB, not searched"
    try:
        return _read(data, mime, trust_anchors, tsa_anchors)
    except Exception as error:  # noqa: BLE001 - the parser is foreign and its input hostile
        return None, f"error: {_one_line(error)}"


def _read(data: bytes, mime: str, anchors: str, tsa: str) -> tuple[str | None, str]:
    c2pa = import_module("c2pa")
    context = c2pa.Context.from_dict(_settings(anchors, tsa))
    try:
        with c2pa.Reader(mime, io.BytesIO(data), context=context) as reader:
            text = reader.json()
    except c2pa.C2paError.ManifestNotFound:
        return None, "none"
    except c2pa.C2paError.NotSupported:
        return None, "none"  # BMP and the like cannot carry any
    except c2pa.C2paError as error:
        # The message holds the address, which nobody should follow unasked: it is not passed on.
        if str(error).startswith(("Remote:", "RemoteManifest:")):
            return None, "remote"
        raise
    if len(text) > MAX_JSON_CHARS:
        return None, f"error: the manifest store is over {MAX_JSON_CHARS // 2**20} Mi characters"
    store = json.loads(text)
    _drop_pointers(store)
    _keep_signers_apart(store["validation_results"], _uri(anchors))
    return json.dumps(store, ensure_ascii=False), "read"


def _settings(anchors: str, tsa: str) -> dict[str, Any]:
    lists = [
        {"trust_kind": kind, "trust_anchors": pem, "trust_uri": _uri(pem)}
        for kind, pem in (("manifest", anchors), ("tsa", _without(tsa, anchors)))
        if pem.strip()
    ]
    return {
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": True},
        "core": {
            "allowed_network_hosts": [],
            "allow_redirects": False,
            "decode_identity_assertions": False,
        },
        "trust": {"trust_config": "\n".join(_EKUS) + "\n", "anchors": lists},
    }


def _without(pem: str, other: str) -> str:
    """The certificates of one list that are not in the other.

    Most authorities are on both lists, c2pa-rs consults all of its lists for either purpose, and
    which one it names first changes from run to run; each certificate is therefore given once.
    """
    known = {"".join(c.split()) for c in _CERTIFICATE.findall(other)}
    found = _CERTIFICATE.findall(pem)
    return "".join(f"{c}\n" for c in found if "".join(c.split()) not in known)


def _uri(pem: str) -> str:
    """A digest, so that a result names the very list it was reached with."""
    return f"urn:sha256:{sha256(pem.encode()).hexdigest()}"


def _drop_pointers(store: dict[str, Any]) -> None:
    for manifest in store["manifests"].values():
        for holder in (manifest, *manifest.get("ingredients", [])):
            for key in _DROPPED & holder.keys():
                del holder[key]


def _keep_signers_apart(results: dict[str, Any], signers: str) -> None:
    """Take back "trusted" where it does not come from the list of signers.

    c2pa-rs 0.91.3 accepts an anchor of any kind for a signature, so that whoever holds an e-mail
    certificate under an authority that also stamps time would count as listed (measured).  The
    list is named in the explanation only; should that wording change, nobody is trusted and a
    test fails, which is the safe way round.
    """
    deltas = (d["validationDeltas"] for d in results.get("ingredientDeltas", []))
    for codes in (results["activeManifest"], *deltas):
        kept = []
        for status in codes["success"]:
            foreign = f"[{signers}]" not in status.get("explanation", "")
            if status["code"] == "signingCredential.trusted" and foreign:
                codes["failure"].append({**status, "code": "signingCredential.untrusted"})
            else:
                kept.append(status)
        codes["success"] = kept


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__.removeprefix('_')}: {text[:160]}"
