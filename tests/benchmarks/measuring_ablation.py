"""Which parts of the random hearts, the inputs and the network matter on real hearts.

    python tests/benchmarks/measuring_ablation.py --set acdc:DIR --out OUT [--steps=300] [--seeds=3]
        [--arms=whole,texture] [--part=0/2]

Each arm is the shipped recipe with one part changed, trained for the same steps (the heads: about the same
CPU time) with each of the seeds.  Finished runs are kept in OUT and not made again, so that several
processes can share the work (`--part`); OUT/table.md compares what is finished.  Differences to `whole` have
95 % intervals over patients, of the mean over seeds.
"""

import argparse
import dataclasses
import json
import pathlib
import time

import numpy as np
import real_hearts
from sklearn.metrics import roc_auc_score

from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.measure import findings
from cmr_jax.measure.measuring import measure
from cmr_jax.phantom import Variant
from cmr_jax.phantom.appearance import Greys
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation.batches import Sampling
from cmr_jax.segmentation.networks import Architecture
from cmr_jax.segmentation.predict import AS_IT_IS, Network, Predictor
from cmr_jax.segmentation.training import Training, train

WHOLE = Training()
V, S = WHOLE.variant, WHOLE.sampling
ARMS: dict[str, Training] = {
    "whole": WHOLE,
    "tidy shapes": dataclasses.replace(WHOLE, variant=dataclasses.replace(V, wide_shapes=False)),
    "no clutter": dataclasses.replace(WHOLE, variant=dataclasses.replace(V, clutter=False)),
    "fixed greys": dataclasses.replace(WHOLE, variant=dataclasses.replace(V, greys=Greys.FIXED)),
    "broad greys": dataclasses.replace(WHOLE, variant=dataclasses.replace(V, greys=Greys.BROAD)),
    "random greys": dataclasses.replace(WHOLE, variant=dataclasses.replace(V, greys=Greys.RANDOM)),
    "no texture or artefacts": dataclasses.replace(
        WHOLE, variant=dataclasses.replace(V, texture=False)
    ),
    "no localiser": dataclasses.replace(WHOLE, sampling=dataclasses.replace(S, shift=25.0)),
    "no neighbouring slices": dataclasses.replace(
        WHOLE, sampling=dataclasses.replace(S, empty=(1, 2))
    ),
    "no opposite phase": dataclasses.replace(WHOLE, sampling=dataclasses.replace(S, empty=(3,))),
    "3 mm": dataclasses.replace(
        WHOLE, variant=Variant(spacing=3.0, size=64), sampling=Sampling(size=48, shift=7.0)
    ),
    "1.5 mm": dataclasses.replace(
        WHOLE, variant=Variant(spacing=1.5, size=128), sampling=Sampling(size=80, shift=13.0)
    ),
    "any orientation": dataclasses.replace(WHOLE, sampling=dataclasses.replace(S, turned=True)),
    "video tower's tokens": dataclasses.replace(WHOLE, architecture=Architecture.TOKENS),
}
SHARE_OF_STEPS = {"1.5 mm": 0.64, "video tower's tokens": 0.35}  # which cost more
FIVE = (
    "EF < 50 %",
    "EDV > 200 ml",
    "dilated cardiomyopathy",
    "hypertrophic cardiomyopathy",
    "abnormal right ventricle",
)
PARTS = {"LV": Mask.LV, "wall": Mask.MYOCARDIUM, "RV": Mask.RV}


def run(arm: str, seed: int, steps: int, cases: list[real_hearts.Case]) -> dict:
    """Train one network and measure every case, without test-time augmentation."""
    begun = time.process_time()
    chosen = dataclasses.replace(
        ARMS[arm], seed=seed, steps=round(steps * SHARE_OF_STEPS.get(arm, 1))
    )
    params = train(chosen)
    seconds = time.process_time() - begun
    for channel in chosen.sampling.empty:  # what was never seen must not matter
        params["down_0"]["first"]["kernel"] = np.array(params["down_0"]["first"]["kernel"])
        params["down_0"]["first"]["kernel"][:, :, channel::4] = 0
    network = Network(
        params,
        chosen.widths,
        chosen.sampling.size,
        chosen.variant.spacing,
        chosen.architecture,
    )
    predictor = Predictor([network], AS_IT_IS, localise=arm != "no localiser")
    rows = []
    for case in cases:
        try:
            found = measure(case.video, case.pixel_mm, case.slice_mm, predictor)
        except ValueError:
            rows.append(None)
            continue
        overlap = real_hearts.dice(case, found)
        rows.append(
            dataclasses.asdict(found.function)
            | {
                f"{part} {moment}": float(overlap[p, mask])
                for part, mask in PARTS.items()
                for p, moment in enumerate(("ED", "ES"))
            }
            | {"findings": findings.scores(found.function, found.largest_mm)}
        )
    return {"arm": arm, "seed": seed, "steps": steps, "cpu_s": seconds, "exams": rows}


