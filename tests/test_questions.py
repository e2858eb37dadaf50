"""What users hand in: prompts, labels, other models.  What is wrong with them is said in one line."""

import numpy as np
import pytest

from cmr_jax.data.source import ExamSource
from cmr_jax.evals import labels, others, questions, zero_shot
from cmr_jax.evals.zero_shot import Asked
from cmr_jax.schema import LABELS_FILE

# --- prompts


def test_the_published_seven_are_among_the_shipped_prompts():
    published = questions.read("published")
    assert len(published) == 7
    assert published["lv_dilation"].present == (
        "Left ventricle is dilated",
        "Left ventricle is enlarged in size",
    )
    assert all(not q.absent for q in published.values())
    assert set(published) <= set(questions.read("reports"))


def test_prompts_are_read_from_a_users_file(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[stroke]\npresent = ["Old infarct."]\nabsent = ["No infarct.", "Normal."]\n')
    assert questions.read(str(file)) == {
        "stroke": questions.Question(("Old infarct.",), ("No infarct.", "Normal."))
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "asks nothing"),
        ("[a]\npresent = [", "is no TOML"),
        ("[a]\nabsent = ['no']", r"\[a\] must have a list of sentences called present"),
        ("[a]\npresent = []", r"\[a\] must have"),
        ("[a]\npresent = 'yes'", r"\[a\] must have"),
        ("[a]\npresent = ['yes', '']", r"\[a\] must have"),
        ("[a]\npresent = ['yes']\nabsnet = ['no']", r"\[a\] must have"),
        ("a = 3", r"\[a\] must have"),
    ],
)
def test_prompts_that_ask_nothing_are_refused(tmp_path, text, problem):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=problem):
        questions.read(str(file))


def test_prompts_that_are_not_there_are_refused_by_name():
    with pytest.raises(
        ValueError, match="nowhere is no file, and none of held_out, published, reports"
    ):
        questions.read("nowhere")


def made_texts(texts):
    return np.stack([[1.0, 0] if "yes" in t else [0, 1.0] if "no" in t else [1, 1] for t in texts])


def test_the_score_is_the_mean_of_one_side_less_that_of_the_other():
    asked = {"f": questions.Question(("yes", "both"), ("no",)), "g": questions.Question(("yes",))}
    score = Asked(asked, made_texts).scores(np.array([[2.0, 0], [0, 3.0], [3, 4]]))
    half = 0.5**0.5
    np.testing.assert_allclose(
        score["f"], [(1 + half) / 2, half / 2 - 1, (0.6 + 1.4 * half) / 2 - 0.8]
    )
    np.testing.assert_allclose(score["g"], [1, 0, 0.6])


def test_each_wording_alone_is_as_if_there_were_no_other():
    sides = questions.Question(("yes", "both"), ("no", "both"))
    video = np.random.default_rng(0).normal(size=(9, 2))
    whole = Asked({"f": sides}, made_texts).wordings(video)["f"]
    alone = [
        questions.Question(("yes",), sides.absent),
        questions.Question(("both",), sides.absent),
        questions.Question(sides.present, ("no",)),
        questions.Question(sides.present, ("both",)),
    ]
    theirs = [Asked({"f": q}, made_texts).scores(video)["f"] for q in alone]
    np.testing.assert_allclose(whole.each(), np.stack(theirs, 1))


def test_the_best_and_the_worst_wording_are_named():
    sides = questions.Question(("yes", "no"))
    label = np.array([1.0, 1, 0, 0, np.nan])
    video = np.array([[4.0, 1], [3, 1], [1, 3], [1, 4], [9, 9]])
    found = zero_shot.sensitivity(
        Asked({"f": sides}, made_texts).wordings(video)["f"], label, sides
    )
    assert (found["best"], found["auc_best"]) == ("yes", 1.0)
    assert (found["worst"], found["auc_worst"]) == ("no", 0.0)
    assert (found["n"], found["auc_sd"]) == (2, 0.5)


# --- labels


def labelled(tmp_path, text):
    (tmp_path / LABELS_FILE).write_text(text)
    return labels.read(str(tmp_path), ["a", "b", "c", "x"])


