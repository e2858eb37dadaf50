"""View and sequence: what words, planes and physics say, and that a guess is never a label."""

import collections
import dataclasses
import pickle

import numpy as np
import pytest

from cmr_jax.schema import Sequence, View
from data_prep.classify import geometry, lexicon, longaxis, table
from data_prep.classify.__main__ import main
from data_prep.classify.decision import Decision, classify
from data_prep.exam.plan import plan_exam
from data_prep.phantom.protocol import profile
from data_prep.phantom.study import Study
from data_prep.phantom.tissue import Contrast
from data_prep.read import instance
from data_prep.read.head import Head
from data_prep.read.instance import Instance
from data_prep.stacks import ordering
from data_prep.stacks.stack import RawStack, build_stacks
from tests.conftest import run

# Description, view and sequence that it names; "-" where it names none.
NAMED = """
4CH_FIESTA | CH4 | CINE
cine_tf2d_retro_SAX | SAX | CINE
CINE_segmented_SAX_InlineVF | SAX | DERIVED
LVOT_(3CH) cine | CH3 | CINE
CINE_IR | - | OTHER
4CH_CINE_IR | CH4 | OTHER
4CH_CineIR | CH4 | OTHER
Cine_IR_2RR_-_8MIN | - | OTHER
CINE_kt_1RR_FB_PF | - | CINE
TI-Scout_5_MIN_POST | - | OTHER
LOOKLOCKER | - | OTHER
IR_EPI_LL_POST | - | OTHER
SAX_IrP-FGRE_TI=240 | SAX | LGE_MAG
SAX_SSHMDE_FIESTA_TI=180 | SAX | LGE_MAG
AutoViabBH_SA | SAX | LGE_MAG
5min_2dviab_TI245 | - | LGE_MAG
GAD_HLA_DE | CH4 | LGE_MAG
2CH_DHE_TI230 | CH2 | LGE_MAG
LVOT_LONG_DHE | LVOT | LGE_MAG
SAX_10_MIN_DME_HIGH_RES_mBH_TI285_MAG | SAX | LGE_MAG
PS: short axis MDE | SAX | LGE_PSIR
MAG:SAX_SS_PSMDE | SAX | LGE_MAG
ORIG_PS:DE_SA_2D_MDE | SAX | LGE_PSIR
tfi_psir_single-shot_2_chamber_stack_PSIR | CH2 | LGE_PSIR
tfi_psir_single-shot_2_chamber_stack_MAG | CH2 | LGE_MAG
DE_overview SAX_2ChStack_4ChStack | - | LGE_MAG
10_MIN_DE_High-Res_LAX_3Ch_4Ch_2Ch_PSIR | - | LGE_PSIR
RVOT_FIESTA_BH | RVOT | CINE
RV2CH_FIESTA_BH | RV2CH | CINE
2CH_RV_INFLOW | RV2CH | -
RV3CH_FIESTA_BH_#2 | OTHER | CINE
P4CH_FIESTA | OTHER | CINE
VLAX_FIESTA | - | CINE
bFFE_BH_VLA | CH2 | CINE
bFFE_BH_LA | - | CINE
HLA_(4CH)_SSFP_BH | CH4 | CINE
aortic_valve_short_axis_stack_cine | OTHER | CINE
ATRIAL_SA_CINE | OTHER | CINE
tfisp_cine__MPA_#1 | OTHER | CINE
SAG_Caval_FIESTA_BH | OTHER | CINE
LOC_FIESTA_BH | - | LOCALIZER
3PL_SSFSE_LOC_NBH | - | LOCALIZER
3-pl_Loc_Fiesta_BH | - | LOCALIZER
Define_SAX | SAX | LOCALIZER
GATED_AX_SURV | AXIAL | LOCALIZER
PA_FastPC_V=250_BH | OTHER | FLOW
pulmonary_vein_flow_quant | OTHER | FLOW
LVOT_PHASE_CONTRAST | OTHER | FLOW
lvo_sQFLOW_BH | OTHER | FLOW
MITRAL_VALVE_INFLOW_P | OTHER | FLOW
AX_4DF_v350_RC | AXIAL | FLOW
flow_venc-scout_100-190tp_bh | - | FLOW
LVOT outflow cine | LVOT | CINE
AX_T1_DIRFSE_BH | AXIAL | OTHER
T1_TSE_BB_ax | AXIAL | OTHER
AX_T2_DIRFSE_BH | AXIAL | T2W
AX_FS_TIRFSE_BH | AXIAL | T2W
sax_(3_views)_t2_stir_db | SAX | T2W
axial_haste_db_tra_bh | AXIAL | T2W
SAX_DIRFSE_BH | SAX | -
T1map_MOLLI_SAX | SAX | T1MAP
t1map_short_t1_4_CH_>_700_MS_MOCO | CH4 | T1MAP
SMART1Map_SAX-mid_T1Map_ARC_PRE_BH | SAX | T1MAP
ShMOLLI_SA | SAX | T1MAP
mGraSE_BB_Sense_T2_MAP | - | T2MAP
T2Map_TrueFISP_4_CH_SAXs | - | T2MAP
CARDIAC_SAX_GATED_8_ECHO_BH | SAX | T2STAR
T2_star_SA | SAX | T2STAR
m-FFE_shortest_dTE_BH | - | T2STAR
first_pass_perf_sax_stress | SAX | PERFUSION
dynamic_tfl_sr_epat_MOCO | - | PERFUSION
Stress cine SAX | SAX | CINE
CINE_GRID_TAG_SHORT_AXIS | SAX | TAGGING
4CH_MTAG_grid-tag_BH | CH4 | TAGGING
WATER:_Ax_LAVA-Flex_BH | AXIAL | DERIVED
R2*:_Cor_LIVER_9_BH | OTHER | DERIVED
Processed_Images | - | DERIVED
loc_MPR_cor | OTHER | DERIVED
3D_MRA_PRE_SAG | OTHER | OTHER
DIXON_Post_Delay_in | - | OTHER
ASSET_Calibration_BH | - | OTHER
COR_REF | OTHER | OTHER
Option_1 | - | -
SHORT_AXIS_CINE_iPAT | SAX | CINE
Long_Axis_cine | - | CINE
12 channel cine | - | CINE
Vierkammerblick trufi | CH4 | CINE
Zweikammerblick | CH2 | -
Dreikammerblick Cine | CH3 | CINE
kurze Achse LGE | SAX | LGE_MAG
Kurzachse Kino | SAX | CINE
Aortenklappe Cine | - | CINE
Flussmessung Aorta | OTHER | FLOW
Übersicht | - | LOCALIZER
Ciné petit axe | SAX | CINE
Ciné 4 cavités | CH4 | CINE
deux cavités | CH2 | -
Réhaussement tardif petit axe | SAX | LGE_MAG
chambre de chasse ciné | LVOT | CINE
cine eje corto | SAX | CINE
cine de eje corto | SAX | CINE
cine 4 cámaras | CH4 | CINE
dos cámaras realce tardío | CH2 | LGE_MAG
cine asse corto | SAX | CINE
cine quattro camere | CH4 | CINE
due camere | CH2 | -
eixo curto cine | SAX | CINE
três câmaras cine | CH3 | CINE
realce tardio eixo curto | SAX | LGE_MAG
korte as cine | SAX | CINE
vierkamer cine | CH4 | CINE
tvåkammar cine | CH2 | CINE
kortaxel cine | SAX | CINE
cine oś krótka | SAX | CINE
cine czterojamowa | CH4 | CINE
krátká osa kino | SAX | CINE
iki boşluk sine | CH2 | CINE
kısa aks sine | SAX | CINE
кино короткая ось | SAX | CINE
четырёхкамерная кино | CH4 | CINE
двухкамерная отсроченное контрастирование | CH2 | LGE_MAG
四腔心电影 | CH4 | CINE
短轴 延迟强化 | SAX | LGE_MAG
短軸シネ | SAX | CINE
遅延造影 四腔 | CH4 | LGE_MAG
단축 시네 | SAX | CINE
지연조영 4방 | CH4 | LGE_MAG
<script>alert('cmr')</script> | - | -
../../../etc/passwd | - | -
"""
CASES = [tuple(cell.strip() for cell in line.split(" | ")) for line in NAMED.split("\n") if line]
# Normals of planned views, LPS, as they lie in an average heart.
TURNED = {View.CH2: 11.0, View.CH3: -42.0, View.CH4: -101.0}


