"""Two scans of one place stay two, and what is scanned again replaces what it repeats."""

import dataclasses

import numpy as np
import pytest

from data_prep.exam.plan import ExamPlan, plan_exam
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.read.reject import Why
from data_prep.stacks import duplicates, grouping
from data_prep.stacks.stack import RawStack, build_stacks
from tests import hostile

PLACES = (-8.0, 0.0, 8.0)


def clock(seconds: float) -> str:
    """TM of a time after ten o'clock."""
    whole = int(seconds)
    return f"10{whole // 60:02d}{whole % 60:02d}.{int(seconds % 1 * 1000):03d}"


def scan(
    name: str,
    places=PLACES,
    phases: int = 25,
    rr: float = 900.0,
    start: float = 0.0,
    own_series: bool = False,
    **text,
) -> list[Instance]:
    """A cine of some slices, one breath-hold of eight seconds each; `text` may be functions (s, t)."""
    (base,) = instance.read(Head("x", hostile.good(), len(hostile.good())))
    assert isinstance(base, Instance)
    normal = np.cross(base.orientation[:3], base.orientation[3:])
    found = []
    for s, place in enumerate(places):
        position = np.array(base.position) + place * normal
        for t in range(phases):
            own = {
                "SeriesInstanceUID": f"{name}.{s}" if own_series else name,
                "SOPInstanceUID": f"{name}.{s}.{t}",
                "SeriesDescription": name,
                "InstanceNumber": str(1 + s * phases + t),
                "TriggerTime": f"{t * rr / phases:.1f}",
                "NominalInterval": f"{rr:.0f}",
                "AcquisitionTime": clock(start + 8 * s),
                "TemporalPositionIdentifier": "",
            }
            own |= {k: v(s, t) if callable(v) else v for k, v in text.items()}
            x, y, z = map(float, position)
            found.append(
                dataclasses.replace(
                    base,
                    where=f"{hash((s, t)) % 97}/{name}/{s}/{t}",
                    text=base.text | {k: v for k, v in own.items() if v},
                    position=(x, y, z),
                )
            )
    return found


def names(stack: RawStack) -> list[set[str]]:
    """The scans that each slice holds."""
    return [{f.text["SOPInstanceUID"].split(".")[0] for f in one.frames} for one in stack.slices]


@pytest.mark.parametrize("turned", [False, True])
def test_rest_and_stress_in_series_of_single_slices_are_two_stacks(turned):
    def sax(name: str, first: int, **own) -> list[Instance]:
        """Slices whose series are not in the order of time."""
        return scan(
            name,
            SeriesInstanceUID=lambda s, t: f"{s}.{(first + s) % 2}",
            SeriesDescription=lambda s, t: f"SAX_b{s}",
            **own,
        )

    rest, stress = sax("rest", 0), sax("stress", 1, rr=500, start=600)
    found, rejects = build_stacks([*stress, *rest] if turned else [*rest, *stress])
    assert sorted(names(stack) for stack in found) == [[{"rest"}] * 3, [{"stress"}] * 3]
    assert not rejects


def test_one_slice_under_stress_does_not_replace_one_at_rest():
    stress = scan("stress", places=(0.0,), rr=450, start=600, SeriesDescription="rest")
    found, rejects = build_stacks([*scan("rest"), *stress])
    assert sorted(names(stack) for stack in found) == [[{"rest"}] * 3, [{"stress"}]]
    assert not rejects


def test_one_slice_scanned_again_replaces_what_it_repeats():
    again = scan("again", places=(0.0,), start=100, SeriesDescription="rest")
    (stack,), rejects = build_stacks([*scan("rest"), *again])
    assert names(stack) == [{"rest"}, {"again"}, {"rest"}]
    assert [r.why for r in rejects] == [Why.REPEAT] * 25


@pytest.mark.parametrize("named", [{}, {"SeriesDescription": "T1Map"}], ids=["apart", "alike"])
def test_maps_before_and_after_contrast_are_two(named):
    still = {"phases": 1, "TriggerTime": "", "ImageType": "DERIVED\\PRIMARY\\M\\T1 MAP"} | named
    before = scan("T1Map_pre", own_series=True, **still)
    after = scan("T1Map_post", own_series=True, start=900, **still)
    one = scan("T1Map_mid", places=(0.0,), start=950, **still)
    found, rejects = build_stacks([*after, *one, *before])
    assert sorted(names(stack) for stack in found) == [
        [{"T1Map_mid"}],
        [{"T1Map_post"}] * 3,
        [{"T1Map_pre"}] * 3,
    ]
    assert not rejects


