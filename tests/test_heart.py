"""Where the heart is found, and what grey values mean."""

import dataclasses

import numpy as np
import pytest

from cmr_jax.schema import Sequence, View
from data_prep.exam.centre import heart_centre, planes_meet
from data_prep.exam.crop import crop
from data_prep.exam.plan import Choice, ExamPlan, PlannedStack, plan_exam
from data_prep.exam.render import render_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.pixels import decode
from data_prep.stacks.planes import middle_of


def planned(index: int, name: str = "tiny") -> tuple[Study, ExamPlan, dict[str, bytes]]:
    study = Study(profile(name), index)
    files = list(study.files())
    read = [one for f in files for one in instance.read(Head(*f))]
    plan = plan_exam("x", [i for i in read if isinstance(i, Instance)], Choice(frozenset(Sequence)))
    assert isinstance(plan, ExamPlan)
    return study, plan, {where: data for where, data, _ in files}


def loader(files: dict[str, bytes]):
    return lambda wheres: ((w, files[w]) for w in wheres)


@pytest.mark.parametrize("index", range(4))
def test_planes_meet_in_the_left_ventricle(index):
    study, plan, _ = planned(index)
    met = planes_meet(list(plan.stacks))
    assert met is not None
    point, direction = met
    *_, apical = study.heart.axes
    middle = study.origin + study.heart.lv.length / 2 * apical
    assert np.linalg.norm(point - middle) < 25
    assert abs(direction @ apical) > 0.9


def test_without_motion_the_planes_say_where_the_heart_is():
    _, plan, _ = planned(0)
    stills = [s for s in plan.stacks if s.sequence is not Sequence.CINE]
    centre, how = heart_centre(stills, lambda _: None)
    assert how == "centred where planes meet"
    met = planes_meet(stills)
    assert met is not None
    np.testing.assert_allclose(centre, met[0])


def test_motion_far_from_the_axis_is_not_the_heart():
    _, plan, _ = planned(0)
    sax = next(s for s in plan.stacks if s.view is View.SAX and s.sequence is Sequence.CINE)
    first = sax.raw.first

    def waving(planned: PlannedStack):
        videos = []
        for one in planned.raw.slices:
            video = np.zeros((len(one.frames), first.rows, first.columns), np.float32)
            video[::2, :4, :4] = 1000  # an arm in a corner
            videos.append(video)
        return planned.raw, videos

    _, how = heart_centre(list(plan.stacks), waving)
    assert how == "centred where planes meet"


def test_with_nothing_to_go_by_the_middle_of_the_images_stays():
    _, plan, _ = planned(0)
    one = next(s for s in plan.stacks if s.view is View.SAX)
    still = dataclasses.replace(one, sequence=Sequence.OTHER)
    centre, how = heart_centre([still], lambda _: None)
    assert how == "centred on the image"
    np.testing.assert_allclose(centre, middle_of(one.raw.slices[2].frames[0]))  # of five


def test_real_values_come_back_from_grey_ones_and_maps_keep_their_unit():
    """Myocardial T1 of the phantom's maps, read back from eight bits, is a T1 in ms."""
    index = next(i for i in range(60) if any(t.sequence is Sequence.T1MAP for t in _answers(i)))
    _, plan, files = planned(index, "habits")
    out = render_exam(plan, loader(files), 2.0, 64)[0]
    maps = [
        (s.raw, r) for s, r in zip(plan.stacks, out, strict=True) if s.sequence is Sequence.T1MAP
    ]
    assert maps
    for raw, one in maps:
        stack, at = one.stack, len(one.videos) // 2
        assert stack.intensity_unit == "ms"
        step = (stack.intensity_high - stack.intensity_low) / 255
        (grey,) = one.videos[at]
        values = stack.intensity_low + grey.astype(float) * step
        assert 600 < np.median(values[28:36, 28:36]) < 2200  # myocardium or blood at 1.5 or 3 T
        (frame,) = raw.slices[at].frames
        across = np.array(stack.row) + np.array(stack.column)
        centre = np.array(stack.origins_mm[at]) + 63 / 2 * 2.0 * across
        (cropped,), _ = crop(frame, list(decode([frame], files[frame.where])), centre, 2.0, 64)
        inside = (grey > 0) & (grey < 255)  # the others are beyond the window
        np.testing.assert_allclose(values[inside], cropped[inside, 0], atol=0.51 * step)
        assert inside.mean() > 0.5


def _answers(index: int):
    return Study(profile("habits"), index).answers()


def test_one_hot_pixel_darkens_nothing():
    _, plan, files = planned(0)
    plain = render_exam(plan, loader(files), 1.0, 128)[0]
    where = next(f.where for s in plan.stacks if s.view is View.SAX for f in s.raw.slices[0].frames)
    data = bytearray(files[where])
    at = len(data) - 2 * 48 * 24 - 48
    data[at : at + 2] = (4095).to_bytes(2, "little")
    spoilt = render_exam(plan, loader(files | {where: bytes(data)}), 1.0, 128)[0]
    high = [[one.stack.intensity_high for one in out] for out in (plain, spoilt)]
    assert high[1] == pytest.approx(high[0], rel=0.1)
    first = [out[0].videos[0][0].astype(int) for out in (plain, spoilt)]
    assert np.ptp(first[1] - first[0]) > 100  # the pixel itself is seen


def test_a_gradient_echo_cine_says_so():
    _, plan, files = planned(0)
    contrasts = ("GRE", "bSSFP", "GRE", "")
    stacks = tuple(
        dataclasses.replace(s, contrast=c) for s, c in zip(plan.stacks, contrasts, strict=False)
    )
    out = render_exam(dataclasses.replace(plan, stacks=stacks), loader(files), 4.0, 32)[0]
    said = ["gradient echo" in r.stack.flags for r in out]
    assert said == [contrast == "GRE" for contrast in contrasts]
