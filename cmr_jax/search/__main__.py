"""Search exams in words or by another exam.

    python -m cmr_jax.search index --weights=W --data=D [--data=D2 ...] --index=INDEX
    python -m cmr_jax.search query INDEX "severely dilated left ventricle" -k 10 --where=has=LGE
    python -m cmr_jax.search query INDEX --like=EXAM ["but with late enhancement"]
    python -m cmr_jax.search query INDEX --like_dicom=DIR [--slices] [--json]
    python -m cmr_jax.search calibrate INDEX --data=LABELLED --splits=val
    python -m cmr_jax.search triage INDEX --findings=lge,hcm [--data=NEW --splits=test] [--json]
    python -m cmr_jax.search serve INDEX [--port=8400] [--host=ADDRESS --token_file=FILE]
    python -m cmr_jax.search remove INDEX --exams=ID,ID
    python -m cmr_jax.search check INDEX

`index` embeds all exams of prepared data that the index does not have yet, and goes on where it was stopped; an
exam that cannot be read is named, counted and left out.  Of exams that the index has it keeps where their
pictures are: after data was moved, run it again with the new place.  `triage` ranks exams, of the index or of
new data, by findings: probabilities with intervals, and yes, no or unsure, as the labels that `calibrate` was
given teach.
`serve` opens a reading room in the browser: on this machine alone, unless --host says otherwise, which takes
a token.  What is asked there is kept in --audit.
--where filters: vendor=GE, site=, sex=, has=SAX, has="CH4 CINE", has!=LGE, age>=60, tesla=3, and
scores of findings in words, as lge>0.1.  Not a medical device.
"""

import pathlib
from typing import TYPE_CHECKING

from absl import app, flags

from cmr_jax import cli

if TYPE_CHECKING:
    import numpy as np

    from cmr_jax.embedding import Embedder
    from cmr_jax.evals.zero_shot import Asked
    from cmr_jax.search.index import Index

_WEIGHTS = cli.weights_flags(required=False)
_DATA = flags.DEFINE_multi_string("data", [], "Prepared data.")
_SPLITS = flags.DEFINE_list("splits", ["train", "val", "test"], "Which of its splits.")
_INDEX = flags.DEFINE_string("index", None, "The index that `index` makes, or adds to.")
_PROMPTS = flags.DEFINE_string(
    "prompts", "reports", "Of a new index: findings in words, as for cmr_jax.evaluate."
)
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")
_K = flags.DEFINE_integer("hits", 10, "How many exams to find.", short_name="k", lower_bound=1)
_WHERE = flags.DEFINE_multi_string("where", [], "Filters, all of which must hold.")
_LIKE = flags.DEFINE_string("like", None, "An exam of the index.")
_LIKE_DICOM = flags.DEFINE_string("like_dicom", None, "A new exam: a folder of DICOM.")
_SHARE = flags.DEFINE_float(
    "share", 0.5, "Weight of the words beside an exam.", lower_bound=0, upper_bound=1
)
_SLICES = flags.DEFINE_boolean(
    "slices",
    False,
    "Also the slices that carried each, by leaving each out: a second or more an exam.",
)
_JSON = flags.DEFINE_boolean("json", False, "JSON instead of a table.")
_FINDINGS = flags.DEFINE_list("findings", [], "Findings to rank by.")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to serve on.")
_PORT = flags.DEFINE_integer("port", 8400, "Port to serve on.", lower_bound=1, upper_bound=65535)
_NAMES = flags.DEFINE_list("names", [], "Other names (NAME or NAME:PORT) it is asked under.")
_TOKEN_FILE = flags.DEFINE_string("token_file", None, "A file, chmod 600, that holds the token.")
_HTTPS = flags.DEFINE_boolean("https", False, "Browsers come by https, through a proxy.")
_AUDIT = flags.DEFINE_string("audit", None, "File of queries (default: audit.jsonl of the index).")
_KEEP = flags.DEFINE_boolean("keep_queries", True, "Whether queries are kept there.")
_EXAMS = flags.DEFINE_list("exams", [], "Exams to remove.")


def main(argv: list[str]) -> None:
    """Command line."""
    does, *given = argv[1:] or [""]
    if does not in DOES:
        raise app.UsageError(f"say what to do: {', '.join(DOES)}.")
    with cli.command(f"cmr_jax.search {does}", []):
        DOES[does](given)


def _index(given: list[str]) -> None:
    from cmr_jax.data.shards import splits_of
    from cmr_jax.search import rows, terminal
    from cmr_jax.search.about import ABOUT_FILE
    from cmr_jax.search.index import Index

    if given or not (_INDEX.value and _DATA.value):
        raise app.UsageError("index takes --index=INDEX and --data=DIR, and no other words.")
    if absent := [data for data in _DATA.value if not pathlib.Path(data).is_dir()]:
        raise ValueError(f"--data {absent[0]}: there is no such folder.")
    path = pathlib.Path(_INDEX.value)
    opened = Index(path) if (path / ABOUT_FILE).exists() else None
    model, where = _model(opened)
    asked = _asked(model, opened)
    if opened is None:
        about = rows.about(model, where, asked, _DATA.value[0])
        opened = Index.create(path, about, rows.columns(asked))
    for data in _DATA.value:
        for split in _SPLITS.value:
            if split in splits_of(data):
                found = rows.fill(opened, model, asked, data, split)
                print(f"{data} {split}: {terminal.filled(found)}")
    print(f"{len(opened)} exams in {path}")


