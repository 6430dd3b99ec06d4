"""The secret of an index, and sealing with it.

``key`` in the folder (mode 0600) holds 32 random bytes from which everything secret is derived
(HKDF, RFC 5869).  With a vault key, a file kept elsewhere, those bytes lie there sealed, and so
does a key for each segment: what is left of an erased segment on a disk, a snapshot or a backup
cannot be opened once its key is gone.  Sealing is AES-256-GCM (NIST SP 800-38D).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wholecloth import atomic
from wholecloth.errors import IndexRefused, NotInstalled

KEY = "key"
_BYTES, _NONCE = 32, 12
_SEALED = b"sealed:"


@dataclass(frozen=True, slots=True)
class Keys:
    """What an open index can do with its secret."""

    master: bytes = field(repr=False)
    vault: bytes | None = field(repr=False, default=None)

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose."""
        return HKDF(SHA256(), _BYTES, None, purpose.encode()).derive(self.master)

    def new_segment_key(self) -> tuple[bytes, bytes] | None:
        """A key and the same wrapped for the manifest; None without a vault."""
        if self.vault is None:
            return None
        key = secrets.token_bytes(_BYTES)
        return key, seal(self.vault, key, b"segment")

    def segment_key(self, wrapped: bytes) -> bytes:
        """The key of a segment.

        Raises:
            NotInstalled: the vault key is not given.
        """
        if self.vault is None:
            raise NotInstalled("vault key", "the segments are encrypted", "give it with --vault")
        return unseal(self.vault, wrapped, b"segment", "vault key")


def seal(key: bytes, body: bytes, about: bytes) -> bytes:
    """Nonce and ciphertext; ``about`` must be the same on opening."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, body, about)


def unseal(key: bytes, body: bytes, about: bytes, item: str) -> bytes:
    """What was sealed.

    Raises:
        IndexRefused: another key, or changed since.
    """
    try:
        return AESGCM(key).decrypt(body[:_NONCE], body[_NONCE:], about)
    except (InvalidTag, ValueError) as error:
        reason = "does not open what it should: it is another key, or the file was changed"
        raise IndexRefused(item, reason, "give the key this index was made with") from error


def make(folder: Path, vault: Path | None, like: Keys | None = None) -> Keys:
    """The key file of a new index; the vault key's file is made where there is none."""
    master = like.master if like else secrets.token_bytes(_BYTES)
    if vault is None:
        atomic.write_new(folder / KEY, master, mode=0o600)
        return Keys(master)
    if not vault.exists():
        atomic.write_new(vault, secrets.token_bytes(_BYTES), mode=0o600)
    keys = Keys(master, _vault(vault))
    sealed = _SEALED + seal(keys.vault or b"", master, b"index")
    atomic.write_new(folder / KEY, sealed, mode=0o600)
    return keys


def read(folder: Path, vault: Path | None) -> Keys:
    """The key of an index.

    Raises:
        IndexRefused: it is missing, or the vault key does not fit.
    """
    path = folder / KEY
    try:
        body = path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        remedy = "without its key an index is noise: restore it, or erase the folder"
        raise IndexRefused(str(path), reason, remedy) from error
    if not body.startswith(_SEALED):
        if len(body) != _BYTES:
            raise IndexRefused(str(path), "is no key", "restore it from a copy")
        return Keys(body)
    if vault is None:
        remedy = "give the file of its vault key with --vault FILE"
        raise IndexRefused(str(folder), "is encrypted", remedy)
    key = _vault(vault)
    return Keys(unseal(key, body[len(_SEALED) :], b"index", str(vault)), key)


def _vault(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror or error})"
        raise IndexRefused(str(path), reason, "check the name with --vault") from error
    if len(key) != _BYTES:
        raise IndexRefused(str(path), "is no vault key (32 bytes)", "check the name with --vault")
    return key
