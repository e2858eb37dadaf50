"""What a build tells people: progress, an account, a page that is true, a card, a list of rejects."""

import ast
import base64
import csv
import html.parser
import io
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pydicom.sr.codedict import codes

from cmr_jax import schema
from cmr_jax.data.source import ExamSource
from cmr_jax.schema import EXAMS, FRAMES, Sequence, Stack, View
from data_prep.deid.pseudonym import DEMO_KEY, Pseudonyms
from data_prep.phantom.identity import HOSTILE
from data_prep.qc import card, chart, contact_sheet, markup, people, pictures, progress, rejects
from data_prep.qc.account import Account
from data_prep.qc.shards import Shards
from data_prep.qc.survey import reads_as, survey
from data_prep.read.reject import Reject, Why
from data_prep.shelf import records, vocabulary

ROOT = pathlib.Path(__file__).parent.parent
KEY = Pseudonyms(DEMO_KEY)
FACTS = people.Facts("here", "0123abcd", "cmr_jax 0", schema.SCHEMA_VERSION)
VOID = {"meta", "img", "br", "source"}


class Reader(html.parser.HTMLParser):
    """Reads a page as strictly as a machine can."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    def all(self, *names: str) -> list[dict]:
        return [attrs for tag, attrs in self.tags if tag in names]


def a_stack(view=View.SAX, sequence=Sequence.CINE, phases=4, first=0, **more) -> Stack:
    cycle = tuple(i / phases for i in range(phases))
    values = {"confidence": 0.98, "evidence": ("named",), "rr_ms": 800.0, "spacing_mm": 1.5} | more
    return Stack(
        view=view,
        sequence=sequence,
        first_frame=first,
        slice_mm=(0.0,),
        phases=(cycle,),
        trigger_ms=(cycle,),
        row=(1.0, 0.0, 0.0),
        column=(0.0, 1.0, 0.0),
        origins_mm=((0.0, 0.0, 0.0),),
        intensity_low=0.0,
        intensity_high=1.0,
        **values,
    )


def write_shards(out: pathlib.Path, splits: dict[str, list[dict]]) -> None:
    """A build of one shard a split from facts of exams; every exam has a SAX and a CH4 cine."""
    lengths: dict[str, dict[str, list[int]]] = {EXAMS: {}, FRAMES: {}}
    video = np.random.default_rng(0).integers(0, 255, (4, 24, 24), np.uint8)
    for split, exams in splits.items():
        path = {t: records.shard_path(str(out), t, split, 0, 1) for t in (EXAMS, FRAMES)}
        for one in path.values():
            one.parent.mkdir(parents=True, exist_ok=True)
        with records.shard_writer(path[EXAMS]) as e, records.shard_writer(path[FRAMES]) as f:
            for i, exam in enumerate(exams):
                more = exam.pop("stack", {})
                stacks = [
                    a_stack(first=2 * i),
                    a_stack(first=2 * i + 1, **({"view": View.CH4} | more)),
                ]
                record = {
                    "exam_id": f"{split}{i}",
                    "patient_id": f"{split}{i}",
                    "site": "here",
                    "vendor": "GE",
                    "field_strength_t": 1.5,
                    "sex": "F",
                    "age_band": "40-49",
                    "days_since_first": 0,
                    "impression": "Normal.",
                    "sentences": ["Normal."],
                    "stacks": schema.dump_stacks(stacks),
                    "shard": 0,
                } | exam
                e.write(records.serialize(EXAMS, record))
                for _ in stacks:
                    f.write(records.serialize(FRAMES, schema.dump_frames(record["exam_id"], video)))
        lengths[EXAMS][split], lengths[FRAMES][split] = [len(exams)], [2 * len(exams)]
    for table in (EXAMS, FRAMES):
        records.write_metadata(str(out), table, lengths[table])


def literals(node: ast.AST) -> list[str]:
    """The words that an expression is sure to hold; not how it formats numbers."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.FormattedValue):
        return literals(node.value)
    return [text for child in ast.iter_child_nodes(node) for text in literals(child)]


