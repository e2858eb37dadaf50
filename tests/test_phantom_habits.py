"""Exams of many habits are what they say they are: headers, pixels and answers agree."""

import collections
import dataclasses
import functools
import hashlib
import io
import itertools
import warnings

import numpy as np
import pydicom
import pytest

from cmr_jax.schema import Sequence, View
from data_prep.phantom import contrasts, languages, motion, phrases, translated
from data_prep.phantom.__main__ import main
from data_prep.phantom.acquisition import Scanner
from data_prep.phantom.objects import Kind, objects
from data_prep.phantom.population import Scar, Territory
from data_prep.phantom.protocol import GE, PHILIPS, PROFILES, SIEMENS, Habits, profile
from data_prep.phantom.study import Study
from data_prep.phantom.takes import takes

CHOSEN = profile("habits")
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
EXAMS = 60  # enough to meet every habit
# Of headers and reports of five exams each; pixels are held by the golden text of test_phantom.
UNCHANGED = {
    "demo": "800d301efebd691d",
    "demo-short": "3bd2425aac538e3c",
    "tiny": "a3164b40ddb07346",
    "clinical": "ba8d744280880164",
}


@functools.cache
def exam(index: int) -> Study:
    return Study(CHOSEN, index)


def opened(data: bytes, every_element: bool = False) -> pydicom.Dataset:
    """A file as pydicom reads it; it may say of a hostile name that it is none."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The value length|Found unknown escape")
        found = pydicom.dcmread(io.BytesIO(data), force=True)
        _ = found.get("SeriesDescription")  # what is read late is said late
        _ = found.get("ProtocolName")
        if every_element:
            _ = [element.value for element in found.iterall()]
    return found


class Files(dict):
    """The files of an exam by name, each parsed when it is looked at."""

    def __init__(self, index: int, pixels: bool):
        self.raw = {name: data for name, data, _ in exam(index).files(pixels)}

    def __missing__(self, name: str) -> pydicom.Dataset:
        self[name] = opened(self.raw[name])
        return self[name]


@functools.cache
def heads(index: int) -> Files:
    return Files(index, pixels=False)


@functools.cache
def whole(index: int) -> Files:
    return Files(index, pixels=True)


def by_vendor(vendor: str) -> list[int]:
    return [i for i in range(EXAMS) if exam(i).vendor == vendor]


def by_enhanced(enhanced: bool) -> list[int]:
    kinds = {i: {o.kind for o in objects(exam(i))} for i in by_vendor(PHILIPS)}
    return [i for i, kind in kinds.items() if (Kind.ENHANCED in kind) == enhanced]


def test_profiles_without_habits_keep_their_bytes():
    for name, expected in UNCHANGED.items():
        digest = hashlib.sha256()
        for index in (0, 1, 2, 5, 9):
            study = Study(PROFILES[name], index)
            digest.update(repr((study.report_text, study.keys)).encode())
            for file in study.files(pixels=False):
                digest.update(repr(file).encode())
        assert digest.hexdigest()[:16] == expected, f"{name}: figures of the demo hang on these"
        with pytest.raises(ValueError, match="phantom:habits"):
            Study(PROFILES[name], 0).answers()


def test_same_exam_same_bytes_and_headers_need_no_pixels():
    for index in (by_vendor(SIEMENS)[0], by_vendor(GE)[0], by_enhanced(True)[0]):
        once, again = (list(Study(CHOSEN, index).files()) for _ in range(2))
        assert once == again
        short = list(Study(CHOSEN, index).files(pixels=False))
        for (name, data, size), (short_name, head, head_size) in zip(once, short, strict=True):
            assert (name, size) == (short_name, head_size)
            assert len(data) == size
            assert data.startswith(head)


def test_every_file_on_disk_is_read_by_pydicom(tmp_path):
    assert main(["--out", str(tmp_path), "--profile", "habits", "--exams", "3"]) == 0
    files = sorted((tmp_path / "dicom").rglob("*.dcm"))
    assert len(files) == sum(len(list(exam(i).files(pixels=False))) for i in range(3))
    kinds = collections.Counter()
    for path in files:
        found = opened(path.read_bytes(), every_element=True)
        frames = int(found.get("NumberOfFrames", 1))
        shape = (frames, found.Rows, found.Columns) if frames > 1 else (found.Rows, found.Columns)
        assert found.pixel_array.shape[: len(shape)] == shape
        assert found.pixel_array.std() > 0
        assert found.file_meta.MediaStorageSOPInstanceUID == found.SOPInstanceUID
        assert found.file_meta.MediaStorageSOPClassUID == found.SOPClassUID
        kinds[found.SOPClassUID] += 1
    assert len(kinds) >= 2


def test_pages_of_results_and_unplaced_frames_are_read_by_pydicom():
    for kind, shape in ((Kind.RESULTS, (64, 96, 3)), (Kind.UNPLACED, (6, 32, 32))):
        index, item = next((i, o) for i in range(EXAMS) for o in objects(exam(i)) if o.kind is kind)
        found = whole(index)[item.file]
        assert found.pixel_array.shape == shape
        assert found.pixel_array.std() > 0
        assert "PerFrameFunctionalGroupsSequence" not in found


def test_every_uid_is_of_one_object():
    for index in (by_vendor(SIEMENS)[0], by_vendor(GE)[0], by_enhanced(True)[0]):
        found = {name: heads(index)[name] for name in heads(index).raw}
        assert len({d.SOPInstanceUID for d in found.values()}) == len(found)
        by_series = collections.defaultdict(set)
        for name, head in found.items():
            by_series[head.SeriesInstanceUID].add(name.split("/")[0])
        assert all(len(folders) == 1 for folders in by_series.values())


def placed(index: int):
    """(answer, header, frame's position, clock of its acquisition) of all that has a place."""
    study = exam(index)
    for answer in study.answers():
        head = heads(index)[answer.file]
        if answer.stack < 0:
            continue
        if head.SOPClassUID == ENHANCED_MR:
            groups = head.PerFrameFunctionalGroupsSequence[answer.frame]
            content = groups.FrameContentSequence[0]
            at = groups.PlanePositionSequence[0].ImagePositionPatient
            yield answer, head, np.array(at, float), content.FrameAcquisitionDateTime[8:]
        else:
            yield answer, head, np.array(head.ImagePositionPatient, float), head.AcquisitionTime


def test_answers_name_every_frame_once():
    for index in range(EXAMS):
        study = exam(index)
        frames = collections.Counter(a.file for a in study.answers() if a.stack >= 0)
        unplaced = [a for a in study.answers() if a.stack < 0]
        assert {*frames, *(a.file for a in unplaced)} == {o.file for o in objects(study)}
        if index < 4:
            for name, count in frames.items():
                assert int(heads(index)[name].get("NumberOfFrames", 1)) == count


def test_slices_count_from_the_apex_and_lie_where_the_answer_says():
    for index in (*by_vendor(SIEMENS)[:2], *by_vendor(GE)[:2], *by_enhanced(True)[:2]):
        apical = exam(index).heart.axes[2]
        along = collections.defaultdict(lambda: collections.defaultdict(set))
        for answer, _, position, _ in placed(index):
            along[answer.stack, answer.view][answer.slice_from_apex].add(round(position @ apical))
        for (_, view), slices in along.items():
            assert sorted(slices) == list(range(len(slices)))
            assert all(len(places) == 1 for places in slices.values())
            if view is View.SAX:
                from_apex = [min(slices[k]) for k in sorted(slices)]
                assert from_apex == sorted(from_apex, reverse=True)


def test_of_repeats_the_latest_is_kept():
    met = collections.Counter()
    repeated = [i for i in range(EXAMS) if any(a.is_repeat for a in exam(i).answers())]
    for index in repeated[:10]:
        moments = collections.defaultdict(list)
        for answer, _, _, clock in placed(index):
            moments[answer.stack, answer.slice_from_apex, answer.phase].append((clock, answer))
        for same in moments.values():
            same.sort(key=lambda pair: pair[0])
            answers = [a for _, a in same]
            assert len(same) <= 2
            if len(same) == 1:
                assert not answers[0].is_repeat
                assert not answers[0].is_kept_repeat
                continue
            assert [a.is_repeat for a in answers] == [True, True]
            assert [a.is_kept_repeat for a in answers] == [False, True]
            assert same[0][0] < same[1][0]
            folders = {a.file.split("/")[0] for a in answers}
            met["two series" if len(folders) == 2 else "one series"] += 1
    assert set(met) == {"one series", "two series"}


def test_siemens_names_sequences_and_sends_pairs_as_two_series():
    met = collections.Counter()
    for index in by_vendor(SIEMENS)[:8]:
        folders = collections.defaultdict(set)
        for answer, head, _, _ in placed(index):
            folders[answer.stack, answer.sequence].add(answer.file.split("/")[0])
            starts = {Sequence.CINE: "*tfi2d1_", Sequence.LGE_MAG: "*tfl2d1_"}
            assert head.SequenceName.startswith(starts.get(answer.sequence, "*"))
            if answer.sequence is Sequence.LGE_PSIR:
                assert "PSIR" in head.ImageType
                met["pair"] += 1
            if answer.sequence is Sequence.DERIVED:
                assert head.ImageType[:2] == ["DERIVED", "SECONDARY"]
                met["contours"] += 1
        met["per slice"] += any(len(f) > 4 for f in folders.values())
        by_kind = {
            kind: {f for (_, s), names in folders.items() if s is kind for f in names}
            for kind in (Sequence.LGE_MAG, Sequence.LGE_PSIR)
        }
        assert not by_kind[Sequence.LGE_MAG] & by_kind[Sequence.LGE_PSIR]
        pages = [heads(index)[o.file] for o in objects(exam(index)) if o.kind is Kind.RESULTS]
        assert all(page.SOPClassUID.endswith("1.1.7") for page in pages)
        assert all(page.SamplesPerPixel == 3 for page in pages)
        met["page"] += len(pages)
    assert min(met[k] for k in ("pair", "contours", "per slice", "page")) > 0


def test_ge_is_implicit_signed_and_names_no_sequence():
    for index in by_vendor(GE)[:4]:
        stacks = collections.defaultdict(set)
        for answer, head, _, _ in placed(index):
            assert head.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
            assert (head.PixelRepresentation, head.BitsStored) == (1, 16)
            assert head.ImageType[2] == "OTHER"
            assert "SequenceName" not in head
            stacks[answer.stack, answer.is_kept_repeat].add(answer.file.split("/")[0])
        assert max(len(series) for series in stacks.values()) <= 2
    psir = next(i for i in by_vendor(GE) if any_of(i, Sequence.LGE_PSIR))
    low = min(
        whole(psir)[a.file].pixel_array.min()
        for a in exam(psir).answers()
        if a.sequence is Sequence.LGE_PSIR
    )
    assert low < 0


def any_of(index: int, sequence: Sequence) -> bool:
    return any(a.sequence is sequence for a in exam(index).answers())


def test_philips_keeps_pairs_in_one_series_and_scales_every_picture():
    orders = set()
    for index in by_enhanced(False)[:5]:
        folders = {Sequence.LGE_MAG: set(), Sequence.LGE_PSIR: set()}
        slopes = set()
        first_cine: dict[str, list] = collections.defaultdict(list)
        for answer, head, _, _ in placed(index):
            slopes.add((head.RescaleSlope, head.RescaleIntercept))
            if answer.sequence in folders:
                folders[answer.sequence].add(answer.file.split("/")[0])
                phase_sensitive = answer.sequence is Sequence.LGE_PSIR
                assert (head.ImageType[3] == "CR") == phase_sensitive
            if (answer.view, answer.sequence) == (View.SAX, Sequence.CINE):
                first_cine[answer.file[:2]].append(answer)
        assert folders[Sequence.LGE_PSIR] <= folders[Sequence.LGE_MAG]
        assert len(slopes) > 50
        for answers in first_cine.values():
            fastest = [a.phase for a in sorted(answers, key=lambda a: a.file)][:2]
            orders.add("phases" if fastest == [0, 1] else "slices")
    assert orders == {"phases", "slices"}


def test_a_map_holds_ms_whoever_made_it():
    for vendors in (by_vendor(SIEMENS), by_vendor(GE), by_enhanced(False), by_enhanced(True)):
        plain = (Scar.NONE, Scar.TRANSMURAL, Scar.SUBENDOCARDIAL)
        index = next(
            i for i in vendors if any_of(i, Sequence.T1MAP) and exam(i).subject.scar in plain
        )
        study = exam(index)
        mine = [a for a in study.answers() if a.sequence is Sequence.T1MAP]
        answer = next(a for a in mine if a.slice_from_apex == 1)
        take = next(t for t in takes(study) if t.sequence is Sequence.T1MAP)
        inside = Scanner(study.heart, study.origin, 2).cavity(take.scan.planes[1], take.scan.phases)
        values = modality(whole(index)[answer.file], answer.frame)
        expected = 1441 if study.tesla < 2 else 1932  # blood
        assert np.median(values[inside[0] > 0.95]) == pytest.approx(expected, rel=0.05)


def test_a_phase_sensitive_picture_keeps_its_sign_whoever_made_it():
    for vendor, zero in ((SIEMENS, 2048), (GE, 0), (PHILIPS, 0)):
        healthy = (i for i in by_vendor(vendor) if exam(i).subject.scar is Scar.NONE)
        index = next(i for i in healthy if any_of(i, Sequence.LGE_PSIR))
        values = of_sequence(index, Sequence.LGE_PSIR) - zero
        assert -2049 <= values.min() < -100  # fluid, muscle
        assert 500 < values.max() < 2049  # fat
        wall = places(index, Sequence.LGE_PSIR, 2)["healthy"]
        assert abs(np.median(values[2, 0].ravel()[wall])) < 120  # nulled


def modality(found: pydicom.Dataset, frame: int) -> np.ndarray:
    """Stored pixels of one frame times slope plus intercept, wherever those stand."""
    pixels = found.pixel_array
    pixels = pixels[frame] if pixels.ndim == 3 else pixels
    scale = found
    if found.SOPClassUID == ENHANCED_MR:
        groups = found.PerFrameFunctionalGroupsSequence[frame]
        scale = groups.PixelValueTransformationSequence[0]
    if "T1 MAP" in "\\".join(found.ImageType):
        assert scale.RescaleType == "ms"
    return pixels * float(scale.get("RescaleSlope", 1)) + float(scale.get("RescaleIntercept", 0))


def test_frames_of_an_enhanced_object_are_placed_timed_and_in_no_order():
    sorted_objects, layouts, marks = set(), set(), set()
    for index in by_enhanced(True)[:5]:
        by_file = itertools.groupby(exam(index).answers(), key=lambda a: a.file)
        for name, group in by_file:
            answers, head = list(group), heads(index)[name]
            if answers[0].stack < 0:
                continue
            assert head.SOPClassUID == ENHANCED_MR
            assert len({a.stack for a in answers}) == 1
            shared = head.SharedFunctionalGroupsSequence[0]
            own = head.PerFrameFunctionalGroupsSequence
            assert len(own) == int(head.NumberOfFrames) == len(answers)
            indices = []
            for answer, frame in zip(answers, own, strict=True):
                place = frame if "PlaneOrientationSequence" in frame else shared
                assert len(place.PlaneOrientationSequence[0].ImageOrientationPatient) == 6
                assert 0 < place.PixelMeasuresSequence[0].PixelSpacing[0] < 10
                layouts.add("own" if place is frame else "shared")
                content = frame.FrameContentSequence[0]
                assert content.TemporalPositionIndex == answer.phase + 1
                assert content.StackID == "1"
                indices.append(tuple(content.DimensionIndexValues))
                assert indices[-1][1:] == (
                    content.InStackPositionNumber,
                    content.TemporalPositionIndex,
                )
                beat = frame.CardiacSynchronizationSequence[0]
                delay = beat.NominalCardiacTriggerDelayTime
                assert 0 <= delay <= 1.2 * beat.RRIntervalTimeNominal
                marks.add(len(frame.PixelValueTransformationSequence))
            assert len(set(indices)) == len(indices)
            component = shared.MRImageFrameTypeSequence[0].ComplexImageComponent
            assert (component == "REAL") == (answers[0].sequence is Sequence.LGE_PSIR)
            late = answers[0].sequence in (Sequence.LGE_MAG, Sequence.LGE_PSIR)
            assert late <= ("InversionTimes" in shared.MRModifierSequence[0])
            if len(indices) > 9:
                by_slice, by_phase = sorted(indices), sorted(indices, key=lambda i: i[::-1])
                in_order = indices in (by_slice, by_phase, by_slice[::-1], by_phase[::-1])
                sorted_objects.add(in_order)
    assert sorted_objects == {True, False}
    assert layouts == {"own", "shared"}
    assert marks == {1}


def of_sequence(index: int, sequence: Sequence) -> np.ndarray:
    """Modality values of a stack in the order of the truth, (slices from base, phases, ...)."""
    mine = [a for a in exam(index).answers() if a.sequence is sequence]
    shape = [1 + max(getattr(a, k) for a in mine) for k in ("slice_from_apex", "phase")]
    first = modality(whole(index)[mine[0].file], mine[0].frame)
    stack = np.full((*shape, *first.shape), np.nan)
    for a in mine:
        stack[shape[0] - 1 - a.slice_from_apex, a.phase] = modality(whole(index)[a.file], a.frame)
    assert not np.isnan(stack).any()
    return stack


def places(index: int, sequence: Sequence, slice_number: int) -> dict[str, np.ndarray]:
    """Masks of tissue in one slice of a stack, (rows * columns,)."""
    study = exam(index)
    take = next(t for t in takes(study) if t.sequence is sequence)
    first_pass = sequence is Sequence.PERFUSION
    phase = contrasts.FIRST_PASS_PHASES[slice_number] if first_pass else take.scan.phases[0]
    points = take.scan.planes[slice_number].points(1).reshape(-1, 3) - study.origin
    now = study.heart.at(points, np.array([phase]))
    d = {name: distance[0] for name, distance in now.distance.items()}
    wall = (d["lv_epi"] < -1.5) & (d["lv"] > 1.5)
    sick = motion.territory_weight(study.subject.territory, now.theta, now.height)[0]
    return {
        "lv": (d["lv"] < -5) & (d["papillary"] > 3),
        "rv": (d["rv"] < -5) & (d["lv_epi"] > 5),
        "healthy": wall & (sick < 0.05),
        "sick": wall & (sick > 0.9),
    }


def sick_exam(sequence: Sequence, acute: bool | None = None) -> int:
    """An exam with a transmural infarct, of which this sequence was scanned."""
    for index in range(CHOSEN.exams):
        s = exam(index).subject
        infarct = s.scar is Scar.TRANSMURAL and s.territory is not Territory.RCA
        if infarct and acute in (None, contrasts.is_acute(s)) and any_of(index, sequence):
            return index
    raise AssertionError("no such exam")


def test_contrast_comes_to_the_right_heart_then_the_left_then_the_wall_but_not_to_the_defect():
    index = sick_exam(Sequence.PERFUSION)
    video = of_sequence(index, Sequence.PERFUSION)
    assert video.shape[0] == 3
    assert video.shape[1] >= 30
    curves = {
        name: video[1].reshape(video.shape[1], -1)[:, mask].mean(1)
        for name, mask in places(index, Sequence.PERFUSION, 1).items()
    }
    half = {
        name: int(np.argmax(c > (c[:3].mean() + c.max()) / 2))
        for name, c in curves.items()
        if name != "sick"
    }
    assert half["rv"] < half["lv"] < half["healthy"]
    rise = {name: curves[name][-5:].mean() - curves[name][:3].mean() for name in curves}
    assert rise["sick"] < 0.5 * rise["healthy"]


def test_a_first_pass_runs_in_real_time_at_one_moment_of_the_cycle():
    for index in [i for i in range(EXAMS) if any_of(i, Sequence.PERFUSION)][:4]:
        clocks, triggers = collections.defaultdict(list), collections.defaultdict(set)
        for answer, head, _, clock in placed(index):
            if answer.sequence is Sequence.PERFUSION:
                seconds = int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:])
                clocks[answer.slice_from_apex].append((answer.phase, seconds))
                if "TriggerTime" in head:
                    triggers[answer.slice_from_apex].add(head.TriggerTime)
        for times in clocks.values():
            seconds = [s for _, s in sorted(times)]
            assert np.all(np.diff(seconds) > 0)
            assert 25 < seconds[-1] - seconds[0] < 60
        assert all(len(t) == 1 for t in triggers.values())


