"""Measures real hearts with a model that never saw one, beside floors, ceilings and peers.

    python tests/benchmarks/real_hearts.py --set acdc:DIR [--set sunnybrook_png:DIR?spacing_mm=1.4,1.4,10 ...]
        [--weights=W ...] [--out=DIR] [--changed=N]

Sets are those of `data_prep.build --dicom`, as they are handed out; their masks are the truth.  End
diastole and end systole are found by the program.  Every number is given for the half of the patients
that choices were made on (odd places in the order of names) and for the other half, with 95 %
intervals over patients.  Several --weights (seeds) are averaged over.  With --out: table.md,
NAME.csv (numbers by patient) and NAME_worst.jpg (contours of the ten worst exams) of each set.
"""

import argparse
import csv
import pathlib
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import cv2
import nibabel
import numpy as np
import scipy.stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cmr_jax.evals.statistics import measures
from cmr_jax.evals.statistics.estimate import estimate
from cmr_jax.evals.statistics.resamples import Resamples
from cmr_jax.measure import findings, learning, picture, volumes, wall
from cmr_jax.measure.measuring import Measurement, measure
from cmr_jax.phantom.tissue import Mask
from cmr_jax.segmentation import weights
from data_prep import public
from data_prep.public.exam import CYCLE_POSITIONS, Parts, PublicExam

UNITS = {"ml": "ml", "percent": "points", "g": "g"}
CONTOURS = ("i_labels", "o_labels")  # folders of Sunnybrook as PNG
PARTS = {"lv": Mask.LV, "myocardium": Mask.MYOCARDIUM, "rv": Mask.RV}
PEERS = (
    "CineMA (Fu 2025, real labels): Dice .887, LVEF MAE 3.3 points on sets it was tuned on, 4.8 on others",
    "nnU-Net (Isensee 2021, real labels), ACDC: mean Dice .892",
    "published CMR-CLIP weights, tested independently on ACDC: balanced accuracy 68 %; RV size 39 %",
)
FINDINGS = {  # by what the masks say, or by the set's diagnosis
    "EF < 50 %": lambda t, d: t.get("lv_ef_percent", np.nan) < 50,
    "EF < 35 %": lambda t, d: t.get("lv_ef_percent", np.nan) < 35,
    "EDV > 200 ml": lambda t, d: t.get("lv_edv_ml", np.nan) > 200,
    "RVEF < 45 %": lambda t, d: t.get("rv_ef_percent", np.nan) < 45,
    "dilated cardiomyopathy": lambda t, d: d == "DCM",
    "hypertrophic cardiomyopathy": lambda t, d: d == "HCM",
    "abnormal right ventricle": lambda t, d: d in ("RV", "ARV"),
}

DIAGNOSES = ("dilated cardiomyopathy", "hypertrophic cardiomyopathy", "abnormal right ventricle")
WORST, SHOWN = 10, 0.6  # exams of the sheet, and their scale


class Case(NamedTuple):
    """One exam as it is handed out."""

    name: str
    video: np.ndarray  # 2 s h w: end diastole, end systole
    pixel_mm: tuple[float, float]
    slice_mm: np.ndarray
    masks: np.ndarray | None  # 2 s h w of Mask; None where slices have none
    labels: dict[str, str]
    outlined: np.ndarray | None = None  # 2 s m: which masks were drawn; None where all were


def cases(spec: str) -> list[Case]:
    """The exams of a set whose two moments can be read."""
    by_patient = {row["patient_id"]: row for row in public.label_rows(spec)}
    found = []
    for unit in public.units(spec):
        exam = public.exam(spec, unit)
        labels = by_patient[exam.patient]
        read = _pictures if exam.volumes and exam.volumes[0].spacing_mm else _volumes
        if (case := read(public.root_of(spec), exam, labels)) is not None:
            found.append(case)
        else:
            print(f"{unit}: no two moments to measure", file=sys.stderr)
    return found


