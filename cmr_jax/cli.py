"""What every command line does first: no stray words, quiet libraries, errors of one line."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import NoReturn

from absl import app
from absl import logging as absl_logging


@contextlib.contextmanager
def command(name: str, argv: list[str]) -> Iterator[None]:
    """The body of a command: what users can mend is told in one line, and the exit code is 2."""
    if len(argv) > 1:
        raise app.UsageError(f"what is {argv[1]!r}?")
    absl_logging.set_verbosity(absl_logging.WARNING)  # TFDS tells every path it opens
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("cmr_jax").setLevel(logging.INFO)
    try:
        yield
    except (ValueError, FloatingPointError) as error:
        fail(name, error)


def fail(name: str, error: object) -> NoReturn:
    """Ends the program with one line."""
    print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
