"""The benchmark `phantom:v1`: the published recipe and ours, and what each part of ours is worth.

    for site in v1 v1-elsewhere; do
        python -m data_prep.build --dicom phantom:$site --site $site --out runs/$site \\
            --spacing-mm 2.0 --size 64 --vocabulary 768
    done
    python -m cmr_jax.alike --data=runs/v1 --out=runs/v1/alike.csv
    python -m cmr_jax.ablate run --study=configs/ablation/v1.py --data=runs/v1 \\
        --external=elsewhere=runs/v1-elsewhere --out=runs/ablation --results=configs/ablation/results
    python -m cmr_jax.ablate table --study=configs/ablation/v1.py --results=configs/ablation/results

The validation exams chose: the rate of the published recipe among six, and three changes of it, to the
best of which a rate, a batch and a decay were tried once more; the rate of ours among three, and what is
in our recipe, among all that was tried on top of `ours`.
"""

from cmr_jax.config.study import Arm, Curve, Study

PUBLISHED = "configs/ablation/published.py"
OURS = "configs/ablation/ours.py"

OURS_AT = 2e-3  # the rate of OURS

FINDINGS = (
    "model.outputs=('lv_dilation','lv_dysfunction','lv_hypertrophy','rv_dilation','rv_dysfunction',"
    "'aortic_dilation','pericardial_effusion','lge','infarct','nonischemic_lge','amyloidosis','hcm',"
    "'dcm')"
)
NUMBERS = (
    "model.numbers=('lv_ef_percent','rv_ef_percent','lv_edvi_ml_m2','rv_edvi_ml_m2','lv_wall_mm',"
    "'aorta_mm','effusion_mm')"
)

UNCROPPED = ("data.augment=False",)
LESS_AUGMENTED = (
    "data.rotate_deg=10.0",
    "data.shift=2",
    "data.zoom=0.02",
    "data.gain=0.075",
    "data.offset=0.025",
    "data.bias_field=0.1",
    "data.noise=0.01",
)

PUBLISHED_TRIALS = (
    Arm("published_lr_15e_5", "rate 1.5e-4", PUBLISHED, ("optim.lr=1.5e-4", "optim.lr_start=5e-5")),
    Arm("published", "the published recipe, rate 3e-4", PUBLISHED, whole=True),
    Arm("published_lr_5e_4", "rate 5e-4", PUBLISHED, ("optim.lr=5e-4", "optim.lr_start=2e-4")),
    Arm("published_lr_1e_3", "rate 1e-3", PUBLISHED, ("optim.lr=1e-3", "optim.lr_start=3e-4")),
    Arm("published_lr_2e_3", "rate 2e-3", PUBLISHED, ("optim.lr=2e-3", "optim.lr_start=7e-4")),
    Arm("published_lr_4e_3", "rate 4e-3", PUBLISHED, ("optim.lr=4e-3", "optim.lr_start=1e-3")),
    Arm(
        "published_uncropped",
        "pictures neither cropped nor flipped: the best of the published recipe",
        PUBLISHED,
        UNCROPPED,
        seeds=3,
        beside="published",
        whole=True,
    ),
    Arm(
        "published_batch_32",
        "batch 32, half the steps",
        PUBLISHED,
        ("data.batch=32", "optim.steps=740", "optim.warmup_steps=37", "optim.hold=37"),
        beside="published",
    ),
    Arm(
        "published_decay",
        "weight decay 0.1",
        PUBLISHED,
        ("optim.weight_decay=0.1",),
        beside="published",
    ),
    Arm(
        "published_uncropped_lr_5e_4",
        "uncropped, rate 5e-4",
        PUBLISHED,
        (*UNCROPPED, "optim.lr=5e-4", "optim.lr_start=2e-4"),
        beside="published_uncropped",
    ),
    Arm(
        "published_uncropped_batch_8",
        "uncropped, batch 8, twice the steps",
        PUBLISHED,
        (
            *UNCROPPED,
            "data.batch=8",
            "optim.steps=3000",
            "optim.warmup_steps=150",
            "optim.hold=150",
        ),
        beside="published_uncropped",
    ),
    Arm(
        "published_uncropped_decay",
        "uncropped, weight decay 0.1",
        PUBLISHED,
        (*UNCROPPED, "optim.weight_decay=0.1"),
        beside="published_uncropped",
    ),
)
OUR_TRIALS = (
    Arm("ours_lr_1e_3", "rate 1e-3", OURS, ("optim.lr=1e-3",)),
    Arm("ours", f"rate {OURS_AT:g}", OURS),
    Arm("ours_lr_4e_3", "rate 4e-3", OURS, ("optim.lr=4e-3",)),
)


