"""What a build tells people: progress while it works, an account and a picture at its end."""

import threading

import numpy as np
import pytest
from PIL import Image

from cmr_jax.data.source import ExamSource
from cmr_jax.schema import Sequence, View
from data_prep.qc import contact_sheet, progress
from data_prep.qc.account import Account
from data_prep.read.reject import Reject, Why
from data_prep.shelf import vocabulary


def test_a_stage_says_how_far_it_is_and_how_long_it_will_take(monkeypatch, capsys):
    clock = [100.0, 110.0, 120.0]  # started, told, told; then 130 for ever

    class Time:
        @staticmethod
        def monotonic() -> float:
            return clock.pop(0) if clock else 130.0

    monkeypatch.setattr(progress, "time", Time)
    monkeypatch.setattr(progress, "EVERY_SECONDS", 0.01)
    counts, told = [0, 4], threading.Event()

    def done() -> int:
        if not counts:
            told.set()
        return counts.pop(0) if counts else 20

    account = Account()
    with progress.stage("writing", account, done, 20):
        assert told.wait(20)
    assert capsys.readouterr().err.splitlines()[:2] == [
        "writing: 0 of 20",
        "writing: 4 of 20, about 80 s left",  # four took 20 s
    ]
    assert account.seconds["writing"] == 30.0


def test_the_contact_sheet_shows_each_exam_in_its_row(tiny, tmp_path):
    path = contact_sheet.write(tiny, "test", rows=3)
    assert path is not None
    sheet = np.asarray(Image.open(path))
    step = 32 + contact_sheet.MARGIN
    columns = len(contact_sheet.COLUMNS)
    assert sheet.shape == (contact_sheet.CAPTION + 3 * step, columns * step)
    source = ExamSource(str(tiny), "test")
    shown = 0
    for y in range(3):
        exam = source[y]
        for x, (view, late, phase) in enumerate(contact_sheet.COLUMNS):
            top = contact_sheet.CAPTION + y * step
            tile = sheet[top : top + 32, x * step : x * step + 32]
            lge = (Sequence.LGE_MAG, Sequence.LGE_PSIR)
            stack = next(
                (s for s in exam.stacks if s.view is view and (s.sequence in lge) == late), None
            )
            if stack is None:
                assert not tile.any()
                continue
            video = source.frames(stack, len(stack.slice_mm) // 2)
            np.testing.assert_array_equal(tile, video[int(phase * len(video))])
            shown += view is not View.OTHER
    assert shown > 10
    assert sheet[: contact_sheet.CAPTION].any()  # what the columns are


def test_only_words_that_enough_patients_share_get_pieces():
    texts = [(f"p{i}", "Dilated left ventricle. EF 35") for i in range(12)]
    texts += [("p0", "Zelgritulm")] * 30  # one patient, however often
    texts += [(f"p{i}", "Vorquin") for i in range(9)]
    shared = vocabulary.shared_words(texts)
    assert {"dilated", "left", "ventricle", ".", "ef"} <= shared
    assert "zelgritulm" not in shared
    assert "vorquin" not in shared
    assert "vorquin" in vocabulary.shared_words([*texts, ("p9", "vorquin")])
    import sentencepiece

    model = sentencepiece.SentencePieceProcessor(model_proto=vocabulary.train(texts, 400))
    pieces = model.encode("dilated left ventricle zelgritulm 35", out_type=str)
    assert any("ventric" in p for p in pieces)
    assert not any("elgr" in p or "gritu" in p for p in pieces)
    assert [p for p in pieces if p.isdigit()] == ["3", "5"]
    assert model.decode(model.encode("zelgritulm")) == "zelgritulm"
    ids = model.pad_id(), model.unk_id(), model.bos_id(), model.eos_id()
    assert ids == (vocabulary.PAD, vocabulary.UNKNOWN, vocabulary.START, vocabulary.END)


def test_what_was_not_used_is_told_with_how_bad_it_is_and_the_way_out():
    rejects = [Reject(Why.NOT_DICOM, "a"), Reject(Why.TRUNCATED, "b"), Reject(Why.NOT_DICOM, "c")]
    account = Account(files_found=5, files_used=2, rejects={"files": rejects})
    account.check()
    ignored, rejected = account.lines()[-2:]
    assert ignored == "ignored  2 files: not_dicom: not a DICOM file; nothing to do"
    assert rejected == "REJECTED 1 files: truncated: the file ends early; export it again"
    account.files_found += 1
    with pytest.raises(RuntimeError, match="1 of 6 files are unaccounted for"):
        account.check()
