"""What the benchmark trains: private pipelines, their twins, and diffprivlib's models.

One table, `PIPELINES`. To benchmark another estimator, add a line to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..interop import CLAIM, DiffprivlibEstimator, diffprivlib_model
from ..ledger import PrivacyAccountant
from ..linear_model import DPLogisticRegression
from ..preprocessing import DPStandardScaler

OURS = "mu-GDP with proof, add-remove adjacency"
SCALER_WEIGHT = 0.1


@dataclass(frozen=True)
class Setting:
    """What a pipeline may know beforehand.

    Parameters
    ----------
    epsilon, delta : float
        The budget of one fit of the whole pipeline.
    norm : float or None
        Public bound on the norms of the encoded rows.
    classes : tuple of str
        Public class labels.
    seed : int
        Seed of noise and solvers.
    """

    epsilon: float
    delta: float
    norm: float | None
    classes: tuple[str, ...]
    seed: int

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Range of every encoded column, where ranges are declared."""
        return None if self.norm is None else (0.0, 1.0)


@dataclass(frozen=True)
class PipelineSpec:
    """One line of the benchmark.

    Parameters
    ----------
    name : str
        As given to ``--estimators``.
    guarantee : str
        The guarantee and whose word it is; empty for a non-private pipeline.
    build : callable
        Makes the unfitted pipeline from a `Setting`. Steps are calibrated already; the
        accountant is bound by the caller.
    needs_norm : bool, default=False
        Whether a public norm is needed; without it diffprivlib would read it from the
        rows.
    """

    name: str
    guarantee: str
    build: Callable[[Setting], Any]
    needs_norm: bool = False

    @property
    def private(self) -> bool:
        """Whether fits are charged to the ledger."""
        return bool(self.guarantee)


def _logistic(setting: Setting) -> Any:
    return LogisticRegression(max_iter=1000, random_state=setting.seed)


def _scaled_logistic(setting: Setting) -> Any:
    return make_pipeline(StandardScaler(), _logistic(setting))


def _dp_logistic(setting: Setting) -> Any:
    return DPLogisticRegression(
        epsilon=setting.epsilon,
        delta=setting.delta,
        clipping_norm=setting.norm,
        classes=setting.classes,
        random_state=setting.seed,
    )


def _dp_scaled_logistic(setting: Setting) -> Any:
    model = make_pipeline(
        DPStandardScaler(bounds=setting.bounds, random_state=setting.seed),
        DPLogisticRegression(classes=setting.classes, random_state=setting.seed),
    )
    budget = PrivacyAccountant(epsilon=setting.epsilon, delta=setting.delta)
    weights = {"dpstandardscaler": SCALER_WEIGHT, "dplogisticregression": 1 - SCALER_WEIGHT}
    return budget.allocate(model, weights)


def _diffprivlib(name: str, setting: Setting, **params: Any) -> Any:
    model = diffprivlib_model(name, epsilon=setting.epsilon, random_state=setting.seed, **params)
    return DiffprivlibEstimator(model, claims="as-claimed")


def _diffprivlib_logistic(setting: Setting) -> Any:
    return _diffprivlib("LogisticRegression", setting, data_norm=setting.norm, max_iter=1000)


def _diffprivlib_naive_bayes(setting: Setting) -> Any:
    return _diffprivlib("GaussianNB", setting, bounds=setting.bounds)


PIPELINES: dict[str, PipelineSpec] = {
    spec.name: spec
    for spec in (
        PipelineSpec("logistic", "", _logistic),
        PipelineSpec("scaled-logistic", "", _scaled_logistic),
        PipelineSpec("dp-logistic", OURS, _dp_logistic),
        PipelineSpec("dp-scaled-logistic", OURS, _dp_scaled_logistic),
        PipelineSpec("diffprivlib-logistic", CLAIM, _diffprivlib_logistic, needs_norm=True),
        PipelineSpec("diffprivlib-naive-bayes", CLAIM, _diffprivlib_naive_bayes, needs_norm=True),
    )
}