def quantities(done: dict, truth: list[dict[str, float]]) -> dict[str, np.ndarray]:
    """For each patient what is compared; an exam that could not be measured counts as all wrong."""
    worst = {"EF error": 50.0, "RVEF error": 50.0}
    made: dict[str, list[float]] = {}
    for row, true in zip(done["exams"], truth, strict=True):
        values = {
            f"Dice {k}": row[k] if row else 0.0
            for k in (f"{p} {m}" for p in PARTS for m in ("ED", "ES"))
        }
        for name, key in (("EF error", "lv_ef_percent"), ("RVEF error", "rv_ef_percent")):
            error = abs(row[key] - true[key]) if row else np.nan
            values[name] = error if np.isfinite(error) else worst[name]
        for name, value in values.items():
            made.setdefault(name, []).append(value)
    return {k: np.nan_to_num(np.array(v)) for k, v in made.items()}


def mean_auc(
    done: dict, cases: list[real_hearts.Case], truth: list[dict[str, float]], rows: np.ndarray
) -> float:
    """Mean AUC of the five findings over the patients `rows`."""
    values = []
    for finding in FIVE:
        positive = [
            bool(real_hearts.FINDINGS[finding](t, c.labels.get("diagnosis", "")))
            for t, c in zip(truth, cases, strict=True)
        ]
        scores = [row["findings"][finding] if row else -1e9 for row in done["exams"]]
        scores = np.nan_to_num(scores, nan=-1e9)
        values.append(roc_auc_score(np.array(positive)[rows], scores[rows]))
    return float(np.mean(values))


def table(out: pathlib.Path, steps: int, cases: list[real_hearts.Case]) -> str:
    """Compare the finished runs, as Markdown: all patients, then the half that nothing was chosen on."""
    truth = [real_hearts.truth(c) for c in cases]
    runs = [json.loads(p.read_text()) for p in sorted(out.glob("*.json"))]
    if other := {r["steps"] for r in runs} - {steps}:
        raise ValueError(f"{out} holds runs of {other} steps. Give another folder.")
    by_arm: dict[str, list[dict]] = {}
    for done in runs:
        by_arm.setdefault(done["arm"], []).append(done)
    held_out = np.arange(1, len(cases), 2)
    lines = []
    for title, rows in (("all patients", np.arange(len(cases))), ("held out", held_out)):
        whole = {d["seed"]: quantities(d, truth) for d in by_arm.get("whole", [])}
        names = list(next(iter(whole.values()))) if whole else []
        lines += [
            f"### {title}",
            "",
            "| arm | runs | CPU s | mean AUC | " + " | ".join(names) + " |",
        ]
        lines.append("| --- " * (4 + len(names)) + "|")
        for arm in ARMS:
            own = by_arm.get(arm, [])
            if not own:
                continue
            cells = [arm, str(len(own)), f"{np.mean([d['cpu_s'] for d in own]):.0f}"]
            aucs = [mean_auc(d, cases, truth, rows) for d in own]
            cells.append(f"{np.mean(aucs):.2f} ({min(aucs):.2f} to {max(aucs):.2f})")
            for name in names:
                values = np.mean([quantities(d, truth)[name] for d in own], 0)[rows]
                cell = f"{values.mean():.{1 if 'error' in name else 2}f}"
                pairs = [d for d in own if d["seed"] in whole]
                if arm != "whole" and pairs:
                    change = np.mean(
                        [quantities(d, truth)[name] - whole[d["seed"]][name] for d in pairs], 0
                    )[rows]
                    found = estimate(measures.mean(change), Resamples(rows))
                    digits = 1 if "error" in name else 2
                    cell += f" [{found.low:+.{digits}f} to {found.high:+.{digits}f}]"
                cells.append(cell)
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS))
    parser.add_argument("--part", default="0/1")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cases = real_hearts.cases(args.set)
    part, parts = map(int, args.part.split("/"))
    wanted = [(seed, arm) for seed in range(args.seeds) for arm in args.arms.split(",")]
    for seed, arm in wanted[part::parts]:
        path = args.out / f"{arm.replace(' ', '_')}-{seed}.json"
        if not path.exists():
            made = run(arm, seed, args.steps, cases)
            path.write_text(json.dumps(made))
            print(f"{arm}, seed {seed}: {made['cpu_s']:.0f} CPU s", flush=True)
    text = table(args.out, args.steps, cases)
    (args.out / "table.md").write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