def test_a_column_is_of_findings_of_measurements_or_of_words(tmp_path):
    found = labelled(
        tmp_path,
        "exam_id,lge,ef,disease,empty,mixed\na,1,55.5,hcm,,3\nb,0,,dcm,,n/a\nc,,41,,,2\nd,1,7,hcm,,5\n",
    )
    np.testing.assert_array_equal(found.findings["lge"], [1, 0, np.nan, np.nan])
    np.testing.assert_array_equal(found.measurements["ef"], [55.5, np.nan, 41, np.nan])
    np.testing.assert_array_equal(found.measurements["mixed"], [3, np.nan, 2, np.nan])
    assert found.classes["disease"].tolist() == ["hcm", "dcm", "", ""]
    assert (found.unlabelled, found.unreadable) == (1, 1)
    assert {*found.findings, *found.measurements, *found.classes} == {
        "lge",
        "ef",
        "mixed",
        "disease",
    }
    assert labels.labelled_ids(str(tmp_path)) == {"a", "b", "c", "d"}


def test_the_whole_file_says_of_what_kind_a_column_is(tmp_path):
    found = labelled(tmp_path, "exam_id,grade\na,1\nb,0\nc,1\nd,3\n")
    assert set(found.measurements) == {"grade"}  # though no exam here has a 3


def test_what_is_no_number_is_absent(tmp_path):
    found = labelled(tmp_path, "exam_id,lge,ef\na,nan,inf\nb,1,5\nc,0,6\n")
    np.testing.assert_array_equal(found.findings["lge"], [np.nan, 1, 0, np.nan])
    np.testing.assert_array_equal(found.measurements["ef"], [np.nan, 5, 6, np.nan])


def test_a_short_row_has_no_labels_there(tmp_path):
    found = labelled(tmp_path, "exam_id,lge,ef\na,1\nb,0,55\nc,1,60\n")
    np.testing.assert_array_equal(found.measurements["ef"], [np.nan, 55, 60, np.nan])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("exam_id,lge\na,1\nb,0\na,0\n", "has 1 exams in several rows"),
        ("exam,lge\na,1\n", "has no column exam_id"),
        ("", "has no column exam_id"),
    ],
)
def test_labels_that_do_not_say_whose_they_are_are_refused(tmp_path, text, problem):
    with pytest.raises(ValueError, match=problem):
        labelled(tmp_path, text)


# --- other models

MODEL = '''
import numpy as np

class Bright:
    """How bright, and where."""
    def __init__(self, scale="1"):
        self.scale = float(scale)
    def images(self, pictures):
        assert pictures.dtype == np.float32 and 0 <= pictures.min() <= pictures.max() <= 1
        return np.stack([pictures.mean((1, 2)), self.scale * pictures[:, 0, 0] + 1], 1)
    def texts(self, sentences):
        return np.array([[len(s), 1.0] for s in sentences])

class Short(Bright):
    def texts(self, sentences):
        return np.ones((1, 2))

def nothing():
    return 3
'''


@pytest.fixture
def code(tmp_path):
    file = tmp_path / "theirs.py"
    file.write_text(MODEL)
    return file


def test_another_model_comes_through_the_same_door(tiny, code):
    model = others.load(f"{code}:Bright:2", batch=5)
    embedded = model.exams(str(tiny), "test")
    source = ExamSource(str(tiny), "test")
    assert embedded.video.shape == (len(source), 2)
    assert [e.exam_id for e in embedded.exams] == [source[i].exam_id for i in range(len(source))]
    np.testing.assert_allclose(embedded.text[3], [len(source[3].text), 1])
    batch, _ = next(iter(model.batches(source)))
    pictures = batch.video[2][batch.frame_mask[2]][..., 0].astype(np.float32) / 255
    each = model.pictures.images(pictures)
    unit = each / np.linalg.norm(each, axis=1, keepdims=True)
    np.testing.assert_allclose(embedded.video[2], unit.mean(0), rtol=1e-5)
    assert model.scale is None


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("{}:absent", "no attribute 'absent'"),
        ("{}", "MODULE:FUNCTION or FILE.py:FUNCTION"),
        ("/nowhere/x.py:f", "FILE.py:FUNCTION"),
        ("{}:nothing", "has no method images or texts"),
    ],
)
def test_what_is_no_model_is_said(code, spec, problem):
    with pytest.raises(ValueError, match=problem):
        others.load(spec.format(code), batch=4)


def test_a_model_that_loses_rows_is_caught(code):
    model = others.load(f"{code}:Short", batch=4)
    with pytest.raises(ValueError, match="of 2 inputs the function made an array of shape"):
        model.texts(["a", "b"])
