"""Search exams in words or by another exam.

    python -m cmr_jax.search index --weights=W --data=D [--data=D2 ...] --index=INDEX
    python -m cmr_jax.search query INDEX "severely dilated left ventricle" -k 10 --where=has=LGE
    python -m cmr_jax.search query INDEX --like=EXAM ["but with late enhancement"] [--share=0.3]
    python -m cmr_jax.search query INDEX --like_dicom=DIR [--slices] [--json]
    python -m cmr_jax.search calibrate INDEX --data=LABELLED --splits=val
    python -m cmr_jax.search triage INDEX --findings=lge,hcm [--where=site=A] [--json]
    python -m cmr_jax.search triage INDEX --findings=lge,hcm --data=NEW --splits=test [--json]
    python -m cmr_jax.search serve INDEX [--port=8400] [--measurements=DIR]
        [--host=ADDRESS --token_file=FILE]
    python -m cmr_jax.search remove INDEX --exams=ID,ID
    python -m cmr_jax.search check INDEX

`index` embeds all exams of prepared data that the index does not have yet, and goes on where it was stopped
(an index knows where its weights lie: --weights then says where they lie now); an exam that cannot be read
is named, counted and left out.  Of exams that the index has it keeps where their pictures are: after data
was moved, run it again with the new place.
`query` tells what it understood of the words and what it did not, which counts by likeness alone.  A score is
a cosine, -1 to 1; "above" tells how many of the index in a hundred have a lower one; where the index is
calibrated for all that was understood, "likely" is the probability of all of that, and ranks with the score.
`triage` ranks exams, of the index or of new data.  `expected` is how many of the findings an exam has on
average, the sum of their probabilities; for each finding there are its probability, the ends (low, high) of
its 95 % interval, as the labels that `calibrate` was given teach, and yes, no or unsure: an answer is the
likelier one, where the other is so unlikely as it is for one in ten of those who have it.
`serve` opens a reading room in the browser: on this machine alone, unless --host says otherwise, which takes
a token.  What is asked there is kept in --audit.
--where filters: vendor=GE, site=, sex=, split=, patient=, exam=, has=SAX, has="CH4 CINE", has!=LGE,
age>=60, age<70 (bands of ten years), tesla=3, and scores of findings in words, as lge>0.1.
Not a medical device.
"""

import dataclasses
import pathlib
from typing import TYPE_CHECKING

from absl import app, flags

from cmr_jax import cli

if TYPE_CHECKING:
    from cmr_jax.embedding import Embedder
    from cmr_jax.search.index import Index

_WEIGHTS = cli.weights_flags(required=False)
_DATA = flags.DEFINE_multi_string("data", [], "Prepared data.")
_SPLITS = flags.DEFINE_list("splits", ["train", "val", "test"], "Which of its splits.")
_INDEX = flags.DEFINE_string("index", None, "The index that `index` makes, or adds to.")
_PROMPTS = flags.DEFINE_string(
    "prompts", "reports", "Of a new index: findings in words, as for cmr_jax.evaluate."
)
_BATCH = flags.DEFINE_integer("batch", 32, "Exams at a time.")
_K = flags.DEFINE_integer(
    "hits",
    10,
    "How many exams to find; of `triage`, how many to list (all).",
    short_name="k",
    lower_bound=1,
)
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
_FINDINGS = flags.DEFINE_list("findings", [], "Findings to rank by (default: all calibrated).")
_HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to serve on.")
_PORT = flags.DEFINE_integer("port", 8400, "Port to serve on.", lower_bound=1, upper_bound=65535)
_NAMES = flags.DEFINE_list("names", [], "Other names (NAME or NAME:PORT) it is asked under.")
_TOKEN_FILE = flags.DEFINE_string("token_file", None, "A file, chmod 600, that holds the token.")
_HTTPS = flags.DEFINE_boolean("https", False, "Browsers come by https, through a proxy.")
_AUDIT = flags.DEFINE_string("audit", None, "File of queries (default: audit.jsonl of the index).")
_KEEP = flags.DEFINE_boolean("keep_queries", True, "Whether queries are kept there.")
_MEASURED = flags.DEFINE_string(
    "measurements", None, "What cmr_jax.measure --out wrote: numbers and contours beside exams."
)
_EXAMS = flags.DEFINE_list("exams", [], "Exams to remove.")


def main(argv: list[str]) -> None:
    """Command line."""
    does, *given = argv[1:] or [""]
    with cli.command(f"cmr_jax.search {does}".strip(), []):
        if does not in DOES:
            raise app.UsageError(f"say what to do: {', '.join(DOES)}.")
        command, taken = DOES[does]
        cli.only(does, taken.split())
        command(given)


def _index(given: list[str]) -> None:
    if given:
        raise app.UsageError(f"what is {given[0]!r}? The index is --index=INDEX.")
    if missing := [flag.name for flag in (_INDEX, _DATA) if not flag.value]:
        raise app.UsageError(f"--{missing[0]} is missing.")
    _there(_DATA.value)
    from cmr_jax.data.shards import splits_of
    from cmr_jax.search import opening, rows, terminal

    path = pathlib.Path(str(_INDEX.value))
    data = _DATA.value[0]
    index, model = opening.to_fill(path, *_WEIGHTS(), _BATCH.value, _PROMPTS.value, data)
    asked = opening.asked(model, index)
    for data in _DATA.value:
        for split in _SPLITS.value:
            if split in splits_of(data):
                found = rows.fill(index, model, asked, data, split)
                print(f"{data} {split}: {terminal.filled(found)}")
    print(f"{len(index)} exams in {path}")


