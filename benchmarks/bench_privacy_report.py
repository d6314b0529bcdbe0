"""What a privacy report costs beside the shadow models it needs, and what it finds.

python benchmarks/bench_privacy_report.py [REPEATS]

Adult, 1000 members and 1000 non-members, 16 shadow models. `ratio` is the CPU time of
`privacy_report` over that of 16 bare fits of clones on 1000 of the rows, in turn in one
process, the median over REPEATS; areas and rates are means over splits, with the standard
deviation of the area.
"""

import sys
import time
import warnings

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skprivacy
from skprivacy.datasets import load_adult
from skprivacy.inspection import privacy_report

N_ROWS = 1000
N_SHADOW = 16
MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "naive Bayes": GaussianNB(),
    "5 neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(5)),
    "tree of depth 6": DecisionTreeClassifier(max_depth=6),
    "forest of 50": RandomForestClassifier(50),
    "forest of 50, leaves of 10": RandomForestClassifier(50, min_samples_leaf=10),
    "gradient boosting": HistGradientBoostingClassifier(),
}


def table() -> tuple[np.ndarray, np.ndarray]:
    """Return Adult as numbers: the numeric columns, and one column for each category."""
    data = load_adult(as_frame=True)
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude="number")),
        remainder="passthrough",
    )
    return np.asarray(encode.fit_transform(data.data), dtype=float), data.target.to_numpy()


def main(repeats: int) -> None:
    """Print the table."""
    X, y = table()
    print(
        f"skprivacy {skprivacy.__version__}, scikit-learn {sklearn.__version__}, "
        f"seeds 0 to {repeats - 1}, {N_ROWS} + {N_ROWS} rows of Adult, {N_SHADOW} shadow models"
    )
    heading = ("model", "train", "test", "loss AUC", "worst AUC", "sd", "TPR@1%", "ratio")
    print("{:28s} {:>6s} {:>6s} {:>9s} {:>10s} {:>6s} {:>7s} {:>6s}".format(*heading))
    for name, model in MODELS.items():
        rows = []
        for seed in range(repeats):
            order = np.random.default_rng(seed).permutation(y.size)[: 2 * N_ROWS]
            members, others = order[:N_ROWS], order[N_ROWS:]
            target = clone(model).fit(X[members], y[members])
            start = time.process_time()
            for k in range(N_SHADOW):
                half = np.random.default_rng(k).permutation(order)[:N_ROWS]
                clone(model).fit(X[half], y[half])
            bare = time.process_time() - start
            start = time.process_time()
            report = privacy_report(
                target,
                X[members],
                y[members],
                X[others],
                y[others],
                n_shadow=N_SHADOW,
                random_state=seed,
            )
            ratio = (time.process_time() - start) / bare
            worst = report.attacks[report.worst]
            rows.append(
                (
                    report.train_score,
                    report.test_score,
                    report.attacks["loss"].roc_auc,
                    worst.roc_auc,
                    worst.tpr_at_fpr[0.01],
                    ratio,
                )
            )
        train, test, loss, auc, tpr, ratios = np.array(rows).T
        print(
            f"{name:28s} {train.mean():6.3f} {test.mean():6.3f} {loss.mean():9.3f} "
            f"{auc.mean():10.3f} {auc.std():6.3f} {tpr.mean():7.3f} {np.median(ratios):6.2f}"
        )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the report's own notes on each model
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
