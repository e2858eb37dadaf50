"""Keyed pseudonyms: HMAC-SHA256 over a domain and a canonical value, 80 bits in base32.

Without the key a pseudonym cannot be guessed from a medical record number, of which there are
few; with it, the same patient gets the same pseudonym in every build.
"""

import base64
import dataclasses
import hashlib
import hmac
import itertools
import math
import os
import unicodedata
from collections import Counter

from data_prep.secret import read_private

KEY_BYTES = 32
ENTROPY_BITS = 128
KEY_VARIABLE = "CMR_JAX_PREP_KEY"
PHANTOM = "phantom:"
WORDS_OF_DEFAULTS = (b"password", b"changeme", b"change-me", b"secret", b"default", b"example")
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
    """The key of a private file or of the environment; only the phantom has one of its own.

    ValueError says what is wrong with a key and never shows it.
    """
    variable = os.environ.get(KEY_VARIABLE)
    if path and variable:
        raise ValueError(f"--key-file and {KEY_VARIABLE} are both set: leave one of them.")
    if path:
        return Pseudonyms(_checked(read_private(path, "--key-file"), f"--key-file {path}", source))
    if variable:
        return Pseudonyms(_checked(_from_text(variable), KEY_VARIABLE, source))
    if source.startswith(PHANTOM):
        return Pseudonyms(DEMO_KEY)
    raise ValueError(
        f"--key-file is missing (or {KEY_VARIABLE}, in hex or base64): pseudonyms of real "
        "patients need a secret of your own. "
        f"Make one: (umask 077; head -c {KEY_BYTES} /dev/urandom > prep.key)"
    )


def _from_text(text: str) -> bytes:
    text = text.strip()
    try:
        return bytes.fromhex(text)
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"{KEY_VARIABLE} is neither hex nor base64.") from None


def _checked(key: bytes, name: str, source: str) -> bytes:
    """The key, if nobody could guess it: chance alone makes none of the patterns refused here."""
    if key == DEMO_KEY and not source.startswith(PHANTOM):
        raise ValueError(f"{name} is the demo key, which everybody has: make one of your own.")
    repeats = any(key == (key[:n] * len(key))[: len(key)] for n in range(1, len(key) // 2 + 1))
    steps = {(b - a) % 256 for a, b in itertools.pairwise(key)}
    word = any(w in key.lower() for w in WORDS_OF_DEFAULTS)
    if len(key) < KEY_BYTES or repeats or len(steps) < 8 or word or _bits(key) < ENTROPY_BITS:
        raise ValueError(
            f"{name} is too weak: at least {KEY_BYTES} random bytes, "
            "no pass phrase, no default, nothing that repeats."
        )
    return key


def _bits(key: bytes) -> float:
    """Shannon entropy of the bytes as they are distributed, over the whole key."""
    shares = [n / len(key) for n in Counter(key).values()]
    return -len(key) * sum(p * math.log2(p) for p in shares)