def _query(given: list[str]) -> None:
    from cmr_jax.search import terminal
    from cmr_jax.search.query import Searcher

    opened, words = _opened(given)
    if _LIKE.value and _LIKE_DICOM.value:
        raise app.UsageError("--like or --like_dicom, not both.")
    if not (words or _LIKE.value or _LIKE_DICOM.value):
        raise app.UsageError("query what? Words, --like=EXAM, --like_dicom=DIR.")
    model, _ = _model(opened)
    searcher = Searcher(opened, model)
    dicom = _LIKE_DICOM.value
    like = _new(dicom, opened, model) if dicom else _LIKE.value or ""
    query = searcher.query(" ".join(words), like, _WHERE.value, _K.value, _SHARE.value)
    hits = searcher(query)
    if _SLICES.value:
        direction = searcher.direction(query)
        hits = [searcher.with_slices(hit, direction) for hit in hits]
    print(terminal.as_json(hits) if _JSON.value else terminal.table(hits))


def _new(dicom: str, opened: "Index", model: "Embedder") -> "np.ndarray":
    """The vector of the one exam of --like_dicom."""
    from cmr_jax.search import fresh

    exams, vectors = fresh.embedded(dicom, opened.about, model)
    if len(exams) != 1:
        raise ValueError(f"--like_dicom holds {len(exams)} exams: ask with one.")
    return vectors[0]


def _calibrate(given: list[str]) -> None:
    from cmr_jax.evals import cohort
    from cmr_jax.search import calibrated

    opened, _ = _opened(given)
    if len(_DATA.value) != 1 or len(_SPLITS.value) != 1:
        raise app.UsageError("calibrate takes one --data=DIR with labels, and --splits=ONE of it.")
    model, _ = _model(opened)
    known = cohort.embed(model, "labelled", _DATA.value[0], _SPLITS.value[0], draws=1, seed=0)
    found = calibrated.learn(known, _asked(model, opened).scores(known.video))
    if not found:
        raise ValueError(
            f"{_DATA.value[0]} has no finding with enough labels in {_SPLITS.value[0]}."
        )
    calibrated.write(opened.path, found)
    print(f"{len(known)} exams teach {', '.join(found)}")


def _triage(given: list[str]) -> None:
    from cmr_jax.search import calibrated, filters, rows, triage
    from cmr_jax.search.index import KEY

    opened, _ = _opened(given)
    known = calibrated.read(opened.path)
    findings = _FINDINGS.value or list(known)
    if _DATA.value:
        model, _ = _model(opened)
        ids, scores = rows.scored(model, _asked(model, opened), _DATA.value, _SPLITS.value)
    else:
        where = filters.condition(_WHERE.value, opened.about)
        columns = {f: rows.FINDING + f for f in opened.about.findings}
        table = opened.rows(where, [KEY, *columns.values()])
        ids = table[KEY].to_pylist()
        scores = {f: table[column].to_numpy() for f, column in columns.items()}
    found = triage.rank(ids, scores, known, findings)
    print(triage.as_json(found) if _JSON.value else triage.as_csv(found), end="")


def _serve(given: list[str]) -> None:
    from cmr_jax.search.room import serve

    opened, _ = _opened(given)
    door = serve.Door(
        _HOST.value, _PORT.value, tuple(_NAMES.value), _TOKEN_FILE.value, _HTTPS.value
    )
    rules = serve.rules(door)  # before anything that takes time
    model, _ = _model(opened)
    audit = pathlib.Path(_AUDIT.value) if _AUDIT.value else opened.path / "audit.jsonl"
    serve.serve(opened, model, door, rules, audit if _KEEP.value else None)


def _remove(given: list[str]) -> None:
    from cmr_jax.search import rows
    from cmr_jax.search.index import KEY, one_of

    opened, _ = _opened(given)
    if not _EXAMS.value:
        raise app.UsageError("remove which? --exams=ID,ID")
    if absent := sorted(set(_EXAMS.value) - set(opened.ids(one_of(KEY, _EXAMS.value)))):
        raise ValueError(f"nothing was removed: the index has no {', '.join(absent)}.")
    print(f"{rows.drop(opened, _EXAMS.value)} exams removed, {len(opened)} left")


def _check(given: list[str]) -> None:
    opened, _ = _opened(given)
    print(f"{opened.check()} files are as they were written; {len(opened)} exams")


def _opened(given: list[str]) -> "tuple[Index, list[str]]":
    from cmr_jax.search.index import Index

    if not given:
        raise app.UsageError("which index?")
    return Index(pathlib.Path(given[0])), given[1:]


def _model(opened: "Index | None") -> "tuple[Embedder, str]":
    """The model of --weights, or that of the index; where it lies.  It must be the one that the index
    was made with."""
    from cmr_jax import weights
    from cmr_jax.embedding import Embedder
    from cmr_jax.search import rows

    path, how = _WEIGHTS()
    if path is None and opened is not None:
        path = opened.about.weights
    if path is None:
        raise app.UsageError("--weights is missing.")
    model = Embedder(weights.load(path, weights.Options.of(how)), _BATCH.value)
    if opened is not None and rows.fingerprint(model) != opened.about.model:
        raise ValueError(
            f"{opened.path} was made with another model than {path}. Ask with that one "
            f"(it lay in {opened.about.weights}), or make the index anew."
        )
    return model, str(pathlib.Path(path).absolute())


def _asked(model: "Embedder", opened: "Index | None") -> "Asked":
    """Findings in the words of the index; --prompts chooses those of a new one."""
    from cmr_jax.evals import questions
    from cmr_jax.evals.zero_shot import Asked

    asked = questions.read(_PROMPTS.value) if opened is None else opened.about.questions
    return Asked(asked, model.texts)


DOES = {
    "index": _index,
    "query": _query,
    "calibrate": _calibrate,
    "triage": _triage,
    "serve": _serve,
    "remove": _remove,
    "check": _check,
}

if __name__ == "__main__":
    app.run(main)
