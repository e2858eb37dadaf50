"""Reads the results of a short demo and fails where they are not those of a model that learned."""

import json
import pathlib
import sys

out = pathlib.Path(sys.argv[1])
block = json.loads((out / "eval" / "results.json").read_text())["data"]["internal"]
mean = block["zero_shot"]["mean_auc"]
retrieval = block["retrieval"]["report_to_exam"]["R@10"]
print(f"mean AUC {mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f})")
print(f"report to exam R@10 {retrieval['value']:.3f}, chance {retrieval['chance']:.3f}")
for path in (
    "data/contact_sheet.png",
    "eval/report.html",
    "eval/scores.parquet",
    "export/model.safetensors",
):
    if not (out / path).stat().st_size:
        sys.exit(f"{path} is empty")
if mean["low"] <= 0.5 or retrieval["low"] <= retrieval["chance"]:
    sys.exit("the short demo did not learn: an interval is not clear of chance")