def _volumes(root: str, exam: PublicExam, labels: dict[str, str]) -> Case | None:
    """Read NIfTI files; slices in the order of the file."""
    by_moment = {m.moment: m for m in exam.masks}
    if set(by_moment) != set(CYCLE_POSITIONS):
        return None
    video, masks, zooms = [], [], (1.0, 1.0, 1.0)
    for moment in CYCLE_POSITIONS:
        mask = by_moment[moment]
        image, outline = (nibabel.load(pathlib.Path(root, p)) for p in (mask.image, mask.path))
        pixels, values = (np.asanyarray(i.dataobj) for i in (image, outline))
        if mask.volume is not None:
            pixels, values = (a[..., mask.volume] if a.ndim == 4 else a for a in (pixels, values))
        video.append(pixels.transpose(2, 1, 0).astype(np.float32))
        masks.append(_masks(values, mask.parts).transpose(2, 1, 0))
        zooms = tuple(map(float, image.header.get_zooms()[:3]))
    slice_mm = -zooms[2] * np.arange(len(video[0]))
    return Case(
        exam.patient, np.stack(video), (zooms[1], zooms[0]), slice_mm, np.stack(masks), labels
    )


def _pictures(root: str, exam: PublicExam, labels: dict[str, str]) -> Case | None:
    """Read PNG files: the moments of each slice one after the other."""
    volume = exam.volumes[0]
    if volume.moments != 2 or volume.spacing_mm is None:
        return None
    read = [cv2.imread(str(pathlib.Path(root, f)), cv2.IMREAD_GRAYSCALE) for f in volume.files]
    pictures = np.stack(read).astype(np.float32)
    video = np.stack([pictures[0::2], pictures[1::2]])
    columns, rows, pitch = volume.spacing_mm
    masks, outlined = _contours(root, volume.files, pictures.shape)
    return Case(
        exam.patient,
        video,
        (rows, columns),
        -pitch * np.arange(video.shape[1]),
        masks,
        labels,
        outlined,
    )


