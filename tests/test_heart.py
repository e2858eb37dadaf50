"""Where the heart is found, and what grey values mean."""

import dataclasses

import numpy as np
import pytest

from cmr_jax.schema import Sequence, View
from data_prep.exam.centre import heart_centre, planes_meet
from data_prep.exam.crop import image_centre
from data_prep.exam.plan import Choice, ExamPlan, PlannedStack, plan_exam
from data_prep.exam.render import render_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance


def planned(index: int, name: str = "tiny") -> tuple[Study, ExamPlan, dict[str, bytes]]:
    study = Study(profile(name), index)
    files = list(study.files())
    read = [one for f in files for one in instance.read(Head(*f))]
    plan = plan_exam("x", [i for i in read if isinstance(i, Instance)], Choice(frozenset(Sequence)))
    assert isinstance(plan, ExamPlan)
    return study, plan, {where: data for where, data, _ in files}


def loader(files: dict[str, bytes]):
    return lambda wheres: ((w, files[w]) for w in wheres)


def rendered(index: int, name: str = "tiny"):
    _, plan, files = planned(index, name)
    return render_exam(plan, loader(files), 2.0, 64)[0]


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
    np.testing.assert_allclose(centre, image_centre(one.raw))


def test_real_values_come_back_from_grey_ones_and_maps_keep_their_unit():
    """Myocardial T1 of the phantom's maps, read back from eight bits, is a T1 in ms."""
    index = next(i for i in range(60) if any(t.sequence is Sequence.T1MAP for t in _answers(i)))
    maps = [r for r in rendered(index, "habits") if r.stack.sequence is Sequence.T1MAP]
    assert maps
    for one in maps:
        stack = one.stack
        assert stack.intensity_unit == "ms"
        step = (stack.intensity_high - stack.intensity_low) / 255
        values = stack.intensity_low + one.videos[len(one.videos) // 2].astype(float) * step
        middle = values[:, 28:36, 28:36]
        assert 600 < np.median(middle) < 2200  # myocardium or blood at 1.5 or 3 T


def _answers(index: int):
    return Study(profile("habits"), index).answers()


def test_one_hot_pixel_darkens_nothing():
    _, plan, files = planned(0)
    plain = {r.stack.view: r for r in render_exam(plan, loader(files), 2.0, 64)[0]}
    where = next(f.where for s in plan.stacks if s.view is View.SAX for f in s.raw.slices[0].frames)
    data = bytearray(files[where])
    at = len(data) - 2 * 48 * 24 - 48
    data[at : at + 2] = (4095).to_bytes(2, "little")
    spoilt = render_exam(plan, loader(files | {where: bytes(data)}), 2.0, 64)[0]
    for one in spoilt:
        before = plain[one.stack.view].stack
        if one.stack.sequence is before.sequence:
            assert one.stack.intensity_high == pytest.approx(before.intensity_high, rel=0.1)


def test_a_gradient_echo_cine_says_so():
    _, plan, files = planned(0)
    stacks = tuple(dataclasses.replace(s, contrast="GRE") for s in plan.stacks)
    out = render_exam(dataclasses.replace(plan, stacks=stacks), loader(files), 4.0, 32)[0]
    assert all("gradient echo" in r.stack.flags for r in out)