def page_of(out: pathlib.Path, account: Account | None = None) -> str:
    people.write(out, account or Account(), KEY, FACTS)
    return (out / "qc.html").read_text()


# --- while it works and at its end


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
    shards = Shards(tiny)
    contact_sheet.write(tmp_path, shards, [shards.exam("test", i) for i in range(3)])
    sheet = np.asarray(Image.open(tmp_path / "contact_sheet.png"))
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
            wanted = lge if late else (Sequence.CINE,)
            found = [s for s in exam.stacks if s.view is view]
            stack = next((s for s in found if s.sequence in wanted), None)
            if stack is None:
                assert not tile.any()
                continue
            video = source.frames(stack, len(stack.slice_mm) // 2)
            np.testing.assert_array_equal(tile, video[int(phase * len(video))])
            shown += view is not View.OTHER
    assert shown > 10
    assert sheet[: contact_sheet.CAPTION].any()  # what the columns are


def test_what_is_no_cine_does_not_stand_in_the_column_of_one(tmp_path):
    write_shards(tmp_path, {"train": [{"stack": {"sequence": Sequence.PERFUSION}}]})
    shards = Shards(tmp_path)
    names = [contact_sheet.column_name(i) for i in range(len(contact_sheet.COLUMNS))]
    tiles = contact_sheet.tiles(shards, shards.exam("train", 0))
    assert {n for n, tile in zip(names, tiles, strict=True) if tile is not None} == {
        "SAX 0%",
        "SAX 40%",
    }


def test_the_contact_sheet_takes_exams_of_every_split_and_the_least_sure(tiny):
    shards = Shards(tiny)
    chosen = contact_sheet.choose(shards, survey(shards), first=4, unsure=5)
    assert [(e.split, e.index) for e in chosen[:4]] == [
        ("train", 0),
        ("val", 0),
        ("test", 0),
        ("train", 1),
    ]
    least = {e.exam_id: min(s.confidence for s in e.stacks) for e in shards}
    rest = sorted(v for k, v in least.items() if k not in {e.exam_id for e in chosen[:4]})
    assert [least[e.exam_id] for e in chosen[4:]] == rest[:5]
    many = contact_sheet.choose(shards, survey(shards), first=40, unsure=15)
    assert len({e.exam_id for e in many}) == len(many) == 55


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


# --- the page


def test_the_page_stands_alone_and_can_be_read_aloud(tiny):
    text = (tiny / "qc.html").read_text()
    page = Reader(text)
    assert not page.all("script", "link", "iframe", "object", "form")
    assert "default-src 'none'" in text
    assert not re.search(r"https?://|url\(|@import|\son\w+=", text)
    sources = [a.get("src") or a["srcset"] for a in page.all("img", "source")]
    assert len(sources) > 50
    assert all(s.startswith("data:image/webp;base64,") for s in sources)
    assert all(a["alt"] for a in page.all("img"))
    assert all(a["aria-label"] for a in page.all("svg", "nav"))
    assert all("scope" in a for a in page.all("th"))
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in page.all("a")} == {f"#{name}" for name in ids}
    assert page.all("html")[0]["lang"] == "en"
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2", "h3")]
    assert headings[0] == "h1" and headings.count("h1") == 1  # noqa: PT018


