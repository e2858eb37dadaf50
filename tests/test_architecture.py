"""The floor plan is a test: imports are read, not trusted."""

import ast
import graphlib
import pathlib
import re
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
FLOORS = [  # a module may import what stands on a lower floor, and its own room
    ["schema", "cli"],
    ["config", "types", "phantom"],
    ["sharding", "metrics", "tokenizer", "wording", "journal", "hosts", "prefetch", "provenance"],
    ["losses", "optim", "guard", "hashing"],
    ["models", "data", "accumulate"],
    ["augment", "fresh_data"],
    ["objectives"],
    ["step", "checkpoint", "run_files"],
    ["weights"],
    ["embedding", "programs", "segmentation"],
    ["evals", "planner", "drawing"],
    ["trainer", "ablation", "search", "measure"],
    ["train", "evaluate", "embed", "export", "plot", "ablate", "alike"],
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
HOMES = {  # a heavy import has one home
    "flax": {"models"},
    "grain": {"data"},
    "orbax": {"checkpoint"},
    "sentencepiece": {"tokenizer"},
    "tokenizers": {"tokenizer"},
    "sklearn": {"evals"},
    "matplotlib": {"evals", "drawing"},
    "tensorboardX": {"journal"},
    "lancedb": {"search"},
}
NEVER = {"data_prep", "apache_beam", "pydicom", "tensorflow", "configs", "torch"}
SOURCES = sorted((ROOT / "cmr_jax").rglob("*.py"))
PREP = sorted((ROOT / "data_prep").rglob("*.py"))


def imported(path: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide the floor"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room(path: pathlib.Path) -> str:
    return path.relative_to(ROOT / "cmr_jax").with_suffix("").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_point_down(path):
    here = room(path)
    if here == "__init__":
        return
    for name in imported(path):
        top, *rest = name.split(".")
        assert top not in NEVER, f"{path} imports {name}"
        assert top not in HOMES or here in HOMES[top], f"{path}: {top} lives in {HOMES[top]}"
        if top == "cmr_jax" and rest and rest[0] in FLOOR and rest[0] != here:
            assert FLOOR[rest[0]] < FLOOR[here], f"{path} looks up at {name}"


def test_models_and_data_never_meet():
    for path in SOURCES:
        rooms = {name.split(".")[1] for name in imported(path) if name.startswith("cmr_jax.")}
        assert not (room(path) == "models" and "data" in rooms), path
        assert not (room(path) == "data" and "models" in rooms), path


@pytest.mark.parametrize("path", PREP, ids=lambda p: str(p.relative_to(ROOT)))
def test_preparation_knows_only_the_contract(path):
    for name in imported(path):
        if name.startswith("cmr_jax."):
            assert name.split(".")[1] in ("schema", "tokenizer", "phantom"), (
                f"{path} imports {name}"
            )


def test_rooms_of_the_preparation_stand_on_one_another():
    below = {}
    for path in PREP:
        here, *_ = path.relative_to(ROOT / "data_prep").with_suffix("").parts
        names = {name.split(".")[1] for name in imported(path) if name.startswith("data_prep.")}
        below.setdefault(here, set()).update(names - {here})
    assert len(tuple(graphlib.TopologicalSorter(below).static_order())) > 15  # or a CycleError


def test_configs_know_only_config():
    for path in (ROOT / "configs").rglob("*.py"):
        for name in imported(path):
            ours = name.startswith("cmr_jax.config")
            assert ours or name.split(".")[0] in sys.stdlib_module_names, f"{path} imports {name}"


def test_every_module_says_what_it_is():
    for path in SOURCES + PREP:
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree) or not tree.body, path


def test_the_readme_points_at_what_is_there():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (ROOT / "README.md").read_text())
    assert len(links) > 5
    assert [link for link in links if not (ROOT / link).exists()] == []
