"""Prepares DICOM exams and reports as shards for training.

    python -m data_prep.build --dicom DIR --reports CSV [--labels CSV] --site NAME \\
        --key-file FILE --out DIR

CSV files join to exams by any of patient_id, study_instance_uid, accession_number; reports need
a column report_text.  Options this program does not know go to Apache Beam (--runner and so on).
What leaves is de-identified: see the README.  Not a medical device.
"""

import argparse
import logging
import os
import pathlib
import re
import shlex
import sys
import warnings

# Beam and TFDS talk about optional parts that are not used here.
warnings.filterwarnings("ignore", category=DeprecationWarning)
logging.getLogger().setLevel(logging.ERROR)

from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402
from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner  # noqa: E402
from apache_beam.runners.runner import PipelineRunner  # noqa: E402
from apache_beam.transforms.environments import SubprocessSDKEnvironment  # noqa: E402

from cmr_jax.schema import MANIFEST_FILE, SPLITS  # noqa: E402
from data_prep.deid.pseudonym import load_key  # noqa: E402
from data_prep.driver import Build, build  # noqa: E402
from data_prep.pipeline import Geometry  # noqa: E402
from data_prep.read.source import open_source  # noqa: E402
from data_prep.reports.table import read_labels, read_reports  # noqa: E402


def parse(argv: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """Arguments of this program, and the rest for Beam."""
    parser = argparse.ArgumentParser(
        "python -m data_prep.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--dicom", required=True, help="folder of DICOM files, or phantom:NAME[:exams=N,seed=S]")
    add("--reports", help="CSV of reports (the phantom brings its own)")
    add("--labels", help="CSV of labels; only evaluation ever opens them")
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
    add("--overwrite", action="store_true", help="replace a finished build in --out")
    add("--workers", type=int, default=0, help="processes of the default runner (0: one per core)")
    return parser.parse_known_args(argv)


def prepare(args: argparse.Namespace) -> Build:
    """Checks every argument before any work starts; ValueError says what and the way out."""
    if not re.fullmatch(r"[\w-]{1,32}", args.site):
        raise ValueError(f"--site {args.site!r}: a short name of letters, digits, - and _.")
    if (args.out / MANIFEST_FILE).exists() and not args.overwrite:
        raise ValueError(
            f"--out {args.out} holds a finished build. Choose another folder, or --overwrite."
        )
    if args.spacing_mm <= 0 or args.size < 16:
        raise ValueError(
            f"--spacing-mm {args.spacing_mm} --size {args.size}: above 0 mm, from 16 pixels."
        )
    from_phantom = args.dicom.startswith("phantom:")
    source = open_source(args.dicom)
    pseudonyms = load_key(args.key_file, args.dicom)
    if not args.reports and not from_phantom and not args.keep_unpaired:
        raise ValueError(
            "--reports is missing: a CSV of reports, or --keep-unpaired to go without."
        )
    reports = args.reports or (args.dicom if from_phantom else None)
    labels = args.labels or (args.dicom if from_phantom else None)
    if not source.units():
        raise ValueError(f"--dicom {args.dicom} holds no files.")
    return Build(
        source=source,
        reports=read_reports(reports) if reports else [],
        labels=read_labels(labels) if labels else [],
        site=args.site,
        pseudonyms=pseudonyms,
        out=args.out,
        geometry=Geometry(args.spacing_mm, args.size),
        splits=_splits(args.splits),
        exams_per_shard=max(args.exams_per_shard, 1),
        vocabulary_size=args.vocabulary,
        keep_unpaired=args.keep_unpaired,
    )


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


def beam_options(
    args: argparse.Namespace, rest: list[str]
) -> tuple[PipelineOptions, str | PipelineRunner]:
    """Beam options and the runner: worker processes on this machine unless told otherwise."""
    named = [a for a in rest if a.startswith("--runner")]
    runner: str | PipelineRunner = named[0].partition("=")[2] if named else "FnApiRunner"
    workers = args.workers or os.cpu_count() or 1
    if not named and workers > 1:
        command = f"{shlex.quote(sys.executable)} -m data_prep.worker"
        runner = FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))
        rest = [*rest, f"--direct_num_workers={workers}"]
    # Workers elsewhere would log every start and stop, and elements that fail, which hold headers.
    rest = [a for a in rest if a not in named] + ["--default_sdk_harness_log_level=ERROR"]
    return PipelineOptions(rest, pickle_library="cloudpickle"), runner


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    args, rest = parse(sys.argv[1:] if argv is None else argv)
    try:
        job = prepare(args)
        options, runner = beam_options(args, rest)
        account = build(job, options, runner)
    except ValueError as error:
        print(f"data_prep.build: {error}", file=sys.stderr)
        return 2
    print("\n".join(account.lines()))
    print(f"shards, account and contact_sheet.png are in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