@pytest.mark.parametrize("times", ["whole seconds", "none"])
def test_a_first_pass_whose_triggers_jitter_keeps_every_beat_in_order(times):
    jitter = np.random.default_rng(0).normal(120, 4, (3, 50))
    found, rejects = build_stacks(
        scan(
            "perfusion",
            phases=50,
            rr=750,
            TriggerTime=lambda s, t: f"{jitter[s, t]:.1f}",
            AcquisitionTime=lambda s, t: clock(int(t * 0.75)) if times != "none" else "",
            TemporalPositionIdentifier=lambda s, t: str(t + 1),
        )
    )
    assert not rejects
    for one in found[0].slices:
        assert [int(f.text["SOPInstanceUID"].split(".")[2]) for f in one.frames] == list(range(50))


def test_two_breath_holds_in_one_series_are_not_interleaved():
    first = scan("four", places=(0.0,), rr=900)
    second = scan("four", places=(0.0,), rr=860, start=60, SOPInstanceUID=lambda s, t: f"later.{t}")
    (stack,), rejects = build_stacks([*first, *second])
    assert names(stack) == [{"later"}]
    assert [r.why for r in rejects] == [Why.REPEAT] * 25
    assert (np.diff(stack.slices[0].trigger_ms) > 0).all()


def test_images_of_one_moment_with_other_settings_are_all_kept():
    found, rejects = build_stacks(
        scan(
            "flow",
            phases=75,
            TriggerTime=lambda s, t: f"{t // 3 * 36:.1f}",
            SequenceName=lambda s, t: f"fl3d1_v150{('rl', 'fh', 'in')[t % 3]}",
        )
    )
    assert [len(one.frames) for one in found[0].slices] == [75] * 3
    assert not rejects


def test_a_phase_more_or_less_makes_no_other_stack():
    slices = [
        scan(f"b{s}", places=(8.0 * s,), phases=25 + s % 3, start=10 * s, SeriesDescription="SAX_b")
        for s in range(6)
    ]
    (stack,), rejects = build_stacks([f for one in slices for f in one])
    assert [len(one.frames) for one in stack.slices] == [25, 26, 27, 25, 26, 27]
    assert "unequal phases" in stack.flags
    assert not rejects


def asked(monkeypatch, stacks: int, **layout) -> dict[str, int]:
    """How often grouping looks at series of one frame each: comparisons, kinds, places."""
    counts = {"_continues": 0, "_scans_again": 0, "_kind": 0, "clusters": 0}

    def counted(name, function):
        def count(*args):
            counts[name] += 1
            return function(*args)

        return count

    frames = scan("one", **layout)
    for frame in frames:
        frame.text["SeriesInstanceUID"] = frame.text["SOPInstanceUID"]
    with monkeypatch.context() as patch:
        for name in counts:
            patch.setattr(grouping, name, counted(name, getattr(grouping, name)))
        assert len(grouping.group(frames)) == stacks
    return counts


def spread(count: int) -> dict:
    """One frame in each of so many places."""
    return {"places": tuple(3.0 * s for s in range(count)), "phases": 1, "stacks": count}


@pytest.mark.parametrize(
    "layout",
    [
        lambda n: {"places": (0.0,), "phases": n, "stacks": n},
        lambda n: {"places": PLACES, "phases": n // 3, "stacks": n // 3},
        lambda n: spread(n) | {"EchoTime": lambda s, t: str(s + 1)},
        lambda n: spread(n) | {"SeriesDescription": lambda s, t: "x" * (s + 1)},
    ],
    ids=["of one place", "of three places", "of other kinds", "of other names"],
)
def test_twice_the_series_are_twice_the_work(monkeypatch, layout):
    few, many = asked(monkeypatch, **layout(60)), asked(monkeypatch, **layout(120))
    assert few["_kind"] <= 2 * 60
    assert all(many[name] <= 2.2 * few[name] + 4 for name in few), (few, many)


def test_copies_are_found_once(monkeypatch):
    frames, calls = scan("cine"), []
    copies = [dataclasses.replace(f, where=f"{f.where}/copy") for f in frames]
    by_uid = duplicates._by_uid
    monkeypatch.setattr(duplicates, "_by_uid", lambda found: calls.append(1) or by_uid(found))
    plan = plan_exam("study", [*copies, *frames])
    assert isinstance(plan, ExamPlan)
    assert calls == [1]
    assert [(a.where, b.where) for a, b in plan.copies] == sorted(
        (f.where, f"{f.where}/copy") for f in frames
    )
    assert [r.why for r in plan.rejects] == [Why.DUPLICATE] * len(frames)
