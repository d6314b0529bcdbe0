"""How each pipeline of the benchmark is built from what it may know beforehand.

Every private model gets the same public facts where it has a parameter for them: bounds,
categories, classes, the range of the target. Whatever else it wants it finds privately,
within its budget. Parameters are those that the packages choose by themselves.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..additive import DPAdditiveClassifier, DPAdditiveRegressor
from ..cluster import DPKMeans
from ..covariance import DPEmpiricalCovariance
from ..decomposition import DPPCA
from ..ensemble import DPExtraTreesClassifier, DPExtraTreesRegressor
from ..interop import DiffprivlibEstimator, diffprivlib_model
from ..ledger import PrivacyAccountant
from ..linear_model import DPLinearRegression, DPLinearSVC, DPLogisticRegression, DPRidge
from ..naive_bayes import DPCategoricalNB, DPGaussianNB
from ..preprocessing import DPStandardScaler
from ._encoding import Facts
from ._interpret import InterpretEBM

SCALER_WEIGHT = 0.1
MOST_CATEGORIES = 254  # gradient boosting takes no more values of a category
N_CLUSTERS, N_COMPONENTS = 8, 2


@dataclass(frozen=True)
class Setting:
    """What a pipeline may know beforehand.

    Parameters
    ----------
    epsilon, delta : float
        The budget of one fit of the whole pipeline.
    facts : Facts
        Public facts about the rows, in the form that the pipeline gets.
    classes : tuple of int
        Codes of the public class labels; empty where the target is a number or there is none.
    seed : int
        Seed of noise and solvers.
    target_bounds : (float, float) or None, default=None
        Declared range of a numeric target.
    """

    epsilon: float
    delta: float
    facts: Facts
    classes: tuple[int, ...]
    seed: int
    target_bounds: tuple[float, float] | None = None

    @property
    def budget(self) -> dict[str, Any]:
        """The parameters that all private models have."""
        return {"epsilon": self.epsilon, "delta": self.delta, "random_state": self.seed}

    @property
    def target(self) -> dict[str, Any]:
        """What is declared of the target, as parameters of our models."""
        return {"classes": self.classes} if self.classes else {"y_bounds": self.target_bounds}


def logistic(setting: Setting) -> Any:
    """Logistic regression."""
    return LogisticRegression(max_iter=1000, random_state=setting.seed)


def scaled_logistic(setting: Setting) -> Any:
    """Logistic regression after a standard scaler."""
    return make_pipeline(StandardScaler(), logistic(setting))


def boosting(setting: Setting) -> Any:
    """Histogram gradient boosting."""
    kind = HistGradientBoostingClassifier if setting.classes else HistGradientBoostingRegressor
    few = (setting.facts.n_categories > 0) & (setting.facts.n_categories <= MOST_CATEGORIES)
    return kind(categorical_features=few, random_state=setting.seed)


def extra_trees(setting: Setting) -> Any:
    """Extremely randomised trees."""
    return (ExtraTreesClassifier if setting.classes else ExtraTreesRegressor)(
        random_state=setting.seed
    )


def gaussian_nb(_: Setting) -> Any:
    """Gaussian naive Bayes."""
    return GaussianNB()


def categorical_nb(setting: Setting) -> Any:
    """Naive Bayes on categories."""
    return CategoricalNB(min_categories=setting.facts.n_categories + 1)


def ridge(setting: Setting) -> Any:
    """Ridge regression."""
    return Ridge(random_state=setting.seed)


def kmeans(setting: Setting) -> Any:
    """k-means."""
    return KMeans(N_CLUSTERS, n_init=1, random_state=setting.seed)


def pca(_: Setting) -> Any:
    """Principal components."""
    return PCA(N_COMPONENTS)


def covariance(_: Setting) -> Any:
    """Covariance matrix."""
    return EmpiricalCovariance()


def dp_logistic(setting: Setting) -> Any:
    """Our logistic regression."""
    norm = setting.facts.norm
    return DPLogisticRegression(clipping_norm=norm, classes=setting.classes, **setting.budget)


def dp_scaled_logistic(setting: Setting) -> Any:
    """Our standard scaler, then our logistic regression."""
    model = make_pipeline(
        DPStandardScaler(bounds=setting.facts.range, random_state=setting.seed),
        DPLogisticRegression(classes=setting.classes, random_state=setting.seed),
    )
    budget = PrivacyAccountant(epsilon=setting.epsilon, delta=setting.delta)
    weights = {"dpstandardscaler": SCALER_WEIGHT, "dplogisticregression": 1 - SCALER_WEIGHT}
    return budget.allocate(model, weights)


def dp_linear_svc(setting: Setting) -> Any:
    """Our linear support vector machine."""
    norm = setting.facts.norm
    return DPLinearSVC(clipping_norm=norm, classes=setting.classes, **setting.budget)


def dp_linear_regression(setting: Setting) -> Any:
    """Our linear regression."""
    facts = {"clipping_norm": setting.facts.norm, **setting.target}
    return DPLinearRegression(**facts, **setting.budget)


def dp_ridge(setting: Setting) -> Any:
    """Our ridge regression."""
    return DPRidge(clipping_norm=setting.facts.norm, **setting.target, **setting.budget)


def dp_additive(setting: Setting) -> Any:
    """Our additive model."""
    facts = setting.facts
    sizes = {j: list(map(float, range(k))) for j, k in enumerate(facts.n_categories) if k}
    kind = DPAdditiveClassifier if setting.classes else DPAdditiveRegressor
    return kind(bounds=facts.bounds, categories=sizes, **setting.target, **setting.budget)


def dp_extra_trees(setting: Setting) -> Any:
    """Our extremely randomised trees."""
    kind = DPExtraTreesClassifier if setting.classes else DPExtraTreesRegressor
    categorical = setting.facts.n_categories > 0
    return kind(
        bounds=setting.facts.bounds,
        categorical_features=categorical if categorical.any() else None,
        **setting.target,
        **setting.budget,
    )


def dp_gaussian_nb(setting: Setting) -> Any:
    """Our Gaussian naive Bayes."""
    facts = setting.facts
    return DPGaussianNB(bounds=facts.range, classes=setting.classes, **setting.budget)


def dp_categorical_nb(setting: Setting) -> Any:
    """Our naive Bayes on categories."""
    sizes = setting.facts.n_categories
    return DPCategoricalNB(n_categories=sizes, classes=setting.classes, **setting.budget)


def dp_kmeans(setting: Setting) -> Any:
    """Our k-means."""
    return DPKMeans(N_CLUSTERS, bounds=setting.facts.bounds, **setting.budget)


def dp_pca(setting: Setting) -> Any:
    """Our principal components."""
    return DPPCA(N_COMPONENTS, bounds=setting.facts.bounds, **setting.budget)


def dp_covariance(setting: Setting) -> Any:
    """Our covariance matrix."""
    return DPEmpiricalCovariance(bounds=setting.facts.bounds, **setting.budget)


def _diffprivlib(name: str, setting: Setting, **params: Any) -> Any:
    model = diffprivlib_model(name, epsilon=setting.epsilon, random_state=setting.seed, **params)
    return DiffprivlibEstimator(model, claims="as-claimed")


def diffprivlib_logistic(setting: Setting) -> Any:
    """Logistic regression of diffprivlib."""
    norm = setting.facts.norm
    return _diffprivlib("LogisticRegression", setting, data_norm=norm, max_iter=1000)


def diffprivlib_gaussian_nb(setting: Setting) -> Any:
    """Gaussian naive Bayes of diffprivlib."""
    return _diffprivlib("GaussianNB", setting, bounds=setting.facts.range)


def diffprivlib_forest(setting: Setting) -> Any:
    """Random forest of diffprivlib."""
    return _trees_of_diffprivlib("RandomForestClassifier", setting)


def diffprivlib_tree(setting: Setting) -> Any:
    """Decision tree of diffprivlib."""
    return _trees_of_diffprivlib("DecisionTreeClassifier", setting)


def _trees_of_diffprivlib(name: str, setting: Setting) -> Any:
    classes = np.array(setting.classes)
    return _diffprivlib(name, setting, bounds=setting.facts.bounds, classes=classes)


def diffprivlib_linear_regression(setting: Setting) -> Any:
    """Linear regression of diffprivlib."""
    facts = {"bounds_X": setting.facts.range, "bounds_y": setting.target_bounds}
    return _diffprivlib("LinearRegression", setting, **facts)


def diffprivlib_kmeans(setting: Setting) -> Any:
    """K-means of diffprivlib."""
    bounds = setting.facts.bounds
    return _diffprivlib("KMeans", setting, n_clusters=N_CLUSTERS, bounds=bounds)


def diffprivlib_pca(setting: Setting) -> Any:
    """Principal components of diffprivlib."""
    facts = {"bounds": setting.facts.bounds, "data_norm": setting.facts.norm}
    return _diffprivlib("PCA", setting, n_components=N_COMPONENTS, **facts)


def interpret_ebm(setting: Setting) -> Any:
    """Private explainable boosting machine of interpret."""
    facts = setting.facts
    return InterpretEBM(
        bounds=facts.bounds,
        n_categories=facts.n_categories,
        regression=not setting.classes,
        target_bounds=setting.target_bounds,
        **setting.budget,
    )
