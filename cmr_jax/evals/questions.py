"""What is asked of exams in words: findings, from the files of `prompts/` or one of the user's."""

import pathlib
import tomllib
from typing import NamedTuple

SHIPPED = pathlib.Path(__file__).parent / "prompts"
REPORTS, PUBLISHED = "reports", "published"
HELD_OUT = "held_out"  # in words that the phantom's reports do not have


class Question(NamedTuple):
    """Several wordings of each side; a question may have no second side."""

    present: tuple[str, ...]
    absent: tuple[str, ...] = ()


Questions = dict[str, Question]


def read(name: str) -> Questions:
    """The prompts of a TOML file, or of the shipped set by that name.

    A ValueError says which table of which file is not as it must be.
    """
    shipped = SHIPPED / f"{name}.toml"
    path = shipped if shipped.is_file() else pathlib.Path(name)
    try:
        tables = tomllib.loads(path.read_text())
    except OSError:
        names = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.toml")))
        raise ValueError(f"--prompts {name} is no file, and none of {names}.") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"--prompts {name} is no TOML: {error}") from None
    if not tables:
        raise ValueError(f"--prompts {name} asks nothing.")
    return {finding: _question(name, finding, table) for finding, table in tables.items()}


def _question(name: str, finding: str, table: object) -> Question:
    sides = table if isinstance(table, dict) else {}
    lists = [sides.get(side, []) for side in Question._fields]
    fine = all(isinstance(x, list) and all(isinstance(t, str) and t for t in x) for x in lists)
    if not (fine and lists[0]) or set(sides) - set(Question._fields):
        raise ValueError(
            f"--prompts {name}: [{finding}] must have a list of sentences called present, and may "
            "have one called absent, nothing else."
        )
    return Question(*map(tuple, lists))