def test_oedema_is_bright_where_the_infarct_is_acute_and_nowhere_else():
    for acute in (True, False):
        index = sick_exam(Sequence.T2W, acute)
        picture = of_sequence(index, Sequence.T2W)[1, 0].ravel()
        where = places(index, Sequence.T2W, 1)
        ratio = picture[where["sick"]].mean() / picture[where["healthy"]].mean()
        assert (ratio > 1.4) == acute
        assert picture[where["lv"]].mean() < 0.5 * picture[where["healthy"]].mean()


def test_every_habit_is_met():
    met = collections.Counter()
    for index in range(EXAMS):
        every = exam(index).answers()
        series = collections.defaultdict(list)
        for a in every:
            series[a.file.split("/")[0]].append(a)
        folders = collections.defaultdict(set)
        for name, members in series.items():
            views = {a.view for a in members}
            met["2CH and 4CH in one series"] += views == {View.CH2, View.CH4}
            met["localizer"] += {a.sequence for a in members} == {Sequence.LOCALIZER}
            for a in members:
                folders[a.stack, a.is_kept_repeat].add(name)
            shuffled = any(a.frame > 0 for a in members)
            sax = [a.slice_from_apex for a in members if a.view is View.SAX and a.phase == 0]
            order = list(dict.fromkeys(sax))
            every_other = [sorted(order)[::2] + sorted(order)[1::2]]
            every_other.append(sorted(order)[::-1][::2] + sorted(order)[::-1][1::2])
            met["interleaved"] += len(order) > 3 and not shuffled and order in every_other
        met["split over two series"] += any(
            len(f) == 2 and not kept for (_, kept), f in folders.items()
        )
        met["stack again"] += any(a.is_kept_repeat and a.view is not View.SAX for a in every)
        again = {a.slice_from_apex for a in every if a.is_repeat and a.view is View.SAX}
        met["slice again"] += len(again) == 1
        met["unplaced"] += any((a.stack, a.sequence) == (-1, Sequence.OTHER) for a in every)
        met["enhanced"] += any(a.frame > 0 for a in every)
    assert min(met.values()) > 0, met
    stacks = {(i, a.stack): a for i in range(CHOSEN.exams) for a in exam(i).answers()}.values()
    said = collections.Counter(a.language for a in stacks)
    assert set(said) == {*languages.LANGUAGES, languages.BLANK, languages.ATTACK}
    for share, expected in (
        (said["blank"] / len(stacks), 0.06),
        (said["hostile"] / len(stacks), 0.05),
        (sum(a.mislabelled for a in stacks) / len(stacks), 0.03),
    ):
        assert expected / 2 < share < expected * 2


