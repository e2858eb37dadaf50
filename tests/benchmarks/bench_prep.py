"""How fast exams are prepared, beside the decoder alone: `python tests/benchmarks/bench_prep.py`.

Prints CPU seconds per exam of each part, and header reading as a ratio to pydicom on the same
files in the same run.  The limit to stay under is 0.4 CPU-seconds per exam of 300 images.
"""

import io
import time

import pydicom

from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.exam.render import render_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import attributes, instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance

EXAMS, LIMIT_CPU_S, LIMIT_IMAGES = 4, 0.4, 300


def main() -> None:
    """Times each part on the same exams."""
    exams = [list(Study(profile("clinical"), i).files()) for i in range(EXAMS)]
    images = sum(map(len, exams))

    def cpu(work) -> float:
        began = time.process_time()
        work()
        return time.process_time() - began

    plans: list[ExamPlan] = []

    def headers() -> None:
        for files in exams:
            read = [one for f in files for one in instance.read(Head(*f))]
            plan = plan_exam("x", [r for r in read if isinstance(r, Instance)])
            assert isinstance(plan, ExamPlan)
            plans.append(plan)

    def pixels() -> None:
        for plan, files in zip(plans, exams, strict=True):
            held = {n: d for n, d, _ in files}
            render_exam(plan, lambda wheres, held=held: ((w, held[w]) for w in wheres), 1.25, 224)

    def peer() -> None:
        for files in exams:
            for _, data, _ in files:
                ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
                _ = [ds.get(k) for k in attributes.KEYWORDS]

    header_s, pixel_s, peer_s = cpu(headers), cpu(pixels), cpu(peer)
    per_exam = (header_s + pixel_s) / images * LIMIT_IMAGES
    print(f"{images} images of {EXAMS} exams")
    print(
        f"headers and plans  {header_s / images * 1e6:7.0f} us per image, {peer_s / header_s:.1f}x pydicom"
    )
    print(f"pixels and crop    {pixel_s / images * 1e6:7.0f} us per image")
    print(
        f"an exam of {LIMIT_IMAGES} images: {per_exam:.2f} CPU-s, {per_exam / LIMIT_CPU_S:.2f} of the limit"
    )


if __name__ == "__main__":
    main()
