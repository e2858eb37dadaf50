"""Prepares DICOM exams and reports as shards for training.

    python -m data_prep.build --dicom SOURCE --reports PATH [--labels CSV] --site NAME \\
        --key-file FILE --out DIR

A SOURCE is a folder of DICOM or NIfTI files (tar and zip archives are read where they lie), one
archive, a folder in a cloud (gs://..., s3://...), dicomweb:URL, phantom:NAME, or a public set in
its own layout, as acdc:DIR (with its labels and its split): acdc, emidec, emidec_png, kaggle, mnms,
mnms2, mscmr, myops, sunnybrook, sunnybrook_png.  A build that was stopped goes on where it was when the
same command runs again; --update adds exams to a finished one.

Reports and labels join to exams by any of patient_id, study_instance_uid, accession_number; in a
table, reports need a column report_text.  Options this program does not know go to Apache Beam
(--runner and so on).  What leaves is de-identified: see the README.  Not a medical device.
"""

import argparse
import logging
import pathlib
import re
import shutil
import sys
import warnings

# Beam and TFDS talk about optional parts that are not used here.
warnings.filterwarnings("ignore", category=DeprecationWarning)
logging.getLogger().setLevel(logging.ERROR)

from cmr_jax.schema import EXAMS, FRAMES, LABELS_FILE, MANIFEST_FILE, SPLITS, Sequence  # noqa: E402
from data_prep import update, workshop  # noqa: E402
from data_prep.classify import lexicon  # noqa: E402
from data_prep.deid.pseudonym import load_key  # noqa: E402
from data_prep.driver import Build, build  # noqa: E402
from data_prep.engine import Engines, WorkerError  # noqa: E402
from data_prep.exam.plan import CLINICAL, Choice  # noqa: E402
from data_prep.orders import Rules  # noqa: E402
from data_prep.public import is_public  # noqa: E402
from data_prep.read.cloud import connect, is_cloud  # noqa: E402
from data_prep.read.source import open_source  # noqa: E402
from data_prep.reports.table import read_labels, read_reports  # noqa: E402
from data_prep.shards import Geometry  # noqa: E402


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Arguments of this program, and the rest for Beam."""
    parser = argparse.ArgumentParser(
        "python -m data_prep.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dicom", required=True, help="where the exams are: see above")
    add(
        "--dicomweb-credentials",
        help="JSON with token, or user and password, chmod 600 (or see CMR_DICOMWEB_TOKEN)",
    )
    add("--reports", help="CSV, TSV, JSON lines, HL7 v2, FHIR, or a folder of these or of texts")
    add(
        "--labels",
        help="CSV of labels; only evaluation ever opens them, but for a column split (train, val, test)",
    )
    add("--site", required=True, help="short name of the site: letters, digits, - and _")
    add(
        "--key-file", help="secret, 32 random bytes, chmod 600 (or CMR_JAX_PREP_KEY, hex or base64)"
    )
    add("--out", required=True, type=pathlib.Path, help="folder to write")
    add(
        "--spacing-mm",
        type=float,
        default=1.25,
        help="pixel spacing to store (default %(default)s)",
    )
    add("--size", type=int, default=224, help="pixels of a stored square (default %(default)s)")
    add(
        "--splits",
        default="train=0.8,val=0.1,test=0.1",
        help="shares of patients (default %(default)s)",
    )
    add("--exams-per-shard", type=int, default=100, help="default %(default)s")
    add("--vocabulary", type=int, default=2048, help="largest vocabulary (default %(default)s)")
    add("--keep-unpaired", action="store_true", help="also write exams that no report joins")
    add(
        "--keep",
        default="clinical",
        help="sequences to keep: clinical (all but localizers and derived), all, or a list of "
        + ", ".join(s.name for s in Sequence)
        + " (default %(default)s)",
    )
    add("--lexicon", type=pathlib.Path, help="words of your site (see data_prep.classify --help)")
    add(
        "--update",
        action="store_true",
        help="add new exams to the build in --out; those already there stay as they are",
    )
    add(
        "--overwrite",
        action="store_true",
        help="replace what is in --out, finished or stopped",
    )
    add(
        "--exchange",
        default="",
        help="where this program and workers that share no file system with it pass plans and "
        "shards: a private folder in a cloud (gs://..., s3://...; default: beside --out)",
    )
    add(
        "--workers",
        type=int,
        default=0,
        help="processes on this machine (0: up to one per core, as many as are worth their start)",
    )
    return parser.parse_known_args(argv)


def prepare(args: argparse.Namespace) -> Build:
    """Checks every argument before any work starts; ValueError says what and the way out."""
    if not re.fullmatch(r"[\w-]{1,32}", args.site):
        raise ValueError(f"--site {args.site!r}: a short name of letters, digits, - and _.")
    update.recover(args.out)
    if args.overwrite or (args.out / MANIFEST_FILE).exists():
        workshop.sweep(args.out)
    if (args.out / MANIFEST_FILE).exists() and not (args.overwrite or args.update):
        raise ValueError(
            f"--out {args.out} holds a finished build. Choose another folder, --update it with what "
            "is new, or --overwrite it."
        )
    if args.spacing_mm <= 0 or args.size < 16:
        raise ValueError(
            f"--spacing-mm {args.spacing_mm} --size {args.size}: above 0 mm, from 16 pixels."
        )
    from_phantom = args.dicom.startswith("phantom:")
    source = open_source(args.dicom, args.dicomweb_credentials)
    pseudonyms = load_key(args.key_file, args.dicom)
    known = from_phantom or is_public(args.dicom)  # who made it says what is true of it
    if not args.reports and not known and not args.keep_unpaired:
        raise ValueError(
            "--reports is missing: a file or folder of reports, or --keep-unpaired to go without."
        )
    reports = args.reports or (args.dicom if from_phantom else None)
    labels = args.labels or (args.dicom if known else None)
    if not source.units():
        raise ValueError(f"--dicom {args.dicom} holds no files.")
    rules = Rules(
        pseudonyms=pseudonyms,
        site=args.site,
        splits=_splits(args.splits),
        exams_per_shard=max(args.exams_per_shard, 1),
        keep_unpaired=args.keep_unpaired or is_public(args.dicom),
    )
    job = Build(
        source=source,
        reports=read_reports(reports) if reports else [],
        labels=read_labels(labels) if labels else [],
        rules=rules,
        out=args.out,
        geometry=Geometry(args.spacing_mm, args.size),
        choice=Choice(_kept(args.keep), lexicon.load(args.lexicon)),
        vocabulary_size=args.vocabulary,
        exchange=_exchange(args.exchange),
        update=args.update,
    )
    if args.update:
        update.check(args.out, job.options)
    elif args.overwrite:
        (args.out / MANIFEST_FILE).unlink(missing_ok=True)  # first: what follows is no build
        (args.out / LABELS_FILE).unlink(missing_ok=True)
        for table in (EXAMS, FRAMES):
            shutil.rmtree(args.out / table, ignore_errors=True)
    return job


def _exchange(text: str) -> str:
    if not text:
        return ""
    if not is_cloud(text):
        raise ValueError(f"--exchange {text}: a folder in a cloud, as gs://bucket/private.")
    connect(text)
    return text


def _kept(text: str) -> frozenset[Sequence]:
    if text in ("clinical", "all"):
        return CLINICAL if text == "clinical" else frozenset(Sequence)
    try:
        return frozenset(Sequence[name.strip().upper()] for name in text.split(","))
    except KeyError as error:
        known = ", ".join(s.name for s in Sequence)
        raise ValueError(f"--keep {text}: {error} is none of clinical, all, {known}.") from None


def _splits(text: str) -> dict[str, float]:
    try:
        shares = {
            name: float(share) for name, _, share in (p.partition("=") for p in text.split(","))
        }
    except ValueError:
        shares = {}
    if not shares or set(shares) - set(SPLITS) or abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(
            f"--splits {text}: shares of {', '.join(SPLITS)} that sum to 1, as train=0.8,test=0.2."
        )
    return {name: shares[name] for name in SPLITS if name in shares}


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    args, rest = parse(sys.argv[1:] if argv is None else argv)
    try:
        job = prepare(args)
        account = build(job, Engines(args.workers, tuple(rest)))
    except ValueError as error:
        print(f"data_prep.build: {error}", file=sys.stderr)
        return 2
    except WorkerError as error:
        print(
            f"data_prep.build: a worker failed: {error}. Its message is withheld, for it may quote "
            "a header. What is done is kept: the same command goes on.",
            file=sys.stderr,
        )
        return 1
    print("\n".join(account.lines()))
    print(f"shards and what was made of the exams are in {args.out}: open qc.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
