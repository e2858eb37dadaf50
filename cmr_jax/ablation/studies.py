"""Opens a study: a file of Python with get_study()."""

import importlib.util
import pathlib

from cmr_jax.config.study import Study


def read(path: str) -> Study:
    """A ValueError where there is none, or it cannot be run."""
    spec = importlib.util.spec_from_file_location("study", path)
    if spec is None or spec.loader is None or not pathlib.Path(path).is_file():
        raise ValueError(f"--study {path}: there is no such file of Python.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, "get_study"):
        raise ValueError(f"--study {path} has no get_study().")
    study = module.get_study()
    study.check()
    return study
