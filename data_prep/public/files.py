"""Finding files of a public set: folders by a file's name, tables, the authors' split."""

import csv
import os
import pathlib
import re
from collections.abc import Iterator

NIFTI = r"\.nii(?:\.gz)?"


def all_files(root: str) -> Iterator[str]:
    """Every file below the root, as a path below it."""
    for folder, below, names in os.walk(root):
        below.sort()
        for name in sorted(names):
            yield os.path.relpath(os.path.join(folder, name), root)


def folders_with(root: str, wanted: re.Pattern) -> list[str]:
    """Folders that hold a file by such a name, below the root."""
    found = {os.path.dirname(path) or "." for path in all_files(root) if matches(wanted, path)}
    return sorted(found)


def matches(wanted: re.Pattern, path: str) -> bool:
    """Match the file name of a path, all of it, against a pattern."""
    return wanted.fullmatch(os.path.basename(path)) is not None


def below(root: str, folder: str) -> list[str]:
    """Every file in a folder and its subfolders, as paths below the root."""
    return [os.path.normpath(f"{folder}/{p}") for p in all_files(os.path.join(root, folder))]


def find(names: list[str], wanted: str) -> str:
    """The first path whose file name matches a pattern; "" without one."""
    form = re.compile(wanted)
    return next((path for path in names if matches(form, path)), "")


def split_of(root: str, folder: str) -> str:
    """train, val or test by the name of a folder above, the root's included; "" otherwise."""
    above = (pathlib.Path(root).absolute().name, *pathlib.PurePath(folder).parts)
    for name in reversed(above):
        for prefix, split in (("train", "train"), ("valid", "val"), ("test", "test")):
            if name.lower().startswith(prefix):
                return split
    return ""


def table(root: str, key: str, folders: tuple[str, ...] = ("",)) -> dict[str, dict[str, str]]:
    """Rows of the CSV files that have a key column, by their key; {} without such a file.

    Args:
        root: folder of the set.
        key: name of the key column.
        folders: where the files may lie, below the root.
    """
    rows: dict[str, dict[str, str]] = {}
    for path in sorted(p for f in folders for p in pathlib.Path(root, f).glob("*.csv")):
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            for row in csv.DictReader(file):
                if name := (row.get(key) or "").strip():
                    rows[name] = {k.strip(): (v or "").strip() for k, v in row.items() if k}
    return rows
