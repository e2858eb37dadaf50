"""Measures random hearts that no network learned from: errors, and whether intervals hold.  Prints speeds too.

    python tests/benchmarks/measuring_phantoms.py [--weights=W] [--exams=300] [--seed=2000003]

Coverage is the share of exams whose true number lies in the stated 95 % interval, with the 95 % interval
of that share (Wilson).  Speeds: exams measured a second by this process, and exams that the generator
makes a second on one core.
"""

import argparse
import time

import numpy as np
from scipy.stats import binomtest

from cmr_jax.measure import learning, volumes
from cmr_jax.phantom import Source, Variant
from cmr_jax.segmentation import weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights")
    parser.add_argument("--exams", type=int, default=300)
    parser.add_argument("--seed", type=int, default=2_000_003)
    args = parser.parse_args()
    model = weights.load(args.weights)
    predictor, source = model.predictor(), Source(args.seed, Variant(pictures=1))
    learning.measured(source[args.exams], predictor)  # compiles
    errors: dict[str, list[float]] = {n: [] for n in volumes.NUMBERS}
    inside: dict[str, list[bool]] = {n: [] for n in volumes.NUMBERS}
    making = measuring = 0.0
    failed = doubtful = 0
    for index in range(args.exams):
        begun = time.process_time()
        exam = source[index]
        making += time.process_time() - begun
        begun = time.monotonic()
        found = learning.measured(exam, predictor)
        measuring += time.monotonic() - begun
        if found is None:
            failed += 1
            continue
        doubtful += bool(found.doubts)
        true = learning.truth(exam)
        for name in volumes.NUMBERS:
            value = getattr(true, name)
            low, high = learning.interval(model, found, name)
            errors[name].append(getattr(found.function, name) - value)
            inside[name].append(low <= value <= high)
    print("| number | mean absolute error | median | bias | within its 95 % interval |")
    print("| --- | --- | --- | --- | --- |")
    for name in volumes.NUMBERS:
        error, hit = np.array(errors[name]), np.array(inside[name])
        share = binomtest(int(hit.sum()), len(hit)).proportion_ci(method="wilson")
        print(
            f"| {name} | {np.abs(error).mean():.1f} | {np.median(np.abs(error)):.1f} | {error.mean():.1f} "
            f"| {hit.mean():.3f} ({share.low:.3f} to {share.high:.3f}) |"
        )
    measured = args.exams - failed
    print(f"\n{measured} of {args.exams} measured, {doubtful} of them marked unsure.")
    print(
        f"Measured {args.exams / measuring:.2f} exams a second (two moments, ensemble of "
        f"{len(model.networks)}); made {args.exams / making:.1f} exams a second and core."
    )


if __name__ == "__main__":
    main()
