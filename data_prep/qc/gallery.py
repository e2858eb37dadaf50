"""The parts of the page that show: moving hearts, the least sure stacks, a contact sheet."""

from data_prep.qc import contact_sheet, pictures
from data_prep.qc.markup import Safe, e
from data_prep.qc.sections import title
from data_prep.qc.shards import Exam, Shards
from data_prep.qc.survey import Survey

LEAST_SURE = 12  # so many at most
DOUBT = 192  # pixels of its picture
SURE = 0.9  # from this confidence on a stack is not shown as a doubt


def moving(shards: Shards) -> Safe:
    """Short axis and four chambers of a few exams, at the pace of their hearts."""
    figures = []
    for heart in pictures.hearts(shards):
        rr = f", RR {heart.short_axis.rr_ms:.0f} ms" if heart.short_axis.rr_ms > 0 else ""
        said = (
            f"{len(heart.short_axis.phases[0])} phases, {len(heart.short_axis.slice_mm)} slices{rr}"
        )
        figures.append(
            # Who asked for less motion sees the first moment.
            f'<figure><picture><source media="(prefers-reduced-motion: reduce)" srcset="{heart.still}">'
            f'<img alt="Beating heart: short axis and four chambers" src="{heart.moving}"></picture>'
            f"<figcaption>{_who(heart.exam)}<br>{e(said)}</figcaption></figure>"
        )
    shown = "".join(figures) or "<p>No exam has both a short-axis and a four-chamber cine.</p>"
    return Safe(
        f"{title('hearts')}<details open><summary>Short axis and four chambers</summary>"
        f'<div class="found hearts">{shown}</div></details>'
    )


def least_sure(shards: Shards, found: Survey) -> Safe:
    """The stacks whose labels deserve a person's eye, with the evidence."""
    figures = []
    for doubt in found.least_sure(LEAST_SURE):
        if doubt.confidence >= SURE:
            break
        exam = shards.exam(doubt.split, doubt.index)
        stack = exam.stacks[doubt.stack]
        label = f"{stack.view.name} {stack.sequence.name}"
        figures.append(
            f'<figure><img alt="{e(label)}" src="{pictures.still(shards.middle(exam, stack)[0], DOUBT)}">'
            f"<figcaption><b>{e(label)}</b> {doubt.confidence:.2f}<br>{e('; '.join(stack.evidence))}<br>"
            f"{_who(exam)}</figcaption></figure>"
        )
    shown = "".join(figures) or f"<p>Every stack has a confidence of {SURE} or more.</p>"
    return Safe(
        f'{title("unsure")}<p class="note">The least sure stack of an exam: label, confidence, '
        f'evidence.</p><div class="found small">{shown}</div>'
    )


def contact(shards: Shards, exams: list[Exam]) -> Safe:
    """The exams of the contact sheet, a row of stills each; a view that is missing leaves a hole."""
    rows = []
    for exam in exams:
        cells = []
        for column, tile in enumerate(contact_sheet.tiles(shards, exam)):
            name = contact_sheet.column_name(column)
            shown = (
                f'<img alt="{e(name)}" src="{pictures.still(tile)}">'
                if tile is not None
                else '<div class="none">none</div>'
            )
            cells.append(f"<figure>{shown}<figcaption>{e(name)}</figcaption></figure>")
        least = min((s.confidence for s in exam.stacks), default=0.0)
        rows.append(
            f'<figure class="row"><div class="tiles">{"".join(cells)}</div><figcaption>{_who(exam)}, '
            f"{len(exam.stacks)} stacks, least confidence {least:.2f}</figcaption></figure>"
        )
    return Safe(
        f'{title("sheet")}<p class="note">The first exams by pseudonym, then those with the least sure '
        f"stacks; the same in full size in {contact_sheet.FILE}.</p>{''.join(rows)}"
    )


def _who(exam: Exam) -> Safe:
    known = f"{exam.field_strength_t:.1f} T" if exam.field_strength_t > 0 else ""
    facts = " ".join(f for f in (exam.vendor, known) if f)
    return Safe(f"<code>{e(exam.exam_id)}</code> {e(exam.split)} {e(facts)}")
