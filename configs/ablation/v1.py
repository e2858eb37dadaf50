"""The benchmark `phantom:v1`: the published recipe and ours, and what each part of ours is worth.

    for site in v1 v1-elsewhere; do
        python -m data_prep.build --dicom phantom:$site --site $site --out runs/$site \\
            --spacing-mm 2.0 --size 64 --vocabulary 768
    done
    python -m cmr_jax.ablate run --study=configs/ablation/v1.py --data=runs/v1 \\
        --external=elsewhere=runs/v1-elsewhere --out=runs/ablation --results=configs/ablation/results
    python -m cmr_jax.ablate table --study=configs/ablation/v1.py --results=configs/ablation/results

The published recipe and ours were tuned by as many trials each, on the validation exams; every other
choice was made there too, and test exams were looked at last.
"""

from cmr_jax.config.study import Arm, Study

PUBLISHED = "configs/ablation/published.py"
OURS = "configs/ablation/ours.py"

PUBLISHED_TRIALS = (
    Arm("published_lr_5e_4", "rate 5e-4", PUBLISHED, ("optim.lr=5e-4", "optim.lr_start=2e-4")),
    Arm("published_lr_1e_3", "rate 1e-3", PUBLISHED, ("optim.lr=1e-3", "optim.lr_start=3e-4")),
    Arm("published_lr_2e_3", "rate 2e-3", PUBLISHED, ("optim.lr=2e-3", "optim.lr_start=7e-4")),
    Arm("published_lr_4e_3", "rate 4e-3", PUBLISHED, ("optim.lr=4e-3", "optim.lr_start=1e-3")),
)
OUR_TRIALS = (
    Arm("ours_lr_1e_3", "rate 1e-3", OURS, ("optim.lr=1e-3",)),
    Arm("ours_lr_2e_3", "rate 2e-3", OURS, ("optim.lr=2e-3",)),
    Arm("ours_lr_4e_3", "rate 4e-3", OURS, ("optim.lr=4e-3",)),
)


def get_study() -> Study:
    """Arms in the order in which they are told."""
    return Study("v1", "phantom:v1 and phantom:v1-elsewhere", (*PUBLISHED_TRIALS, *OUR_TRIALS))