def _contours(
    root: str, files: Sequence[str], shape: tuple[int, ...]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Read filled inner and outer contours of the left ventricle, where such folders lie beside the pictures."""
    if not all(pathlib.Path(root, folder).is_dir() for folder in CONTOURS):
        return None, None
    masks = np.zeros(shape, np.uint8)
    outlined = np.zeros((len(files), len(Mask)), bool)
    for place, file in enumerate(files):
        paths = [pathlib.Path(root, folder, pathlib.PurePath(file).name) for folder in CONTOURS]
        inner, outer = (
            cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) if p.is_file() else None for p in paths
        )
        if outer is not None and inner is not None:
            masks[place][outer > 0] = Mask.MYOCARDIUM
            outlined[place, Mask.MYOCARDIUM] = True
        if inner is not None:
            masks[place][inner > 0] = Mask.LV
            outlined[place, Mask.LV] = True
    pairs = masks.reshape(-1, 2, *shape[1:]).swapaxes(0, 1)
    return pairs, outlined.reshape(-1, 2, len(Mask)).swapaxes(0, 1)


def _masks(values: np.ndarray, parts: Parts) -> np.ndarray:
    made = np.zeros(values.shape, np.uint8)
    for name, mask in PARTS.items():
        made[np.isin(np.round(values), getattr(parts, name))] = mask
    return made


def truth(case: Case) -> dict[str, float]:
    """Numbers of the masks, by the same sums as ours; where not all was outlined, those of the labels."""
    if case.masks is None or case.outlined is not None:
        known = {n: case.labels.get(n, "") for n in volumes.NUMBERS}
        return {n: float(v) for n, v in known.items() if v}
    heights = volumes.disc_heights(case.slice_mm)
    curves = volumes.volumes(case.masks, case.pixel_mm[0] * case.pixel_mm[1], heights)
    found = volumes.function(curves)
    return {n: getattr(found, n) for n in volumes.NUMBERS}


def dice(case: Case, found: Measurement) -> np.ndarray:
    """`2 m`: of each moment and mask, in the pixels of the set."""
    shares = np.stack(
        [found.grid.back((found.labels == m).astype(np.float32), case.video.shape[-2:], case.pixel_mm)
         for m in Mask], -1
    )  # fmt: skip
    seen = np.where(shares.sum(-1) > 0.5, shares.argmax(-1), 0)
    order = [found.phases.index(p) for p in (0, 1)]
    values = np.ones((2, len(Mask)))
    for p, (mine, true) in enumerate(zip(seen[order], case.masks, strict=True)):
        for m in Mask:
            a, b = mine == m, true == m
            if case.outlined is not None:  # slices without a contour say nothing
                a, b = (x[case.outlined[p, :, m]] for x in (a, b))
            total = a.sum() + b.sum()
            values[p, m] = 2 * (a & b).sum() / total if total else np.nan
    return values


def shown(found) -> str:
    """A value with its interval."""
    digits = 2 if abs(found.value) < 2 else 1
    if not np.isfinite(found.low):
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"


def spearman(a: np.ndarray, b: np.ndarray) -> measures.Measure:
    """Rank correlation, for draws of patients."""

    def measured(counts: np.ndarray) -> np.ndarray:
        rows = [np.repeat(np.arange(len(a)), c.astype(int)) for c in counts]
        return np.array([scipy.stats.spearmanr(a[r], b[r]).statistic for r in rows])

    return measured


class Results(NamedTuple):
    """Everything measured of one set."""

    cases: list[Case]
    truth: list[dict[str, float]]
    runs: list[list[Measurement | None]]  # of each model
    dice: np.ndarray  # run exam moment mask


def evaluate(found: list[Case], models: list[weights.MeasuringModel]) -> Results:
    """Measures every exam with every model."""
    runs, overlap = [], np.full((len(models), len(found), 2, len(Mask)), np.nan)
    for number, model in enumerate(models):
        predictor, run = model.predictor(), []
        for place, case in enumerate(found):
            try:
                run.append(measure(case.video, case.pixel_mm, case.slice_mm, predictor))
            except ValueError as error:
                print(f"{case.name}: {error}", file=sys.stderr)
                run.append(None)
                continue
            if case.masks is not None:
                overlap[number, place] = dice(case, run[-1])
        runs.append(run)
    return Results(found, [truth(c) for c in found], runs, overlap)


def table(name: str, results: Results, models: list[weights.MeasuringModel]) -> list[str]:
    """Lines of Markdown."""
    count = len(results.cases)
    places = np.arange(count)
    halves = {"all": places >= 0, "tuned on": places % 2 == 0, "held out": places % 2 == 1}
    lines = [f"## {name}: {count} exams, {len(models)} model{'s' * (len(models) > 1)}", ""]
    lines += ["| measure | " + " | ".join(halves) + " |", "| --- |" + " --- |" * len(halves)]

    def row(title: str, make) -> None:
        cells = []
        for chosen in halves.values():
            value = make(np.flatnonzero(chosen))
            cells.append(shown(value) if value is not None else "-")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")

    def averaged(measure_of, rows: np.ndarray):
        """The mean over models of a measure of one."""
        several = [m for n in range(len(models)) if (m := measure_of(n, rows)) is not None]
        return estimate(measures.mean_of(several), Resamples(rows)) if several else None

    for part, mask in PARTS.items():
        for p, moment in enumerate(("ED", "ES")):

            def of_dice(rows, p=p, mask=mask):
                mean = results.dice[:, :, p, mask].mean(0)[rows]
                kept = rows[np.isfinite(mean)]
                if not len(kept):
                    return None
                return estimate(measures.mean(mean[np.isfinite(mean)]), Resamples(kept))

            row(f"Dice, {part}, {moment}", of_dice)
    for number in volumes.NUMBERS:
        true = np.array([t.get(number, np.nan) for t in results.truth])
        runs = np.array(
            [[getattr(m.function, number) if m else np.nan for m in run] for run in results.runs]
        )
        usable = np.isfinite(true) & np.isfinite(runs).all(0)
        if usable.sum() < 3:
            continue
        unit = UNITS[number.rsplit("_", 1)[1]]

        def over(rows, what, true=true, runs=runs, usable=usable):
            kept = rows[usable[rows]]
            return estimate(
                measures.mean_of([what(run[kept], true[kept]) for run in runs]), Resamples(kept)
            )

        row(
            f"{number}, mean absolute error ({unit})",
            lambda r: over(r, lambda a, b: measures.mean(np.abs(a - b))),
        )
        row(f"{number}, bias ({unit})", lambda r: over(r, lambda a, b: measures.mean(a - b)))
        for sign, end in ((-1.96, "lower"), (1.96, "upper")):
            row(
                f"{number}, {end} limit of agreement",
                lambda r, sign=sign: over(r, lambda a, b: measures.limit(a - b, sign)),
            )
        row(f"{number}, rank correlation", lambda r: over(r, spearman))
        inside = np.array(
            [[m is not None and low <= t <= high for m, t, (low, high) in zip(
                run, true, [learning.interval(model, m, number) if m else (0, 0) for m in run], strict=True)]
             for model, run in zip(models, results.runs, strict=True)]
        ).mean(0)  # fmt: skip
        row(
            f"{number}, share within its 95 % interval",
            lambda r, v=inside, u=usable: estimate(measures.mean(v[r[u[r]]]), Resamples(r[u[r]])),
        )
    _findings(results, row, averaged)
    return [*lines, "", *_unsure(results), ""]


def _findings(results: Results, row, averaged) -> None:
    """Add rows of AUCs of findings: from our numbers, from the masks' (ceiling), from header and body (floors)."""
    names = [c.labels.get("diagnosis", "") for c in results.cases]
    scores_of = [
        [findings.scores(m.function, m.largest_mm) if m else {} for m in run]
        for run in results.runs
    ]
    floors, ceilings = _floors(results.cases), _ceilings(results)
    several: list[tuple[str, Any]] = []
    for finding, rule in FINDINGS.items():
        truths = results.truth
        if not all("lv_ef_percent" in t for t in truths):
            continue
        positive = np.array(
            [
                bool(rule(t, d)) if np.isfinite(t.get("lv_edv_ml", 1)) else False
                for t, d in zip(truths, names, strict=True)
            ]
        )
        score = np.array([[s.get(finding, np.nan) for s in run] for run in scores_of])
        if not 3 <= positive.sum() <= len(positive) - 3 or not np.isfinite(score).any():
            continue
        score = np.nan_to_num(score, nan=-1e9)

        def auc_of(n, rows, positive=positive, score=score):
            chosen = positive[rows]
            return measures.auc(chosen, score[n][rows]) if 0 < chosen.sum() < len(chosen) else None

        row(f"AUC, {finding}", lambda r, f=auc_of: averaged(f, r))
        best = np.array([c.get(finding, np.nan) for c in ceilings])
        if finding in DIAGNOSES and np.isfinite(best).all():
            several.append((f"AUC, {finding}, ceiling by the masks", (positive, best)))
        for floor, features in floors.items():
            model = make_pipeline(StandardScaler(), LogisticRegression())
            guess = cross_val_predict(model, features, positive, cv=3, method="predict_proba")[:, 1]
            several.append((f"AUC, {finding}, floor by {floor}", (positive, guess)))
    for title, (positive, guess) in several:
        row(
            title,
            lambda r, p=positive, g=guess: (
                estimate(measures.auc(p[r], g[r]), Resamples(r))
                if 0 < p[r].sum() < len(r)
                else None
            ),
        )


def _ceilings(results: Results) -> list[dict[str, float]]:
    """Scores by the same rules from the observers' own masks, of each exam; {} where they do not say all."""
    made = []
    for case, true in zip(results.cases, results.truth, strict=True):
        rows_mm, columns_mm = case.pixel_mm
        square = np.isclose(rows_mm, columns_mm)  # thickness is measured in square pixels
        if case.masks is None or len(true) < len(volumes.NUMBERS) or not square:
            made.append({})
            continue
        thickest = wall.largest_thickness(case.masks[0], rows_mm)
        made.append(findings.scores(volumes.Function(**true), thickest))
    return made


def _floors(found: list[Case]) -> dict[str, np.ndarray]:
    """Features that need no picture: geometry of the header; height and weight."""
    header = [[*c.video.shape[1:], *c.pixel_mm, float(np.diff(c.slice_mm).mean())] for c in found]
    floors = {"header geometry": np.array(header, float)}
    body = [[c.labels.get("height_cm", ""), c.labels.get("weight_kg", "")] for c in found]
    if all(all(b) for b in body):
        floors["height and weight"] = np.array(body, float)
    return floors


def _unsure(results: Results) -> list[str]:
    """Report if large errors of the ejection fraction were marked unsure."""
    lines = []
    for number, run in enumerate(results.runs):
        errors = [
            (abs(m.function.lv_ef_percent - t["lv_ef_percent"]), bool(m.doubts), c.name)
            for m, t, c in zip(run, results.truth, results.cases, strict=True)
            if m is not None and "lv_ef_percent" in t
        ]
        marked = sum(d for _, d, _ in errors)
        right = sum(bool(m.right_doubts) for m in run if m is not None)
        far = [(e, d, n) for e, d, n in errors if e > 15]
        missed = ", ".join(n for _, d, n in far if not d) or "none"
        lines.append(
            f"Model {number}: {marked} of {len(errors)} marked unsure, {right} about the right ventricle; "
            f"{len(far)} more than 15 EF points off, of them not marked: {missed}."
        )
    return lines


def _padded(case: Case) -> Case:
    return case._replace(video=np.pad(case.video, ((0, 0), (0, 0), (30, 10), (5, 45))))


def _eight_bits(case: Case) -> Case:
    top = np.quantile(case.video, 0.997)
    return case._replace(video=np.round(255 * np.minimum(case.video / top, 1)).astype(np.float32))


NO_ANATOMY: dict[str, Callable[[Case], Case]] = {
    "zero padding, off centre": _padded,
    "8 bits, highlights clipped": _eight_bits,
    "gain and offset": lambda c: c._replace(video=2.5 * c.video + 100),
    "slices from the other end": lambda c: c._replace(
        video=c.video[:, ::-1], slice_mm=c.slice_mm[::-1]
    ),
    "positions counted the other way": lambda c: c._replace(slice_mm=-c.slice_mm),
    "moments in the other order": lambda c: c._replace(video=c.video[::-1]),
}


def no_anatomy(found: list[Case], model: weights.MeasuringModel) -> list[str]:
    """Report how much numbers change with what is no anatomy, as Markdown."""
    predictor = model.predictor()
    lines = ["| change | EF, mean change (points) | largest | EDV, mean change (%) | largest |"]
    lines.append("| --- " * 5 + "|")
    before = [measure(c.video, c.pixel_mm, c.slice_mm, predictor).function for c in found]
    for title, change in NO_ANATOMY.items():
        moved = [
            measure(c.video, c.pixel_mm, c.slice_mm, predictor).function for c in map(change, found)
        ]
        ef = [abs(b.lv_ef_percent - a.lv_ef_percent) for a, b in zip(before, moved, strict=True)]
        edv = [100 * abs(b.lv_edv_ml / a.lv_edv_ml - 1) for a, b in zip(before, moved, strict=True)]
        cells = [f"{v:.1f}" for v in (np.mean(ef), max(ef), np.mean(edv), max(edv))]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return [f"What is no anatomy, {len(found)} exams:", "", *lines, ""]


def write(out: pathlib.Path, name: str, results: Results) -> None:
    """Numbers by patient, and contours of the ten worst exams, of the first model."""
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for place, (case, true, found) in enumerate(
        zip(results.cases, results.truth, results.runs[0], strict=True)
    ):
        row: dict[str, Any] = {
            "set": name,
            "patient": case.name,
            "diagnosis": case.labels.get("diagnosis", ""),
        }
        for number in volumes.NUMBERS:
            row[number] = round(getattr(found.function, number), 1) if found else ""
            row[f"{number}_true"] = round(true[number], 1) if number in true else ""
        for part, mask in PARTS.items():
            for p, moment in enumerate(("ed", "es")):
                row[f"dice_{part}_{moment}"] = round(float(results.dice[0, place, p, mask]), 3)
        row["unsure"] = "; ".join(found.doubts) if found else "not measured"
        row["right_ventricle_unsure"] = "; ".join(found.right_doubts) if found else ""
        rows.append(row)
    with (out / f"{name}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    measured = [
        (case, found, true)
        for case, found, true in zip(results.cases, results.runs[0], results.truth, strict=True)
        if found is not None and "lv_ef_percent" in true
    ]
    if not measured:
        return
    error = [
        abs(found.function.lv_ef_percent - true["lv_ef_percent"]) for _, found, true in measured
    ]
    exams = [_row(*measured[place]) for place in np.argsort(error)[::-1][:WORST]]
    wide = max(exam.shape[1] for exam in exams)
    sheet = np.concatenate([_as_wide(exam, wide) for exam in exams])
    cv2.imwrite(str(out / f"{name}_worst.jpg"), sheet)


def _as_wide(picture: np.ndarray, columns: int) -> np.ndarray:
    return np.pad(picture, ((0, 0), (0, columns - picture.shape[1]), (0, 0)))


def _row(case: Case, found: Measurement, true: dict[str, float]) -> np.ndarray:
    """One exam of the sheet: a caption above its contours."""
    drawn = picture.overlay(case.video[list(found.phases)], case.pixel_mm, found.labels, found.grid)
    drawn = cv2.resize(drawn, None, fx=SHOWN, fy=SHOWN, interpolation=cv2.INTER_AREA)
    caption = np.zeros((24, max(drawn.shape[1], 400), 3), np.uint8)
    by_observers = true.get("lv_ef_percent", np.nan)
    says = (
        f"{case.name}: EF {found.function.lv_ef_percent:.0f} %, by observers {by_observers:.0f} %"
    )
    says += ", marked unsure" if found.doubts else ""
    place, font = (4, 17), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(caption, says, place, font, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.concatenate([caption, _as_wide(drawn, caption.shape[1])])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--set", action="append", required=True, dest="sets")
    parser.add_argument("--weights", action="append", default=[])
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument(
        "--changed", type=int, default=0, help="also change what is no anatomy, of every Nth exam"
    )
    args = parser.parse_args()
    models = [weights.load(path) for path in args.weights or [None]]
    head = ["# Real hearts", "", "Published by peers, for comparison:", ""]
    parts = ["\n".join([*head, *(f"- {peer}" for peer in PEERS), ""])]
    print(parts[0], flush=True)
    for spec in args.sets:
        name = spec.partition(":")[0]
        results = evaluate(cases(spec), models)
        lines = table(name, results, models)
        if args.changed:
            measured = [c for c, m in zip(results.cases, results.runs[0], strict=True) if m]
            lines += no_anatomy(measured[:: args.changed], models[0])
        parts.append("\n".join(lines))
        print(parts[-1], flush=True)
        if args.out:
            write(args.out, name, results)
            (args.out / "table.md").write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