def _query(given: list[str]) -> None:
    from cmr_jax.search import request

    dicom, like = _LIKE_DICOM.value, _LIKE.value or ""
    index, words = _opened(given), " ".join(given[1:])
    if like and dicom:
        raise app.UsageError("--like or --like_dicom, not both.")
    if not (words or like or dicom):
        raise app.UsageError("query what? Words, --like=EXAM, --like_dicom=DIR.")
    asks = (_WHERE.value, _K.value, _SHARE.value)
    typed = request.typed(index, words, like, *asks, beside=bool(dicom))
    if dicom and ":" not in dicom and not pathlib.Path(dicom).exists():
        raise ValueError("--like_dicom: there is no such folder.")
    # What takes time to load comes after all that can be refused without it.
    from cmr_jax.search import calibrated, fresh, query, terminal

    model = _model(index)
    if dicom:
        typed = dataclasses.replace(typed, like=fresh.one(dicom, index.about, model))
    known = calibrated.read(index.path).findings
    searcher = query.Searcher(index, model, calibrated.likely(known))
    hits = searcher(typed)
    if _SLICES.value:
        direction = searcher.direction(typed)
        hits = [searcher.with_slices(hit, direction) for hit in hits]
    told = terminal.as_json if _JSON.value else terminal.table
    print(told(hits, **request.explained(index, words, _WHERE.value, len(hits))))


def _calibrate(given: list[str]) -> None:
    index = _opened(given, words=False)
    if len(_DATA.value) != 1 or len(_SPLITS.value) != 1:
        raise app.UsageError("calibrate takes one --data=DIR with labels, and --splits=ONE of it.")
    _there(_DATA.value)
    from cmr_jax.evals import cohort
    from cmr_jax.search import calibrated, opening, teaching

    model = _model(index)
    (data,), (split,) = _DATA.value, _SPLITS.value
    known = cohort.embed(model, "labelled", data, split, draws=1, seed=0)
    learned = teaching.learn(known, opening.asked(model, index).scores(known.video))
    if not learned.findings:
        raise ValueError(f"{data} has no finding with enough labels in {split}.")
    calibrated.write(index.path, learned)
    print(f"{len(known)} exams teach {', '.join(learned.findings)}")


def _triage(given: list[str]) -> None:
    index = _opened(given, words=False)
    flag = "where" if _DATA.value else "splits"  # of the exams of the index, and of data
    if flags.FLAGS[flag].present:
        raise app.UsageError(f"--{flag} does not go {'with' if _DATA.value else 'without'} --data.")
    _there(_DATA.value)
    from cmr_jax.search import calibrated, opening, rows, triage

    learned = calibrated.read(index.path)
    findings = _FINDINGS.value or list(learned.findings)
    triage.check(findings, learned.findings)
    if _DATA.value:
        model = _model(index)
        asked = opening.asked(model, index)
        scored = rows.scored(model, asked, _DATA.value, _SPLITS.value)
    else:
        scored = triage.of_index(index, _WHERE.value)
    triage.warn(scored, learned)
    most = _K.value if flags.FLAGS["hits"].present else None
    found = triage.rank(scored, learned.findings, findings, most)
    print(triage.as_json(found) if _JSON.value else triage.as_csv(found), end="")


def _serve(given: list[str]) -> None:
    index = _opened(given, words=False)
    from cmr_jax.search.room import serve
    from cmr_jax.search.room.measured import Measured

    door = serve.Door(
        _HOST.value, _PORT.value, tuple(_NAMES.value), _TOKEN_FILE.value, _HTTPS.value
    )
    rules = serve.rules(door)  # before anything that takes time
    measured = Measured(pathlib.Path(_MEASURED.value)) if _MEASURED.value else None
    audit = pathlib.Path(_AUDIT.value) if _AUDIT.value else index.path / "audit.jsonl"
    serve.serve(index, _model(index), door, rules, audit if _KEEP.value else None, measured)


def _remove(given: list[str]) -> None:
    index = _opened(given, words=False)
    if not _EXAMS.value:
        raise app.UsageError("remove which? --exams=ID,ID")
    from cmr_jax.search import rows

    print(f"exams removed: {rows.drop(index, _EXAMS.value)}; left: {len(index)}")


def _check(given: list[str]) -> None:
    index = _opened(given, words=False)
    print(
        f"files of the table that are as they were written: all {index.check()}; exams: {len(index)}"
    )


def _there(folders: list[str]) -> None:
    if absent := [data for data in folders if not pathlib.Path(data).is_dir()]:
        raise ValueError(f"--data {absent[0]}: there is no such folder.")


def _opened(given: list[str], words: bool = True) -> "Index":
    """The index that is named first; `words` may follow it."""
    from cmr_jax.search.index import Index

    if not given:
        raise app.UsageError("which index?")
    if not words and len(given) > 1:
        raise app.UsageError(f"what is {given[1]!r}?")
    return Index(pathlib.Path(given[0]))


def _model(index: "Index") -> "Embedder":
    from cmr_jax.search import opening

    return opening.model(index, *_WEIGHTS(), _BATCH.value)


WEIGHTS = "weights partial inflate mean_time"
DOES = {  # each with the flags that it takes
    "index": (_index, f"data splits index prompts batch {WEIGHTS}"),
    "query": (_query, f"hits where like like_dicom share slices json {WEIGHTS}"),
    "calibrate": (_calibrate, f"data splits batch {WEIGHTS}"),
    "triage": (_triage, f"findings hits where data splits json batch {WEIGHTS}"),
    "serve": (
        _serve,
        f"host port names token_file https audit keep_queries measurements {WEIGHTS}",
    ),
    "remove": (_remove, "exams"),
    "check": (_check, ""),
}

if __name__ == "__main__":
    app.run(main)
