"""Draws runs for people: `python -m cmr_jax.plot WORKDIR [WORKDIR ...] [--out=FOLDER]`.

curves.png        what the runs wrote down as they went, several over one another; and a line for
                  each: the last step, validation, whether host memory grows
augmentation.png  with --sheet: what training does to the pictures of a run
They are written into the (first) WORKDIR, or --out.
"""

import pathlib
from typing import Any

from absl import app, flags

from cmr_jax import cli

_OUT = flags.DEFINE_string("out", None, "Folder to write; without it, the first workdir.")
_SHEET = flags.DEFINE_boolean("sheet", False, "Draw what training does to pictures instead.")


def main(argv: list[str]) -> None:
    """Command line."""
    with cli.command("cmr_jax.plot", argv[:1]):
        workdirs = [pathlib.Path(name) for name in argv[1:]]
        if not workdirs:
            raise ValueError("say which run: python -m cmr_jax.plot WORKDIR [WORKDIR ...].")
        out = pathlib.Path(_OUT.value or workdirs[0])
        print(_sheet(workdirs, out) if _SHEET.value else _curves(workdirs, out))


def _drawing() -> Any:
    """After the flags: `--help` needs no pictures."""
    try:
        from cmr_jax import drawing
    except ModuleNotFoundError as error:
        raise ValueError(f'pictures need {error.name}: pip install "cmr_jax[eval]".') from None
    return drawing


def _curves(workdirs: list[pathlib.Path], out: pathlib.Path) -> str:
    drawing = _drawing()
    from cmr_jax.drawing import curves, history

    own = [workdir.resolve().name for workdir in workdirs]
    unlike = len(set(own)) == len(own)
    names = own if unlike else [str(workdir) for workdir in workdirs]
    histories = [history.read(w, n) for w, n in zip(workdirs, names, strict=True)]
    path = drawing.save(curves.draw(histories), out / "curves.png")
    return "\n".join([*map(history.summary, histories), f"curves are in {path}"])


def _sheet(workdirs: list[pathlib.Path], out: pathlib.Path) -> str:
    drawing = _drawing()
    from cmr_jax.drawing import sheet

    if len(workdirs) > 1:
        raise ValueError("--sheet is of one run: name one workdir.")
    path = drawing.save(sheet.draw(sheet.config_of(workdirs[0])), out / "augmentation.png")
    return f"what training does to pictures is in {path}"


if __name__ == "__main__":
    app.run(main)