def test_late_enhancement_comes_ten_minutes_after_the_contrast_and_is_not_waited_for_twice():
    late = (Sequence.LGE_MAG, Sequence.LGE_PSIR)
    for index in range(EXAMS):
        every = takes(exam(index))
        begun = [t.clock_s for t in every if t.sequence in late]
        contrast = [t.clock_s for t in every if t.sequence is Sequence.PERFUSION]
        assert all(b - c >= 600 for b in begun for c in contrast)
        assert max(np.diff(begun), default=0) < 200


def test_habits_can_be_turned_off_one_by_one():
    none = Habits(**dict.fromkeys((f.name for f in dataclasses.fields(Habits)), 0.0))
    tidy = dataclasses.replace(CHOSEN, habits=none)
    for index in range(10):
        every = Study(tidy, index).answers()
        assert not any(a.is_repeat or a.mislabelled or a.stack < 0 for a in every)
        assert {a.language for a in every} <= set(languages.LANGUAGES)
        assert not {a.sequence for a in every} & {Sequence.PERFUSION, Sequence.T2W, Sequence.T1MAP}


def test_the_name_is_of_the_view_unless_it_is_mislabelled():
    met = collections.Counter()
    for index in range(EXAMS):
        first_of_series = {a.file[:2]: a for a in reversed(exam(index).answers())}
        for answer in first_of_series.values():
            text = heads(index)[answer.file].get("SeriesDescription", "")
            if answer.language == languages.BLANK:
                assert not text
                continue
            named = {
                view
                for view, words in languages.VIEWS.get(answer.language, {}).items()
                if any(word in text for word in words if len(word) > 2)
            }
            true = {View.SAX: "SAX", View.CH2: "2CH", View.CH3: "3CH", View.CH4: "4CH"}
            view = true.get(answer.view)
            if view and named:
                assert (view in named) != answer.mislabelled, (text, answer)
                met[answer.language, answer.mislabelled] += 1
    assert all(met[language, False] for language in languages.LANGUAGES)
    assert any(wrong for _, wrong in met)