def test_the_numbers_are_those_of_the_shards(tiny):
    found = survey(Shards(tiny))
    stacks, words, vendors, slices = Counter(), Counter(), Counter(), Counter()
    images, patients = 0, set()
    for split in ("train", "val", "test"):
        source = ExamSource(str(tiny), split)
        exams = [source[i] for i in range(len(source))]
        assert found.splits[split].exams == len(exams)
        assert found.splits[split].patients == {e.patient_id for e in exams}
        patients |= {e.patient_id for e in exams}
        vendors.update(e.vendor for e in exams)
        words.update(len(e.impression.split()) for e in exams if e.impression)
        for stack in (s for e in exams for s in e.stacks):
            stacks[stack.view, stack.sequence] += 1
            slices[len(stack.slice_mm)] += 1
            images += sum(len(source.frames(stack, i)) for i in range(len(stack.slice_mm)))
    assert {k: v.stacks for k, v in found.kinds.items()} == stacks
    assert (found.images, found.patients, found.exams) == (images, len(patients), 60)
    assert found.measures["words"] == words
    assert found.measures["slices"] == slices
    said = " ".join(Reader((tiny / "qc.html").read_text()).words)
    assert f"{images:,} images" in said
    for vendor, count in vendors.items():
        assert re.search(rf"{vendor}\s+{count}\b", said)


def test_every_foreign_string_is_text(tmp_path):
    hostile = [
        {"vendor": text, "sex": text, "age_band": text, "stack": {"evidence": (text,)}}
        for text in (*HOSTILE, '"><img src=x onerror=alert(1)>')
    ]
    for exam in hostile:
        exam["stack"]["confidence"] = 0.1
    write_shards(tmp_path, {"train": hostile})
    page = Reader(page_of(tmp_path))
    assert not page.all("script")
    assert all(a["src"].startswith("data:image/webp;base64,") for a in page.all("img"))
    said = "".join(page.words)
    assert said.count(HOSTILE[0]) > 3  # it is there, as text
    assert "\x1b" not in said


def test_unknown_values_have_a_name_and_a_build_without_pairs_has_a_page(tmp_path):
    nan = float("nan")
    exam = {"vendor": "", "sex": "", "field_strength_t": nan, "impression": "", "sentences": []}
    write_shards(tmp_path, {"train": [exam | {"stack": {"view": View.AXIAL, "rr_ms": nan}}]})
    said = " ".join(Reader(page_of(tmp_path)).words)
    assert "vendor unknown" in said
    assert "field strength unknown" in said
    assert "1 exams have no impression." in said
    assert "No exam has both" in said


def test_the_page_is_the_same_every_time(tmp_path):
    write_shards(tmp_path, {"train": [{}, {}], "test": [{}]})
    lost = [Reject(why, f"{i}") for why in (Why.NOT_MR, Why.TRUNCATED) for i in range(6)]
    first = page_of(tmp_path, Account(rejects={"files": lost}, seconds={"writing": 1.0}))
    listed = (tmp_path / "rejects.csv").read_text()
    again = page_of(tmp_path, Account(rejects={"files": lost[::-1]}, seconds={"writing": 9.0}))
    assert first == again
    assert (tmp_path / "rejects.csv").read_text() == listed
    names = sorted(KEY.of("path", f"{i}") for i in range(6))
    assert [name in first for name in names] == [True] * 3 + [False] * 3


def test_what_was_taken_out_is_counted_and_never_shown(tmp_path):
    texts = ["Seen by [NAME] on [DATE], [MILLER].", "[NAME] [NAME] wrote.", "Nothing here."]
    write_shards(tmp_path, {"train": [{"impression": t} for t in texts]})
    found = survey(Shards(tmp_path))
    assert found.removed == {"NAME": 3, "DATE": 1}
    assert found.scrubbed == 2
    text = page_of(tmp_path) + (tmp_path / "README.md").read_text()
    assert "MILLER" not in text
    assert "Nothing here" not in text
    assert "2 of 3 impressions" in text