def added(name: str, what: str, *changes: str, **more) -> Arm:
    """Ours with one thing more, or another in its place."""
    return Arm(name, what, OURS, changes, beside="ours", **more)


WORDS = (
    added("said", "positives: whose reports say all that a text says", "positives=said"),
    added(
        "said_known",
        "the same; texts that a report neither says nor denies do not count",
        "positives=said",
        "contrast.ignore_unsaid=True",
    ),
    added(
        "untrue",
        "said, and a text that is untrue in one thing",
        "positives=said",
        "data.untrue_text=True",
    ),
    added(
        "rephrased",
        "said, and sentences in other words by 0.3",
        "positives=said",
        "data.rephrase=0.3",
    ),
    added(
        "sentences_said",
        "positives: said, of sentences alone; impressions are to be found again",
        "positives=sentences",
    ),
    added(
        "alike",
        "the same, and near-duplicate impressions (cmr_jax.alike) are positives",
        "positives=sentences",
        "data.groups={data}/alike.csv",
    ),
    added("own_text", "positives: the exam's own texts alone", "positives=self"),
    added("whole_texts", "whole impressions alone, no sentences", "data.texts=1"),
    added("as_dictated", "sentences in their own order", "data.shuffle_sentences=False"),
    added(
        "sentences_dropped",
        "each sentence of an impression left out by 0.3",
        "data.drop_sentences=0.3",
    ),
)
HEADS = (
    added(
        "findings_head",
        "a head tells findings that reports state, weight 0.3",
        FINDINGS,
        "contrast.findings=0.3",
    ),
    added(
        "numbers_head",
        "a head tells numbers that reports state, weight 0.3",
        NUMBERS,
        "contrast.numbers=0.3",
    ),
)
PICTURES = (
    added("pool_views", "attention to each stack, then over stacks", "model.video.pool=views"),
    added("pool_cls", "one token of the clip", "model.video.pool=cls"),
    added("registers", "two tokens more in each frame", "model.video.registers=2"),
    added("systole", "end-systole always among the moments", "data.clip.moments=systole"),
    added("same_frames", "the same slices and moments each time", "data.clip.vary=False"),
    added("views_hidden", "each stack hidden by 0.2", "data.view_dropout=0.2"),
    added("no_augmentation", "pictures as stored", "data.augment=False"),
    added(
        "less_augmentation",
        "turns up to 10 degrees, all other changes of pictures half as large",
        *LESS_AUGMENTED,
    ),
    added("size_lost", "zoom by up to 0.3: size is no size any more", "data.zoom=0.3"),
    added(
        "frame_numbers",
        "frames by their number, not by what the scanner knew",
        "model.video.frame_code=index",
    ),
    added("time_dead", "attention over frames as published: dead", "model.video.time_init=zeros"),
    added("time_mean", "a mean over frames", "model.video.time=mean"),
    added(
        "time_from_nothing",
        "attention over frames that starts as the identity",
        "model.video.time_init=identity",
    ),
    added("linear_stem", "patches by one projection", "model.video.stem=linear"),
    added("patches_dropped", "a quarter of places left out", "model.video.patch_dropout=0.25"),
    added("frames_dropped", "a quarter of frames left out", "model.video.frame_dropout=0.25"),
    Arm(
        "masked",
        "hidden places of pictures predicted from the rest, no reports",
        OURS,
        (
            "objective=masked_frames",
            "model.video.restores=True",
            "optim.frozen=text/.*|logit_.*",
        ),
    ),
    added(
        "from_masked",
        "the video tower starts from there",
        start="masked",
    ),
)
LEARNING = (
    added(
        "sigmoid",
        "sigmoid loss",
        "loss=sigmoid",
        "model.initial_scale=10.0",
        "model.initial_bias=-10.0",
    ),
    added("batch_8", "batch 8, four times the steps", "data.batch=8", "optim.steps=1600"),
    added("batch_16", "batch 16, twice the steps", "data.batch=16", "optim.steps=800"),
    added(
        "batch_64",
        "batch 64, half the steps",
        "data.batch=64",
        "optim.steps=200",
        "optim.warmup_steps=20",
    ),
    added(
        "batch_128",
        "batch 128, a quarter of the steps",
        "data.batch=128",
        "optim.steps=100",
        "optim.warmup_steps=10",
    ),
    added(
        "batch_512",
        "batch 512 in sixteen parts, a sixteenth of the steps",
        "data.batch=512",
        "data.micro_batch=32",
        "optim.steps=25",
        "optim.warmup_steps=3",
    ),
    added("averaged", "a running mean of parameters, 0.98", "optim.ema=0.98"),
    added("cold", "temperature starts at 0.14", "model.initial_scale=7.0"),
    added("text_locked", "the text tower as it starts", "optim.frozen=text/(?!project).*"),
)

