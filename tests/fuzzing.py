"""Files that chance has spoilt: `python -m tests.fuzzing --cases 10000`.

Headers and pixels of good objects are mutated byte by byte, cut, shuffled and spliced; each case
is read, planned and rendered.  It must end in a frame or a counted reason: no exception, no hang,
no heap that grows, and no word of the header in any message.
"""

import argparse
import io
import logging
import resource
import struct
import sys
import time
import warnings
from collections import Counter

import nibabel
import numpy as np
import pydicom
from pydicom.uid import UID, JPEG2000Lossless, JPEGLSLossless

from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.exam.render import render_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import codecs, instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.reject import Reject
from tests import hostile

SECRET = b"Zyxwvut"  # stands in every text of the seeds; no message may say it
LONGEST_S, LARGEST_BYTES = 10.0, 2 << 30


def enhanced() -> bytes:
    """A multi-frame object of the phantom."""
    for index in range(100):
        for _, data, _ in Study(profile("habits"), index).files():
            if b"1.2.840.10008.5.1.4.1.1.4.1" in data[:600]:
                return data
    raise AssertionError("the phantom writes no enhanced object")


def volume() -> bytes:
    """A NIfTI cine."""
    image = nibabel.Nifti1Image(
        np.arange(12 * 10 * 3 * 4, dtype=np.int16).reshape(12, 10, 3, 4), np.eye(4)
    )
    return image.to_bytes()


def compressed(syntax: UID) -> bytes:
    """A good object whose pixels are encoded."""
    dataset = pydicom.dcmread(io.BytesIO(hostile.good()))
    dataset.compress(syntax)
    out = io.BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def seeds() -> list[tuple[str, bytes]]:
    """Good objects of several encodings, with a name that would be seen if it came out."""
    made = [hostile.FILES[k][0]() for k in ("nothing", "implicit VR", "big endian", "deflated")]
    made += [hostile.FILES["RLE"][0](), hostile.nested(5)(), hostile.private_block(300)()]
    made += [hostile.jpeg()(), compressed(JPEGLSLossless), compressed(JPEG2000Lossless)]
    named = hostile.attributes(
        PatientName=SECRET.decode(), SeriesDescription=SECRET.decode(), PatientID=SECRET.decode()
    )
    dicom = [("x", data) for data in (*made, named(), enhanced())]
    return [*dicom, ("x.nii", volume())]


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """One to a few things go wrong, mostly in the header."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, min(len(out), 2500 if rng.random() < 0.85 else len(out)) or 1))
        what = int(rng.integers(7))
        if what == 0:
            out[at : at + 1] = rng.bytes(1)
        elif what == 1:
            out[at : at + 4] = struct.pack("<I", int(rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF])))
        elif what == 2:
            del out[at : at + int(rng.integers(1, 64))]
        elif what == 3:
            out[at:at] = rng.bytes(int(rng.integers(1, 64)))
        elif what == 4:
            out = out[: max(at, 1)]
        elif what == 5:
            here = bytes(out[at : at + 40])
            out[at:at] = here * int(rng.integers(1, 4))
        else:
            out[at : at + 2] = struct.pack("<H", int(rng.integers(65536)))
    return bytes(out)


def outcome(where: str, data: bytes) -> str:
    """What becomes of one file, through the plan and the pixels."""
    found = instance.read(Head(where, data[: 64 << 10], len(data), lambda: data))
    rejects = [r for r in found if isinstance(r, Reject)]
    frames = [i for i in found if isinstance(i, Instance)]
    if frames:
        plan = plan_exam(frames[0].text["StudyInstanceUID"], frames)
        if isinstance(plan, ExamPlan):
            _, more = render_exam(plan, lambda _: iter([(where, data)]), 4.0, 32)
            rejects += [*plan.rejects, *more]
        else:
            rejects += plan
    for reject in rejects:
        if SECRET.decode() in reject.detail:
            raise AssertionError("a message says what a header said")
    return rejects[0].why.name if rejects else "used"


def run(cases: int, seed: int) -> Counter:
    """Outcomes of `cases` spoilt files; raises at the first that is not one."""
    rng = np.random.default_rng(seed)
    good, outcomes = seeds(), Counter()
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    logging.getLogger().addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for case in range(cases):
                where, seed_data = good[case % len(good)]
                data = mutate(seed_data, rng)
                began = time.monotonic()
                try:
                    outcomes[outcome(where, data)] += 1
                except Exception as error:
                    raise AssertionError(f"case {case} of seed {seed}") from error
                if time.monotonic() - began > LONGEST_S:
                    raise AssertionError(f"case {case} of seed {seed} took more than {LONGEST_S} s")
    finally:
        logging.getLogger().removeHandler(handler)
    if SECRET.decode() in said.getvalue():
        raise AssertionError("a log says what a header said")
    codecs.stop()  # so that its memory is known
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(who).ru_maxrss for who in whose) * 1024
    if peak > LARGEST_BYTES:
        raise AssertionError(f"{peak} bytes of memory")
    return outcomes


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m tests.fuzzing", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    began = time.monotonic()
    outcomes = run(args.cases, args.seed)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{args.cases} cases in {time.monotonic() - began:.0f} s, {peak:.0f} MB at the most")
    for name, count in outcomes.most_common():
        print(f"{count:7} {name}")


if __name__ == "__main__":
    sys.exit(main())