def test_reports_that_read_alike_are_found_and_so_is_what_training_has_seen(tmp_path):
    assert reads_as("LVEF 35 %.  Dilated!") == reads_as("lvef 40%: dilated")
    assert reads_as("Dilated LV") != reads_as("LV not dilated")
    impressions = {
        "train": ["EF 35 %", "EF 40 %", "Normal."],
        "test": ["ef: 60", "NORMAL", "Fibrosis."],
    }
    write_shards(tmp_path, {k: [{"impression": t} for t in v] for k, v in impressions.items()})
    found = survey(Shards(tmp_path))
    assert (found.alike, found.reports, len(found.texts)) == (5, 6, 3)
    assert found.seen_in_training("test") == 2
    assert "2 impressions of test read like one of train." in page_of(tmp_path)


def test_found_is_used_rejected_and_ignored(tmp_path):
    write_shards(tmp_path, {"train": [{}]})
    lost = [Reject(Why.TRUNCATED, "x", count=7), Reject(Why.NOT_DICOM, "y", count=2)]
    text = page_of(tmp_path, Account(files_found=19, files_used=10, rejects={"files": lost}))
    said = " ".join(" ".join(Reader(text).words).split())
    assert "files 19 10 7 2" in said
    assert "7 files were rejected, most as truncated." in said
    assert "not dicom files 2 not a DICOM file; nothing to do" in said
    assert KEY.of("path", "x") in said


def test_a_patient_in_two_splits_is_told(tmp_path):
    write_shards(tmp_path, {"train": [{"patient_id": "p"}], "test": [{"patient_id": "p"}]})
    told = "1 patients are in two splits."
    assert told in page_of(tmp_path)
    assert told in (tmp_path / "README.md").read_text()


# --- pictures and charts


def test_hearts_beat_at_their_own_pace_and_fit_on_the_page(tiny):
    shards = Shards(tiny)
    found = pictures.hearts(shards)
    assert len(found) == pictures.HEARTS
    assert {h.exam.split for h in found} == {"train", "val", "test"}
    assert sum(len(h.moving) for h in found) <= pictures.HEARTS_BYTES
    for heart in found[:3]:
        data = base64.b64decode(heart.moving.partition(",")[2])
        picture = Image.open(io.BytesIO(data))
        phases = len(heart.short_axis.phases[0])
        assert picture.n_frames == phases
        assert picture.width == 2 * picture.height
        picture.seek(1)
        picture.load()
        assert picture.info["duration"] == pytest.approx(heart.short_axis.rr_ms / phases, abs=1)


def test_a_heart_too_large_for_its_share_is_shown_coarser(monkeypatch, tmp_path):
    write_shards(tmp_path, {"train": [{}]})
    monkeypatch.setattr(pictures, "LADDER", ((192, 70), (64, 25)))
    fine = pictures.hearts(Shards(tmp_path))[0].moving
    monkeypatch.setattr(pictures, "HEARTS_BYTES", pictures.HEARTS * (len(fine) - 1))
    assert len(pictures.hearts(Shards(tmp_path))[0].moving) < len(fine) / 2
    monkeypatch.setattr(pictures, "HEARTS_BYTES", 0)
    assert not pictures.hearts(Shards(tmp_path))


def test_a_histogram_loses_nothing_and_puts_edges_where_they_belong():
    values = Counter({round(0.1 * i, 1): i for i in range(1, 31)})
    bars = chart._bars(values)
    assert sum(bar.count for bar in bars) == values.total()
    of = {bar.of: bar.count for bar in bars}
    assert of["0.6 to below 0.8"] == 6 + 7  # 0.6 / 0.2 is below 3 in binary
    few = chart._bars(Counter({1: 5, 25: 2}))
    assert [(bar.count, bar.tick) for bar in few] == [(5, "1"), (2, "25")]
    assert chart._median(Counter({1: 1, 2: 3, 9: 1})) == 2


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(1, 2, "50 %"), (9999, 10000, "99.9 %"), (1, 10**6, "0.1 %"), (0, 0, "0 %"), (3, 3, "100 %")],
)
def test_nearly_all_is_not_all_and_hardly_any_is_not_none(part, whole, said):
    assert markup.percent(part, whole) == said


