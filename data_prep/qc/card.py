"""The data set card: what is in the folder, what was taken out, how to open it, what it is not."""

import string

from cmr_jax.schema import SPLITS
from data_prep.qc.account import Account
from data_prep.qc.page import Facts
from data_prep.qc.survey import Survey

FILE = "README.md"
# DICOM PS3.16, CID 7050 De-identification Method; the profiles are those of PS3.15 Annex E.
METHODS = (
    (
        "113100",
        "Basic Application Confidentiality Profile",
        "by an allow-list: nothing of a header is kept but what this card names",
    ),
    (
        "113105",
        "Clean Descriptors Option",
        "descriptions become a view and a sequence; impressions are scrubbed by rules",
    ),
    (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
        "only the days since the first exam of a patient",
    ),
    ("113108", "Retain Patient Characteristics Option", "sex and a ten-year age band"),
)

CARD = string.Template("""# Cardiac MRI exams and their impressions, from `$site`

$exams exams of $patients patients: $stacks stacks of $images images, cropped around the heart, and
$reports report impressions, for learning from such pairs. Research data. **Not a medical device.**

Schema version $schema, written by $program. `qc.html` shows what is inside, `rejects.csv` what
was not used and why, `manifest.json` holds the counts and a checksum of the pixels of every exam,
`tokenizer.model` is a vocabulary of the training impressions; `labels.csv`, where it is there, is for
evaluation alone.

## Counts

| level | found | used |
| --- | --- | --- |
$levels

| split | patients | exams |
| --- | --- | --- |
$splits

$sharing

| view | sequence | stacks | mean confidence |
| --- | --- | --- | --- |
$kinds

## De-identification

In the terms of DICOM PS3.15 Annex E, with the codes of PS3.16 CID 7050 (coding scheme DCM). No
DICOM object is written; the methods are claimed for the records.

| code | method | here |
| --- | --- | --- |
$methods

- What is kept: the name of the site, vendor, field strength, sex, age band, days since the first
  exam, geometry and timing of the images, pixels, the scrubbed impression. No name of a person,
  record number, calendar date, path or UID.
- Names of patients and exams are keyed hashes (HMAC-SHA256, 80 bits) under the key `$key_id`; that
  name tells two keys apart and tells neither. Whoever holds the key can link records to patients.
- Impressions hold placeholders where something was taken out ($removed).
- Text scrubbing is rules, not magic: read a sample before you share anything.
- Not claimed: 113101 Clean Pixel Data Option, 113102 Clean Recognizable Visual Features Option.
  Objects that declare burned-in text are rejected; pixels are not searched for text.

## Open it

Two tables, both TFDS data sets of ArrayRecord files: `exams`, one record per exam, and `frames`, one
record per slice of a stack. Run this in this folder; the last lines need `cmr_jax`.

```python
import tensorflow_datasets as tfds

exams = tfds.builder_from_directory("exams").as_data_source("$split")
frames_builder = tfds.builder_from_directory("frames")
frames = frames_builder.as_data_source("$split")
exam = exams[0]
print(exam["exam_id"], exam["vendor"], exam["sex"], exam["age_band"])

from cmr_jax import schema

lengths = frames_builder.info.splits["$split"].shard_lengths
start = sum(lengths[: int(exam["shard"])])  # where the frames of this exam's shard begin
stack = schema.load_stacks(schema.as_text(exam["stacks"]))[0]
video = schema.load_frames(frames[start + stack.first_frame])  # its first slice
print(stack.view.name, stack.sequence.name, video.shape, stack.spacing_mm)
```

## Limits

- Views and sequences are decided by rules; a confidence and the evidence stand beside each.
- Intensities are scaled per stack to 8 bits; `intensity_low` and `intensity_high` undo it.
- Nothing is filled or interpolated in time; a view that is missing is missing.
- Impressions that read alike: $alike of $reports. An impression is what one reader wrote, not truth.
- One site's scanners and habits: results need not hold elsewhere.
""")


def card(account: Account, facts: Facts, found: Survey) -> str:
    """The text of OUT/README.md."""
    removed = ", ".join(f"{n} [{name}]" for name, n in sorted(found.removed.items()))
    return CARD.substitute(
        site=facts.site,
        program=facts.program,
        schema=facts.schema_version,
        key_id=facts.key_id,
        exams=found.exams,
        patients=found.patients,
        stacks=found.stacks,
        images=found.images,
        reports=found.reports,
        alike=found.alike,
        sharing=found.sharing,
        removed=removed or "none here",
        split=next(iter(found.splits), SPLITS[0]),
        levels=_rows(
            ("files", account.files_found, account.files_used),
            ("exams", account.exams_found, account.exams_written),
            ("reports", account.reports_found, account.reports_used),
        ),
        splits=_rows(*((s, len(b.patients), b.exams) for s, b in found.splits.items())),
        kinds=_rows(
            *(
                (view.name, sequence.name, kind.stacks, f"{kind.mean_confidence:.2f}")
                for (view, sequence), kind in sorted(found.kinds.items())
            )
        ),
        methods=_rows(*METHODS),
    )


def _rows(*rows: tuple[object, ...]) -> str:
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)