def named(label) -> str:
    return "-" if label is None else label.name


@pytest.mark.parametrize(("words", "view", "sequence"), CASES)
def test_words_name_view_and_sequence(words, view, sequence):
    said = lexicon.built_in().read(words)
    assert (named(said.view), named(said.sequence)) == (view, sequence)


def test_lexicon_knows_its_own_examples():
    words = lexicon.built_in()
    for entry in words.entries:
        assert lexicon.decided(words.matching(entry.kind, entry.example)) == entry.label, entry


def test_real_descriptions_are_named_right_or_left_open(shared):
    rows = table.read(shared / "real/texts/series_descriptions.csv")
    score = table.evaluate(rows, lexicon.built_in())
    assert score.strings["labelled"] == 53
    assert score.series["labelled"] == 23319
    assert score.strings["view wrong"] == 0
    assert score.strings["view right"] >= 52
    assert score.series["view right"] >= 22956
    # The one that is wrong has contours drawn in, whatever its label says.
    assert [row.description for row in score.wrong] == ["Trufi_Cine_SAX_InlineVF"]
    assert score.strings["sequence right"] >= 44
    assert score.series["sequence right"] >= 20673
    assert score.strings["unlabelled -"] <= 36


def test_a_sites_own_words_come_first(tmp_path):
    own = tmp_path / "own.tsv"
    own.write_text("# ours\nview\tCH2\t30\tspecial 4 ch\tspecial_4CH\n")
    words = lexicon.load(own)
    assert words.read("special 4CH").view is None  # two chambers at once name none
    own.write_text("sequence\tTAGGING\t120\tour cine\tour cine\n")
    assert lexicon.load(own).read("our cine").sequence is Sequence.TAGGING
    own.write_text("sequence\tLGE_MAG\t5\toption 1\tOption_1\n")
    words = pickle.loads(pickle.dumps(lexicon.load(own)))
    assert words.read("Option_1").sequence is Sequence.LGE_MAG
    assert words.read("4CH_FIESTA") == lexicon.built_in().read("4CH_FIESTA")
    assert lexicon.load(None) is lexicon.built_in()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("view\tCH4\t30\tx", "4 columns"),
        ("view\tCH9\t30\tx\tx", "no label 'CH9'"),
        ("words\tCH4\t30\tx\tx", "kind 'words'"),
        ("view\tCH4\tsoon\tx\tx", "whole number"),
        ("view\tCH4\t30\t(x\tx", "no regular expression"),
        ("view\tCH4\t30\ty\tx", "does not match its example"),
        ("view\tCH4\t30\t\tx", "does not match its example"),
    ],
)
def test_a_lexicon_that_cannot_be_used_says_where(line, said, tmp_path, capsys):
    own = tmp_path / "own.tsv"
    own.write_text(f"# ours\n{line}\n")
    assert main(["--lexicon", str(own), "--explain", "x"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert "line 2" in error


def test_explain_tells_what_won_and_what_lost(capsys):
    assert main(["--explain", "4CH_CINE_IR", "SAX_2ChStack", "\x1b[31m"]) == 0
    first, second, third = capsys.readouterr().out.split("\n\n")
    assert "won   OTHER     priority  15, by 'cine ir'" in first
    assert "lost  CINE      priority 120, by 'cine'" in first
    assert "none: CH2 and SAX are named at once" in second
    assert "named by no word" in third
    assert "\x1b" not in third


def test_a_table_is_scored(tmp_path, capsys):
    path = tmp_path / "table.csv"
    path.write_text('what,count,label\n"4CH cine, BH",7,4CH\nSAX,2,4CH\nLGE,5,\n')
    assert main(["--table", str(path)]) == 0
    out = capsys.readouterr().out
    assert "view     of 9 labelled series: 7 right (77.8 %), 2 wrong (22.2 %), 0 open" in out
    assert "sequence of 2 labelled strings: 1 right (50.0 %), 0 wrong (0.0 %), 1 open" in out
    assert "wrong: 'SAX' (2)" in out
    for bad in ("a,b,c\nx,many,\n", "a,b,c\nx,3,5CH\n"):
        path.write_text(bad)
        assert main(["--table", str(path)]) == 2
        assert "row 2" in capsys.readouterr().err
    assert main(["--table", str(tmp_path / "none.csv")]) == 2


def test_help_shows_how():
    said = run("data_prep.classify", "--help").stdout
    assert '--explain "SAX_IrP-FGRE_TI=240"' in said
    assert "--lexicon FILE.tsv" in said


# --- planes


def frame_of(view: View) -> np.ndarray:
    """The normal of a view in an average heart, LPS."""
    axis = geometry.SHORT_AXIS
    if view is View.SAX:
        return axis
    if view is View.AXIAL:
        return np.array([0.0, 0.0, 1.0])
    first = longaxis.TWO_CHAMBER - (longaxis.TWO_CHAMBER @ axis) * axis
    first /= np.linalg.norm(first)
    turn = np.radians(TURNED[view])
    return np.cos(turn) * first + np.sin(turn) * np.cross(axis, first)


CINE = {
    "ScanningSequence": "GR",
    "SequenceVariant": "SS",
    "EchoTime": "1.5",
    "RepetitionTime": "3.2",
    "FlipAngle": "55",
    "ImageType": "ORIGINAL\\PRIMARY\\M\\NONE",
}
LGE = CINE | {"ScanningSequence": "GR\\IR", "InversionTime": "280", "EchoTime": "3.1"}


def series(
    name: str,
    normal: np.ndarray | View,
    slices: int = 1,
    phases: int = 1,
    step_ms: float = 35.0,
    each=lambda s, t: {},
    spacing_mm: float = 1.5,
    shift_mm: float = 0.0,
    **text: str,
) -> list[Instance]:
    """Frames of one series around the middle of the heart, parallel slices 8 mm apart."""
    normal = frame_of(normal) if isinstance(normal, View) else normal / np.linalg.norm(normal)
    row = np.cross(normal, [0.3, 0.5, 0.8])
    row /= np.linalg.norm(row)
    column = np.cross(normal, row)
    corner = -127.5 * spacing_mm * (row + column)
    frames = []
    for s in range(slices):
        at = corner + ((s - (slices - 1) / 2) * 8.0 + shift_mm) * normal
        for t in range(phases):
            own = {
                "SeriesInstanceUID": f"1.{name}",
                "SOPInstanceUID": f"1.{name}.{s}.{t}",
                "TriggerTime": f"{t * step_ms:.1f}",
                "NominalInterval": "900",
                "InstanceNumber": f"{1 + s * phases + t}",
            }
            frames.append(
                Instance(
                    where=f"{name}/{s}/{t}",
                    frame=0,
                    text=own | text | each(s, t),
                    orientation=tuple(map(float, (*row, *column))),
                    position=(float(at[0]), float(at[1]), float(at[2])),
                    spacing_mm=(spacing_mm, spacing_mm),
                    rows=256,
                    columns=256,
                    bits=(16, 12, 11, 0),
                    transfer_syntax="",
                    pixel_offset=-1,
                    pixel_length=0,
                )
            )
    return frames


def decided(*groups: list[Instance]) -> dict[str, list[Decision]]:
    """Decisions of one exam by series name."""
    stacks, _ = build_stacks([frame for group in groups for frame in group])
    found = collections.defaultdict(list)
    for stack, decision in zip(stacks, classify(stacks), strict=True):
        found[stack.first.where.split("/")[0]].append(decision)
    return found


def one(*groups: list[Instance]) -> Decision:
    """The decision of the last group's only stack."""
    (decision,) = decided(*groups)[groups[-1][0].where.split("/")[0]]
    return decision


SAX = series("sax", View.SAX, slices=9, phases=20, **CINE)
LONG = {v: series(v.name, v, phases=20, **CINE) for v in longaxis.VIEWS}


def test_planes_of_a_whole_exam_are_told_apart_without_words():
    found = decided(SAX, *LONG.values())
    assert found["sax"][0].view is View.SAX
    for view in longaxis.VIEWS:
        assert found[view.name][0].view is view
        assert found[view.name][0].confidence > 0.7


@pytest.mark.parametrize("roll_deg", [-20, 0, 20])
def test_a_turned_heart_is_recognised_by_all_its_planes(roll_deg):
    axis, turn = geometry.SHORT_AXIS, np.radians(roll_deg)
    turned = [
        series(v.name, np.cos(turn) * n + np.sin(turn) * np.cross(axis, n), phases=20, **CINE)
        for v in longaxis.VIEWS
        for n in [frame_of(v)]
    ]
    found = decided(SAX, *turned)
    assert [found[v.name][0].view for v in longaxis.VIEWS] == list(longaxis.VIEWS)


def test_a_plane_between_two_views_is_neither():
    between = series("x", frame_of(View.CH2) + frame_of(View.CH3), phases=20, **CINE)
    assert one(SAX, between).view is View.OTHER


def test_names_of_other_planes_settle_what_a_turned_heart_leaves_open():
    axis, turn = geometry.SHORT_AXIS, np.radians(45)
    planes = {
        v: np.cos(turn) * n + np.sin(turn) * np.cross(axis, n)
        for v in longaxis.VIEWS
        for n in [frame_of(v)]
    }
    two = series("two", planes[View.CH2], phases=20, SeriesDescription="2CH cine", **CINE)
    four = series("four", planes[View.CH4], phases=20, SeriesDescription="4CH cine", **CINE)
    three = series("three", planes[View.CH3], phases=20, **CINE)
    found = decided(SAX, two, four, three)
    assert found["two"][0].view is View.CH2
    assert found["four"][0].view is View.CH4
    assert found["three"][0].view is View.CH3


def test_names_that_were_swapped_are_not_believed():
    two = series("two", View.CH2, phases=20, SeriesDescription="4CH cine", **CINE)
    four = series("four", View.CH4, phases=20, SeriesDescription="2CH cine", **CINE)
    found = decided(SAX, two, four)
    for name in ("two", "four"):
        assert found[name][0].view is View.OTHER
        assert "conflict" in found[name][0].evidence[0]


def test_a_still_has_the_view_of_the_named_cine_whose_plane_it_copies():
    tilted = frame_of(View.CH2) + 0.45 * frame_of(View.CH4)  # too far off to be known by itself
    cine = series("cine", tilted, phases=20, SeriesDescription="2CH cine", **CINE)
    still = series("still", tilted, shift_mm=3.0, spacing_mm=1.2, **LGE)
    away = series("away", tilted, shift_mm=30.0, **LGE)
    found = decided(SAX, cine, still, away)
    assert found["still"][0].view is View.CH2
    assert found["still"][0].sequence is Sequence.LGE_MAG
    assert "named CH2" in found["still"][0].evidence[0]
    assert "named CH2" not in found["away"][0].evidence[0]


def test_a_vessel_across_the_axis_is_no_short_axis():
    valve = series("valve", View.SAX, phases=20, shift_mm=70.0, **CINE | {"EchoTime": "1.1"})
    inside = series("inside", View.SAX, phases=20, shift_mm=10.0, **CINE | {"EchoTime": "1.3"})
    found = decided(SAX, valve, inside)
    assert found["valve"][0].view is View.OTHER
    assert found["inside"][0].view is View.SAX


def test_planes_of_the_body_are_axial_or_nothing():
    assert one(SAX, series("ax", View.AXIAL, slices=20, **CINE)).view is View.AXIAL
    sagittal = series("sag", np.array([1.0, 0.0, 0.0]), slices=20, **CINE)
    assert one(SAX, sagittal).view is View.OTHER


def test_of_two_names_of_one_plane_directions_choose():
    a = series("a", View.CH4, phases=20, SeriesDescription="4CH cine", **CINE)
    b = series("b", View.CH4, SeriesDescription="2CH LGE", **LGE)
    found = decided(SAX, a, b)
    assert found["a"][0].view is View.CH4
    assert found["b"][0].view is View.OTHER  # its name is contradicted, and nothing is guessed


# --- physics


def seconds(per_frame_s: float):
    """Acquisition times, one frame after another, from 10 h on."""

    def each(s: int, t: int) -> dict[str, str]:
        whole = int(t * per_frame_s)
        fraction = f"{t * per_frame_s % 1:.3f}"[1:]
        return {"AcquisitionTime": f"10{whole // 60:02d}{whole % 60:02d}{fraction}"}

    return each


PHYSICS = {
    "bSSFP cine": (dict(phases=20, **CINE), Sequence.CINE, "bSSFP", ""),
    "spoiled cine": (
        dict(phases=20, **CINE | {"SequenceVariant": "SP", "FlipAngle": "12"}),
        Sequence.CINE,
        "GRE",
        "",
    ),
    "cine by its name": (
        dict(phases=20, SequenceName="*tfi2d1_14", **CINE | {"SequenceVariant": "SK"}),
        Sequence.CINE,
        "bSSFP",
        "",
    ),
    "cine by flip angle": (
        dict(phases=20, **CINE | {"SequenceVariant": "SK"}),
        Sequence.CINE,
        "bSSFP",
        "",
    ),
    "TI scout": (dict(phases=25, **LGE), Sequence.OTHER, "", ""),
    "TI scout by its times": (
        dict(phases=25, each=lambda s, t: {"InversionTime": f"{100 + 25 * t}"}, **CINE),
        Sequence.OTHER,
        "",
        "",
    ),
    "MOLLI": (
        dict(phases=8, each=lambda s, t: {"InversionTime": f"{100 + 500 * t}"}, **LGE),
        Sequence.T1MAP,
        "",
        "",
    ),
    "T1 map": (
        dict(**LGE | {"ImageType": "DERIVED\\PRIMARY\\M\\T1 MAP\\MOCO"}),
        Sequence.T1MAP,
        "",
        "ms",
    ),
    "T2 map": (dict(**CINE | {"ImageType": "DERIVED\\PRIMARY\\T2"}), Sequence.T2MAP, "", "ms"),
    "weighting is no map": (
        dict(phases=20, **CINE | {"ImageType": "ORIGINAL\\PRIMARY\\T1\\NONE"}),
        Sequence.CINE,
        "bSSFP",
        "",
    ),
    "LGE magnitude": (dict(**LGE), Sequence.LGE_MAG, "", ""),
    "LGE phase-sensitive": (
        dict(**LGE | {"ImageType": "DERIVED\\PRIMARY\\M\\PSIR"}),
        Sequence.LGE_PSIR,
        "",
        "",
    ),
    "LGE by its inversion time": (
        dict(InversionTime="250", **CINE),
        Sequence.LGE_MAG,
        "",
        "",
    ),
    "first pass": (
        dict(phases=40, slices=3, step_ms=0.0, each=seconds(0.9), **CINE),
        Sequence.PERFUSION,
        "",
        "",
    ),
    "free-breathing cine": (
        dict(phases=40, each=seconds(0.04), **CINE),
        Sequence.CINE,
        "bSSFP",
        "",
    ),
    "STIR": (
        dict(**LGE | {"ScanningSequence": "SE\\IR", "EchoTime": "65"}),
        Sequence.T2W,
        "",
        "",
    ),
    "T1 dark blood": (
        dict(**CINE | {"ScanningSequence": "SE", "EchoTime": "9"}),
        Sequence.OTHER,
        "",
        "",
    ),
    "velocities": (
        dict(phases=20, **CINE | {"ImageType": "ORIGINAL\\PRIMARY\\P\\NONE"}),
        Sequence.FLOW,
        "",
        "cm/s",
    ),
    "flow magnitude": (
        dict(phases=20, SequenceName="*fl2d1_v250in", **CINE),
        Sequence.FLOW,
        "",
        "",
    ),
    "result": (
        dict(phases=20, **CINE | {"ImageType": "DERIVED\\SECONDARY\\OTHER"}),
        Sequence.DERIVED,
        "",
        "",
    ),
    "distortion corrected": (
        dict(phases=20, **CINE | {"ImageType": "DERIVED\\PRIMARY\\M\\DIS2D"}),
        Sequence.CINE,
        "bSSFP",
        "",
    ),
    "long echo": (dict(phases=20, **CINE | {"EchoTime": "14"}), Sequence.OTHER, "", ""),
    "a still": (dict(**CINE), Sequence.OTHER, "", ""),
    "two phases": (dict(phases=2, **CINE), Sequence.OTHER, "", ""),
    "no header": ({}, Sequence.OTHER, "", ""),
}


@pytest.mark.parametrize("name", list(PHYSICS))
def test_physics_alone_tells_the_sequence(name):
    how, sequence, contrast, unit = PHYSICS[name]
    decision = one(SAX, series("x", View.CH4, **how))
    assert (decision.sequence, decision.contrast, decision.unit) == (sequence, contrast, unit)


def test_gradient_echoes_of_one_plane_are_t2_star():
    def each(s: int, t: int) -> dict[str, str]:
        return {"EchoTime": f"{2 + 2.3 * t:.1f}"}

    spoiled = CINE | {"SequenceVariant": "SP"}
    found = decided(SAX, series("x", View.SAX, phases=8, step_ms=0.0, each=each, **spoiled))
    assert {d.sequence for d in found["x"]} == {Sequence.T2STAR}
    assert len(found["x"]) == 8


def test_stills_in_planes_of_the_body_are_localizers():
    planes = [
        [
            dataclasses.replace(f, where=f"loc/{i}/{f.where}")
            for f in series(f"{i}", np.eye(3)[i], slices=3, **CINE)
        ]
        for i in range(3)
    ]
    same = [
        dataclasses.replace(f, text=f.text | {"SeriesInstanceUID": "1.loc"})
        for plane in planes
        for f in plane
    ]
    assert {d.sequence for d in decided(SAX, same)["loc"]} == {Sequence.LOCALIZER}


def test_contrast_given_before_makes_late_enhancement_surer():
    late = {"AcquisitionTime": "104500", "AcquisitionDate": "20200101"}
    still = series("x", View.CH4, **LGE | late)
    perfusion = series("p", View.SAX, phases=40, step_ms=0.0, each=seconds(0.9), **CINE)
    dated = [
        dataclasses.replace(f, text=f.text | {"AcquisitionDate": "20200101"}) for f in perfusion
    ]
    assert one(SAX, dated, still).confidence > one(SAX, still).confidence


def test_clocks_are_read_or_left():
    frame = exam(0)[1][0]

    def read(time: str) -> float | None:
        return ordering.seconds(dataclasses.replace(frame, text={"AcquisitionTime": time}))

    assert read("101500.25") == 36900.25
    assert [read(t) for t in ("", "9", "ab1234", "101500.x", "१०१५००.-")] == [None] * 5


@pytest.mark.parametrize(
    ("words", "how", "sequence", "conflict"),
    [
        ("SAX cine", LGE, Sequence.OTHER, True),
        ("SAX LGE", CINE | {"phases": 20}, Sequence.OTHER, True),
        ("SAX trufi", CINE, Sequence.OTHER, True),
        ("SAX LGE PSIR", LGE, Sequence.LGE_PSIR, False),
        ("SAX LGE", LGE | {"ImageType": "ORIGINAL\\PRIMARY\\M\\PSIR"}, Sequence.LGE_PSIR, False),
        ("SAX tagging", CINE | {"phases": 20}, Sequence.TAGGING, False),
        ("SAX cine InlineVF", CINE | {"phases": 20}, Sequence.DERIVED, False),
        ("SAX T1map MOLLI", LGE, Sequence.T1MAP, False),
        ("SAX T2 STIR", CINE | {"phases": 20}, Sequence.T2W, True),
        ("TI scout", LGE | {"phases": 20}, Sequence.OTHER, False),
        ("SAX", CINE | {"phases": 20}, Sequence.CINE, False),
    ],
)
def test_words_and_physics_meet(words, how, sequence, conflict):
    decision = one(series("x", View.SAX, slices=9, SeriesDescription=words, **how))
    assert decision.sequence is sequence
    assert any("conflict" in why for why in decision.evidence) is conflict
    if conflict:
        assert decision.confidence <= 0.5


def test_the_protocol_fills_what_the_description_leaves_open():
    how = CINE | {"SeriesDescription": "cine", "ProtocolName": "4CH LGE"}
    decision = one(SAX, series("x", View.CH4, phases=20, **how))
    assert (decision.view, decision.sequence) == (View.CH4, Sequence.CINE)


def test_only_a_cine_has_the_contrast_of_one():
    how = LGE | {"SeriesDescription": "4CH LGE trufi psir"}
    assert one(SAX, series("x", View.CH4, **how)).contrast == ""


def test_flow_across_vessels_has_no_view_unless_named():
    assert one(SAX, series("x", View.CH3, phases=20, SequenceName="_v250in", **CINE)).view is (
        View.OTHER
    )


# --- the phantom


def exam(index: int) -> tuple[Study, list[Instance]]:
    study = Study(profile("tiny:seed=3"), index)
    read = [one for file in study.files(pixels=False) for one in instance.read(Head(*file))]
    frames = [i for i in read if isinstance(i, Instance)]
    assert len(frames) == len(read)
    return study, frames


def test_phantom_exams_without_a_word_are_right_or_open():
    names = {"SAX": View.SAX, "4CH": View.CH4, "3CH": View.CH3, "2CH": View.CH2}
    kinds = {
        Contrast.CINE: Sequence.CINE,
        Contrast.LGE_MAG: Sequence.LGE_MAG,
        Contrast.LGE_PSIR: Sequence.LGE_PSIR,
    }
    blank = {"SeriesDescription": "", "ProtocolName": ""}
    right = wrong = total = 0
    for index in range(40):
        study, read = exam(index)
        number = {i.where: int(i.text["SOPInstanceUID"].split(".")[-3]) for i in read}
        plan = plan_exam("s", [dataclasses.replace(i, text=i.text | blank) for i in read])
        for stack in plan.stacks:
            scan = study.scans[number[stack.raw.first.where]]
            true = names[scan.view], kinds[scan.contrast]
            total += 1
            right += (stack.view, stack.sequence) == true
            wrong += stack.view not in (true[0], View.OTHER) or stack.sequence is not true[1]
    assert right >= 0.97 * total
    assert wrong <= 0.005 * total


def test_order_of_stacks_does_not_matter():
    stacks, _ = build_stacks(exam(1)[1])
    backwards: list[RawStack] = stacks[::-1]
    assert classify(backwards)[::-1] == classify(stacks)


def test_evidence_holds_no_header_text():
    _, read = exam(2)
    fields = ("SeriesDescription", "ProtocolName", "SequenceName", "PatientName", "PatientID")
    for secret in ("Zzyzx 4CH cine", "Zzyzx"):
        stacks, _ = build_stacks(
            [dataclasses.replace(i, text=i.text | dict.fromkeys(fields, secret)) for i in read]
        )
        assert "zzyzx" not in repr(classify(stacks)).lower()