# --- rejects


def test_rejects_go_out_by_pseudonym_and_stay_home_by_path(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    where = ["Miller/a.dcm", "=cmd|'x'.dcm", os.fsdecode(b"\xff\xfe.dcm")]
    lost = [Reject(Why.TRUNCATED, w, "the file ends inside the pixel data", 3) for w in where]
    account = Account(rejects={"files": lost, "reports": [Reject(Why.NO_EXAM, "report row 7")]})
    rejects.write(out, account, KEY)
    text = (out / "rejects.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == rejects.COLUMNS
    assert len(rows) == 4
    assert rows[0]["detail"] == "the file ends inside the pixel data"
    assert rows[0]["count"] == "3"
    assert rows[3]["what_to_do"] == Why.NO_EXAM.way_out
    assert KEY.of("path", where[0]) in {row["id"] for row in rows}
    assert not any(word in text for word in ("Miller", "cmd", "row 7", "\xff"))
    local = tmp_path / "out.rejected_paths.tsv"
    assert local.stat().st_mode & 0o777 == 0o600
    assert "Miller/a.dcm" in local.read_text()


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2 (CT Image Storage)"),
        ("1.2.826.0.1.3680043.2.1143", "[withheld]"),
        ("1.2.840.10008.19800101", "[withheld]"),
        ("1.2.840.10008.miller", "[withheld]"),
        ("without PixelSpacing, Rows", "without PixelSpacing, Rows"),
        ("UnicodeDecodeError", "UnicodeDecodeError"),
        ("pixel spacing (1400.0, 0.25) mm", "pixel spacing (1400.0, 0.25) mm"),
        ("MILLER^ANNA", "[withheld]"),
        ("seen by Miller on 19800101", "[withheld] by [withheld] on [withheld]"),
        ("19800101 frames in one classic MR object", "[withheld] frames in one classic MR object"),
        ("=HYPERLINK(1)", "[withheld](1)"),
        ("rows\n\tof\x1b[31m", "rows[withheld]of[withheld]"),
    ],
)
def test_a_detail_says_only_what_this_program_would_say(detail, said):
    assert rejects.safe_detail(detail) == said


def test_every_detail_that_the_program_gives_passes_whole():
    """A new detail in new words: add them to DETAIL_WORDS in data_prep/qc/rejects.py."""
    given = set()
    for path in (ROOT / "data_prep").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Reject":
                given |= {text for argument in node.args[2:] for text in literals(argument)}
    assert len(given) > 5
    assert [text for text in given if rejects.WITHHELD in rejects.safe_detail(text)] == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text):
    assert rejects.cell(text) == "'" + text


# --- the card


def test_the_code_on_the_card_runs(tiny):
    text = (tiny / "README.md").read_text()
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tiny,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    source = ExamSource(str(tiny), "train")
    stack = source[0].stacks[0]
    assert source[0].exam_id in first
    shape = source.frames(stack, 0).shape
    assert second == f"{stack.view.name} {stack.sequence.name} {shape} {stack.spacing_mm}"


def test_the_card_says_what_is_there_and_no_date(tiny):
    text = (tiny / "README.md").read_text()
    assert "60 exams of" in text
    assert "Not a medical device" in text
    assert "Splits share no patient." in text
    assert f"under the key `{KEY.key_id}`" in text
    assert not re.search(r"\b(?:19|20)\d{2}[-/.]?\d{2}[-/.]?\d{2}\b", text)
    found = survey(Shards(tiny))
    for split, balance in found.splits.items():
        assert f"| {split} | {len(balance.patients)} | {balance.exams} |" in text


@pytest.mark.parametrize(("code", "name"), [m[:2] for m in card.METHODS])
def test_the_methods_are_those_of_dicom(code, name):
    known = {c.value: c.meaning for c in (getattr(codes.cid7050, n) for n in codes.cid7050.dir())}
    assert known[code] == name
