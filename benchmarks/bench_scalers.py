"""Private scalers on Adult: errors of means and scales, and fit time, beside diffprivlib's.

python benchmarks/bench_scalers.py [REPEATS]

All get the data's own range as bounds (a benchmark's licence, no private practice), but
for the rows "found privately". The error of a mean is in standard deviations of its
column, that of a scale is the absolute logarithm of its ratio to the true one.
diffprivlib's claim is pure epsilon, its adjacency unstated; ours is (epsilon, 1e-6).
"""

import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
from sklearn.base import clone
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from skprivacy import PrivacyAccountant
from skprivacy.datasets import load_adult
from skprivacy.interop import load_diffprivlib
from skprivacy.preprocessing import DPStandardScaler

N_ROWS = 30_000
DELTA = 1e-6
NUMBERS = ["age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week"]
CODES = ["marital_status", "relationship", "race", "sex"]


def tables() -> dict[str, np.ndarray]:
    """Return the two encodings: ten numbers and codes, or numbers and one-hot columns."""
    frame = load_adult(as_frame=True).data.iloc[:N_ROWS]
    numbers = frame[NUMBERS].to_numpy(dtype=float)
    codes = OrdinalEncoder().fit_transform(frame[CODES])
    texts = frame.drop(columns=NUMBERS).astype(object).fillna("missing")
    one_hot = OneHotEncoder(sparse_output=False).fit_transform(texts)
    return {
        "10 columns": np.hstack([numbers, codes]),
        f"{6 + one_hot.shape[1]} columns": np.hstack([numbers, one_hot]),
    }


def errors(
    fit: Callable[[], object], X: np.ndarray, repeats: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return errors of means and of scales, of shape (repeats, columns), and milliseconds."""
    exact = StandardScaler().fit(X)
    means, scales, times = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        scaler = fit()
        times.append(time.perf_counter() - start)
        means.append(np.abs(scaler.mean_ - exact.mean_) / exact.scale_)
        scales.append(np.abs(np.log(scaler.scale_ / exact.scale_)))
    return np.array(means), np.array(scales), 1e3 * float(np.median(times))


def main(repeats: int) -> None:
    """Print the table."""
    models = load_diffprivlib().models
    heading = f"{'':12s} {'eps':>4s}  {'scaler':32s} {'mean: median':>13s} {'max':>7s} {'sd':>7s}"
    print(f"{heading} {'scale: median':>14s} {'max':>7s} {'ms':>7s}")
    for name, X in tables().items():
        bounds = X.min(axis=0), np.maximum(X.max(axis=0), X.min(axis=0) + 1e-9)
        for epsilon in (0.1, 1.0):
            ours = DPStandardScaler(epsilon, DELTA, bounds=bounds)
            peer = models.StandardScaler(epsilon=epsilon, bounds=bounds)
            replace_one = PrivacyAccountant(delta=1.0 - 1e-9, adjacency="replace-one")
            contenders = {
                "DPStandardScaler, add-remove": ours,
                "DPStandardScaler, replace-one": clone(ours).set_params(accountant=replace_one),
                "DPStandardScaler, found privately": clone(ours).set_params(bounds=None),
                "diffprivlib StandardScaler": peer,
            }
            for label, scaler in contenders.items():
                means, scales, milliseconds = errors(
                    lambda scaler=scaler, X=X: clone(scaler).fit(X), X, repeats
                )
                print(
                    f"{name:12s} {epsilon:4.1f}  {label:32s} {np.median(means):13.4f} "
                    f"{means.max():7.3f} {means.std():7.4f} {np.median(scales):14.4f} "
                    f"{scales.max():7.3f} {milliseconds:7.1f}"
                )


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # diffprivlib's of its leaks
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
