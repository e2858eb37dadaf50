"""What every command line does first: no stray words or flags, quiet libraries, errors of one line."""

import contextlib
import logging
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NoReturn

from absl import app, flags
from absl import logging as absl_logging

flags.disclaim_key_flags()  # those defined here are of the command line that asks for them


@contextlib.contextmanager
def command(name: str, argv: list[str]) -> Iterator[None]:
    """The body of a command: what users can mend is told in one line, and the exit code is 2."""
    absl_logging.set_verbosity(absl_logging.WARNING)  # TFDS tells every path it opens
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("cmr_jax").setLevel(logging.INFO)
    # Of one failed save, storage tells a hundred times over, past the error that we pass on.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        if len(argv) > 1:
            raise app.UsageError(f"what is {argv[1]!r}?")
        yield
    except app.UsageError as error:
        fail(name, f"{error} (--help tells more)")
    except (ValueError, FloatingPointError, OSError) as error:  # TimeoutError is one
        fail(name, error)


def only(does: str, taken: Collection[str]) -> None:
    """A UsageError where a flag was given that this command does not take."""
    own = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
    if stray := [f"--{flag.name}" for flag in own if flag.present and flag.name not in taken]:
        takes = ", ".join(f"--{name}" for name in taken) or "no flags"
        raise app.UsageError(f"{does} takes {takes}, not {', '.join(stray)}.")


def weights_flags(
    many: bool = False, required: bool = True
) -> Callable[[], tuple[Any, dict[str, Any]]]:
    """Defines how a command line is told of weights; gives a function that reads it.

    The function returns the path (of `many`: the paths), and what `weights.Options.of` takes.
    """
    if many:
        text = "Start from these: a workdir, an export, a published model, a ViT, a BERT."
        path = flags.DEFINE_multi_string("weights", [], text)
    else:
        text = "Workdir of a run, an export, or a file or folder of the published CMR-CLIP."
        path = flags.DEFINE_string("weights", None, text, required=required)
    partial = flags.DEFINE_boolean("partial", False, "Take what fits and start the rest anew.")
    inflate = flags.DEFINE_enum(
        "inflate",
        "zeros",
        ["zeros", "nearest", "linear"],
        "What frames get that the weights have no row for.",
    )
    mean_time = None
    if not many:
        mean_time = flags.DEFINE_boolean(
            "mean_time", False, "Dead attention over frames of published weights as the mean it is."
        )

    def read() -> tuple[Any, dict[str, Any]]:
        mean = mean_time is not None and mean_time.value
        return path.value, {"partial": partial.value, "inflate": inflate.value, "mean_time": mean}

    return read


def named(pairs: Iterable[str], taken: Iterable[str] = ()) -> dict[str, str]:
    """Folders by name, of --external NAME=DIR; a ValueError where it is not, or a name is taken."""
    folders: dict[str, str] = {}
    for pair in pairs:
        name, equals, folder = pair.partition("=")
        if not (name and equals and folder) or name in {*taken, *folders}:
            raise ValueError(f"--external {pair}: write NAME=DIR, each with a name of its own.")
        folders[name] = folder
    return folders


def fail(name: str, error: object) -> NoReturn:
    """Ends the program with one line."""
    print(f"{name}: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(2)
