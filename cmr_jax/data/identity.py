"""Whether prepared data is what it was: a fingerprint of the exams that training reads."""

import hashlib
import json
import pathlib

from cmr_jax.schema import EXAMS, MANIFEST_FILE

PIECE = 1 << 22  # bytes read at a time


def of_bytes(content: bytes) -> str:
    """16 hex digits."""
    return hashlib.sha256(content).hexdigest()[:16]


def of_file(path: str) -> str:
    """16 hex digits of a file's content; a ValueError where it cannot be read."""
    try:
        return of_bytes(pathlib.Path(path).read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}.") from error


def fingerprint(path: str, split: str = "train") -> str:
    """16 hex digits of a split's exam records and of the checksums of all pixels.

    Exam records are small (texts and coordinates); pixels are not read, the preparation has hashed
    them exam by exam.
    """
    manifest = json.loads(pathlib.Path(path, MANIFEST_FILE).read_text())
    pixels = manifest.get("pixel_sha256", {})
    digest = hashlib.sha256(json.dumps(pixels, sort_keys=True).encode())
    for shard in sorted(pathlib.Path(path, EXAMS).glob(f"*-{split}.*")):
        digest.update(f"\0{shard.name}\0".encode())
        with shard.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    return digest.hexdigest()[:16]