TOGETHER = ("data.rephrase=0.3", "data.clip.moments=systole")
STEPS = ("data.batch=16", "optim.steps=800")
RECIPE = ("positives=sentences", *TOGETHER, *LESS_AUGMENTED, *STEPS)


def without(name: str, what: str, left_out: tuple[str, ...], *changes: str) -> Arm:
    """The recipe less some of it; OURS has what stands there then."""
    kept = tuple(change for change in RECIPE if change not in left_out)
    return Arm(f"without_{name}", what, OURS, (*kept, *changes), seeds=3, beside="recipe")


GROWN = {"published_uncropped": (PUBLISHED, UNCROPPED), "recipe": (OURS, RECIPE)}
FEWER = {"published_uncropped": (250, 500, 1000), "recipe": (60, 125, 250, 500, 1000)}
FROM_FEWER = tuple(
    Arm(f"{name}_{n}", f"{name}, from {n} exams", config, (*changes, f"data.most_exams={n}"))
    for name, (config, changes) in GROWN.items()
    for n in FEWER[name]
)
# What varies is there for exams that are seen often: 6 times in a run over 2,000 exams, 51 over 250.
SEEN_OFTEN = tuple(
    Arm(
        f"seen_often_{name}",
        f"from 250 exams, {what}",
        OURS,
        (*RECIPE, "data.most_exams=250", change),
        beside="recipe_250",
    )
    for name, what, change in (
        ("same_frames", "the same slices and moments each time", "data.clip.vary=False"),
        ("as_dictated", "sentences in their own order", "data.shuffle_sentences=False"),
        ("no_augmentation", "pictures as stored", "data.augment=False"),
    )
)
CURVES = tuple(
    Curve(name, (*((n, f"{name}_{n}") for n in FEWER[name]), (2000, name))) for name in GROWN
)
HEADLINE = (
    Arm(
        "recipe",
        "our recipe: sentences are positives of all who say so, said otherwise by 0.3, end-systole "
        "never missed, pictures little changed, batch 16",
        OURS,
        RECIPE,
        seeds=3,
        beside="published_uncropped",
        whole=True,
    ),
    Arm(
        "recipe_complete",
        "the same, from complete exams alone, as the published one",
        OURS,
        (*RECIPE, "data.complete_only=True"),
        seeds=3,
        beside="published_uncropped",
        whole=True,
    ),
)
WITHOUT = (
    without("said", "positives by their own words", ("positives=sentences",)),
    without("rephrased", "in the reports' words alone", ("data.rephrase=0.3",)),
    without("systole", "moments equally far apart", ("data.clip.moments=systole",)),
    without("gentleness", "pictures changed as in `ours`", LESS_AUGMENTED),
    without("steps", "batch 32, half the steps", STEPS),
    without("sentences", "whole impressions alone", (), "data.texts=1"),
)
COMBINED = (
    added(
        "said_together",
        "said, rephrased, systole, pictures as stored",
        "positives=said",
        *TOGETHER,
        "data.augment=False",
    ),
    added(
        "sentences_together",
        "said of sentences, rephrased, systole, pictures as stored",
        "positives=sentences",
        *TOGETHER,
        "data.augment=False",
    ),
)


def get_study() -> Study:
    """Arms in the order in which they are told."""
    arms = (
        *PUBLISHED_TRIALS,
        *HEADLINE,
        *WITHOUT,
        *FROM_FEWER,
        *SEEN_OFTEN,
        *OUR_TRIALS,
        *WORDS,
        *HEADS,
        *PICTURES,
        *LEARNING,
        *COMBINED,
    )
    data = "phantom:v1 and phantom:v1-elsewhere"
    return Study("v1", data, arms, headline=("recipe", "recipe_complete"), curves=CURVES)
