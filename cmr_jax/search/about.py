"""What an index is of: the model that made its vectors, and what its rows tell."""

import dataclasses
import json
import pathlib

from cmr_jax import journal
from cmr_jax.evals.questions import Question, Questions

ABOUT_FILE = "index.json"
FORMAT = 1
FINDING = "finding_"  # begins the names of columns that hold scores by words


@dataclasses.dataclass(frozen=True)
class About:
    """What an index is of."""

    model: str  # fingerprint of the weights and the tokenizer: queries must be of the same
    weights: str  # where they lay when the index was made
    width: int  # numbers of a vector
    questions: Questions  # findings that are scored in words, and in which
    parts: tuple[str, ...]  # kinds of picture that have vectors of their own
    spacing_mm: float  # of stored pixels, and how many there are: new exams are prepared alike
    size: int
    format: int = FORMAT

    @property
    def findings(self) -> tuple[str, ...]:
        """By name."""
        return tuple(self.questions)

    def write(self, path: pathlib.Path) -> None:
        """Into the folder of the index."""
        plain = dataclasses.asdict(self)
        plain["questions"] = {name: q._asdict() for name, q in self.questions.items()}
        journal.replace(path / ABOUT_FILE, json.dumps(plain, indent=1).encode())

    @classmethod
    def read(cls, path: pathlib.Path) -> "About":
        """A ValueError where the folder is no index, or not one of this version."""
        file = path / ABOUT_FILE
        if not file.is_file():
            raise ValueError(
                f"{path} is no index. Make one: python -m cmr_jax.search index --weights=RUN "
                f"--data=DATA --index={path}"
            )
        try:
            plain = json.loads(file.read_text())
            plain["parts"] = tuple(plain["parts"])
            plain["questions"] = {
                name: Question(tuple(q["present"]), tuple(q["absent"]))
                for name, q in plain["questions"].items()
            }
            about = cls(**plain)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError(f"{file} is damaged. Make the index anew.") from None
        if about.format != FORMAT:
            raise ValueError(f"{path} has format {about.format}, this program reads {FORMAT}.")
        return about
