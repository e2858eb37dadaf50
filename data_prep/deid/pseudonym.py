"""Keyed pseudonyms: HMAC-SHA256 over a domain and a canonical value, 80 bits in base32.

Without the key a pseudonym cannot be guessed from a medical record number, of which there are
few; with it, the same patient gets the same pseudonym in every build.
"""

import base64
import dataclasses
import hashlib
import hmac
import os
import pathlib
import stat
import unicodedata

KEY_BYTES = 32
DEMO_KEY = hashlib.sha256(b"cmr_jax phantom: not a secret").digest()


@dataclasses.dataclass(frozen=True)
class Pseudonyms:
    """Pseudonyms under one key.  The key is never printed or stored; `key_id` may be."""

    key: bytes = dataclasses.field(repr=False)

    def of(self, domain: str, value: str) -> str:
        """The pseudonym of a value in a domain (patient, study, path, split)."""
        return base64.b32encode(self._digest(domain, value))[:16].decode().lower()

    def uniform(self, domain: str, value: str) -> float:
        """A number in [0, 1) that belongs to a value; stable when other values come and go."""
        return int.from_bytes(self._digest(domain, value)[:8], "big") / 2**64

    @property
    def key_id(self) -> str:
        """Tells two keys apart without telling either."""
        return self._digest("kid", "").hex()[:8]

    def _digest(self, domain: str, value: str) -> bytes:
        canonical = unicodedata.normalize("NFKC", value).strip().upper()
        return hmac.new(self.key, f"{domain}\x1f{canonical}".encode(), hashlib.sha256).digest()


def load_key(path: str | None, source: str) -> Pseudonyms:
    """Reads the key file; the phantom has a demo key, anything else needs its own."""
    if not path:
        if source.startswith("phantom:"):
            return Pseudonyms(DEMO_KEY)
        raise ValueError(
            "--key-file is missing: pseudonyms of real patients need a secret of your own. "
            f"Make one: (umask 077; head -c {KEY_BYTES} /dev/urandom > prep.key)"
        )
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"--key-file {path}: no such file.")
    if stat.S_IMODE(os.stat(file).st_mode) & 0o077:
        raise ValueError(f"--key-file {path} can be read by others: chmod 600 {path}")
    key = file.read_bytes()
    if len(key) < KEY_BYTES or len(set(key)) < 8:
        raise ValueError(f"--key-file {path} is too weak: at least {KEY_BYTES} random bytes.")
    return Pseudonyms(key)
