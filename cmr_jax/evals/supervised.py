"""What frozen features tell once labels are known: linear models whose penalty is chosen inside the
training rows, patient by patient."""

import warnings

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 3
INVERSE_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)


def logistic(
    known: Float[np.ndarray, "m e"],
    label: np.ndarray,
    patient: np.ndarray,
    unseen: Float[np.ndarray, "n e"],
) -> np.ndarray:
    """Scores of unseen rows: (n,) log odds of two classes, (n, classes) probabilities of more.

    The penalty is that of the best likelihood over folds that part patients; with too few of a class
    for folds, the strongest.
    """
    classes, count = np.unique(label, return_counts=True)
    folds = min(FOLDS, _fewest_patients(label, patient))
    model = make_pipeline(StandardScaler(), LogisticRegression(C=INVERSE_PENALTIES[0]))
    if folds >= 2 and count.min() >= 2:
        model = GridSearchCV(
            model,
            {"logisticregression__C": INVERSE_PENALTIES},
            scoring="neg_log_loss",
            cv=StratifiedGroupKFold(folds),
        )
    fitted = _fitted(model, known, label, patient)
    return (fitted.decision_function if len(classes) == 2 else fitted.predict_proba)(unseen)


def linear(
    known: Float[np.ndarray, "m e"],
    value: Float[np.ndarray, " m"],
    patient: np.ndarray,
    unseen: Float[np.ndarray, "n e"],
) -> Float[np.ndarray, " n"]:
    """Predictions of a measurement by ridge regression."""
    search = GridSearchCV(
        make_pipeline(StandardScaler(), Ridge()),
        {"ridge__alpha": PENALTIES},
        scoring="neg_mean_absolute_error",
        cv=GroupKFold(min(FOLDS, len(np.unique(patient)))),
    )
    return _fitted(search, known, value, patient).predict(unseen)


def _fitted(model, known, target, patient):
    with warnings.catch_warnings():
        # What has not settled after a hundred rounds is as good a candidate as any, and one that a
        # fold cannot tell of is none.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message=".*(non-finite|Only one class).*")
        if isinstance(model, GridSearchCV):
            return model.fit(known, target, groups=patient)
        return model.fit(known, target)


def _fewest_patients(label: np.ndarray, patient: np.ndarray) -> int:
    return min(len(np.unique(patient[label == c])) for c in np.unique(label))