def test_hostile_names_are_written_as_they_are():
    found = set()
    for index in range(CHOSEN.exams):
        mine = {a.file for a in exam(index).answers() if a.language == languages.ATTACK}
        if mine and len(found) < len(languages.HOSTILE_NAMES):
            for name, head, _ in exam(index).files(pixels=False):
                if name in mine:
                    found |= {n for n in languages.HOSTILE_NAMES if n.encode() in head}
    assert found == set(languages.HOSTILE_NAMES)


def test_a_report_is_true_in_every_language():
    spoken = collections.Counter()
    for index in range(EXAMS):
        study = exam(index)
        t, keys = study.truth, translated.impression_keys(study)
        pairs = (
            ("lv_weak", t.findings["lv_dysfunction"]),
            ("lv_wide", t.findings["lv_dilation"]),
            ("rv_weak", t.findings["rv_dysfunction"]),
            ("effusion", t.findings["pericardial_effusion"]),
            ("aorta", t.findings["aortic_dilation"]),
            ("lge_none", not t.findings["lge"]),
            ("diffuse", t.findings["amyloidosis"]),
            ("hcm", t.findings["hcm"]),
        )
        assert [key for key, claim in pairs if (key in keys) != claim] == []
        assert ("oedema" in keys) == (
            contrasts.is_acute(study.subject) and any_of(index, Sequence.T2W)
        )
        for language in languages.LANGUAGES:
            text, fields = translated.report(study, language), translated.fields(study, language)
            for key, options in phrases.SENTENCES[language].items():
                said = any(option.format(**fields) in text for option in options)
                assert said == (key in keys), (language, key, text)
            who = study.identity
            for planted in (who.family, who.patient_id, who.reader, who.date_in(language)):
                assert planted in text
            assert who.date_in(language) in who.planted()
            spoken[language] += study.report_text == text
    assert sum(spoken.values()) == EXAMS
    assert min(spoken.values()) > 0
