"""Membership inference from labels alone.

How far a row lies from the decision boundary can be felt without confidences: ask about
noisy copies of the row and count how many keep its label. Members lie deeper in their
class. The count, on the logit scale, then takes the place of the confidence in the
likelihood ratio attack. A model that shows only labels hides less than it seems to.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import check_random_state

from ._attack import Array, MembershipAttack, Probe
from ._membership import shadow_array
from ._rows import Pool
from ._scores import lira_scores
from ._shadow import LARGEST_SEED, check_number
from ._signals import CLIP
from ._view import View

NOISES = (0.05, 0.1, 0.2, 0.4, 0.8)
KEPT = 0.93
"""Share of copies of rightly predicted rows that automatic noise aims to keep right; between
.9 and .96 the attack was strongest on linear models, trees and forests alike."""
TRIAL_QUERIES = 4


@dataclass(frozen=True, eq=False)
class NoisyCopies:
    """Asks a model for the labels of noisy copies of rows, the same copies of every model.

    A number gets Gaussian noise in proportion to its column's standard deviation (rounded,
    where the column is of whole numbers); anything else, and numbers in columns of one or
    two values, is now and then replaced by the value of another row.

    Parameters
    ----------
    X : array-like or data frame of n_rows rows
        The rows.
    y : ndarray of shape (n_rows,)
        Their labels.
    n_queries : int
        Copies of each row.
    noise : float
        Noise in standard deviations, and probability of a replacement.
    seed : int
        Draws the copies.
    """

    X: Any
    y: NDArray[Any]
    n_queries: int
    noise: float
    seed: int

    def __call__(self, model: Any) -> Array:
        """Return log odds of the copies that keep the label, of shape (n_rows,)."""
        kept = self.kept(model)
        return np.log((kept + 0.5) / (self.n_queries - kept + 0.5))

    def kept(self, model: Any) -> NDArray[np.int64]:
        """Return how many copies of each row have its label."""
        kept = np.zeros(self.y.size, dtype=np.int64)
        for query in range(self.n_queries):
            kept += np.asarray(model.predict(self.copy(query))) == self.y
        return kept

    def copy(self, query: int) -> Any:
        """Return one noisy copy of all rows, in their container."""
        random = np.random.default_rng((self.seed, query))
        X = self.X
        if hasattr(X, "columns"):
            columns = {name: _noisy(np.asarray(X[name]), self.noise, random) for name in X.columns}
            if type(X).__module__.startswith("polars"):
                return type(X)(columns, schema=X.schema)
            return type(X)(columns, index=X.index, columns=X.columns).astype(X.dtypes)
        X = np.asarray(X)
        noisy = [_noisy(X[:, column], self.noise, random) for column in range(X.shape[1])]
        return np.stack(noisy, axis=1).astype(X.dtype, copy=False)


def _noisy(values: NDArray[Any], noise: float, random: np.random.Generator) -> NDArray[Any]:
    """Return a column with noise."""
    if values.dtype.kind not in "iuf" or np.unique(values).size <= 2:
        other = random.integers(values.size, size=values.size)
        replaced = random.random(values.size) < noise
        return np.where(replaced, values[other], values)
    noisy = values + noise * np.nanstd(values) * random.standard_normal(values.size)
    return noisy if values.dtype.kind == "f" else np.rint(noisy).astype(values.dtype)


class LabelOnlyAttack(MembershipAttack):
    """Compare how stable the model's label of a row is under noise with shadow models.

    For models that answer with labels alone, and to show what hiding confidences leaves:
    each row is asked about in noisy copies, and the log odds of the copies that keep its
    label are put to the likelihood ratio attack. It is for classifiers of dense rows.

    Parameters
    ----------
    n_queries : int, default=48
        Noisy copies of each row.
    noise : float or "auto", default="auto"
        Noise of numbers in standard deviations of their column, and probability that any
        other value is replaced by another row's. "auto": the value of a small grid at which
        most copies (.93) of rightly predicted rows are still right.
    n_shadow : int, default=16
        Number of shadow models.
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the copies, the halves of the shadow models, and their seeds.
    clip : float, default=1e-6
        Of no use to this attack; in other attacks on the same shadow models, probabilities
        are clipped to [clip, 1 - clip].
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Attributes
    ----------
    member_scores_, nonmember_scores_ : ndarray of shape (n_rows,)
        Scores of rows, high for members.
    roc_auc_ : float
        Area under the ROC curve.
    advantage_ : float
        Largest true less false positive rate.
    result_ : AttackResult
        The same and more.

    See Also
    --------
    GapAttack : One query a row, and no shadow models.
    LiRAAttack : The same comparison of confidences.

    References
    ----------
    Choquette-Choo, Tramer, Carlini and Papernot, "Label-Only Membership Inference Attacks",
    ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.svm import LinearSVC
    >>> from skprivacy.attacks import LabelOnlyAttack
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LinearSVC(C=0.01).fit(X[:200], y[:200])
    >>> attack = LabelOnlyAttack(n_shadow=8, random_state=0)
    >>> attack.fit(model, X[:200], y[:200], X[200:], y[200:]).roc_auc_ > 0.65
    True
    """

    name = "label-only"
    _shadowed = True
    _for_labels = True

    def __init__(
        self,
        *,
        n_queries: int = 48,
        noise: float | str = "auto",
        n_shadow: int = 16,
        n_jobs: int | None = None,
        random_state: Any = None,
        clip: float = CLIP,
        verbose: bool = False,
    ) -> None:
        self.n_queries = n_queries
        self.noise = noise
        self.n_shadow = n_shadow
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.clip = clip
        self.verbose = verbose

    def probe(self, model: Any, pool: Pool) -> Probe | None:
        """Return the question about noisy copies.

        Parameters
        ----------
        model : estimator
            The target, on which automatic noise is chosen.
        pool : Pool
            Members and non-members.

        Returns
        -------
        callable
            Takes a model and returns an array of shape (n_rows,).
        """
        return noisy_copies(
            model,
            pool.X,
            pool.y,
            n_queries=self.n_queries,
            noise=self.noise,
            random_state=self.random_state,
        )

    def scores(self, view: View) -> Array:
        """Return log likelihood ratios of the labels' stability.

        Parameters
        ----------
        view : View
            Signals of a target and of shadow models, with this attack's probe.

        Returns
        -------
        ndarray of shape (n_rows,)
            Scores.
        """
        if view.target_probe is None or view.shadow_probe is None:
            raise ValueError(
                "The shadow models were not asked about noisy copies. Leave shadow_models to "
                "the attack, or fit them with probe=noisy_copies(...)."
            )
        return lira_scores(view.target_probe, view.shadow_probe, shadow_array(view.inside))


def is_table(X: Any) -> bool:
    """Whether rows are a dense table, of which noisy copies can be made."""
    return not sparse.issparse(X) and (hasattr(X, "columns") or np.ndim(X) == 2)


def noisy_copies(
    model: Any,
    X: Any,
    y: Any,
    *,
    n_queries: int = 48,
    noise: float | str = "auto",
    random_state: Any = None,
) -> NoisyCopies:
    """Return the probe that `LabelOnlyAttack` needs of shadow models.

    Parameters
    ----------
    model : estimator
        A fitted model, on which automatic noise is chosen.
    X : array-like or data frame of n_rows rows
        Members and, below them, non-members; dense.
    y : array-like of shape (n_rows,)
        Their labels.
    n_queries : int, default=48
        Noisy copies of each row.
    noise : float or "auto", default="auto"
        As in `LabelOnlyAttack`.
    random_state : int, RandomState instance or None, default=None
        Draws the copies.

    Returns
    -------
    callable
        Takes a model and returns an array of shape (n_rows,); for `ShadowModels.fit`.

    Raises
    ------
    ValueError
        If a parameter is wrong, or the rows are sparse or no table.
    """
    check_number("n_queries", n_queries, 1)
    if noise == "auto":
        sizes: tuple[float, ...] = NOISES
    elif isinstance(noise, (int, float)) and not isinstance(noise, bool) and noise > 0:
        sizes = (float(noise),)
    else:
        raise ValueError(
            f"noise must be 'auto' or a float in the range (0, inf). Got {noise!r} instead."
        )
    if not is_table(X):
        raise ValueError("Noisy copies are of dense tables of rows and columns: densify X first.")
    seed = int(check_random_state(random_state).randint(LARGEST_SEED))
    y = np.asarray(y)
    if len(sizes) == 1:
        return NoisyCopies(X, y, n_queries, sizes[0], seed)
    right = np.asarray(model.predict(X)) == y
    trials = [NoisyCopies(X, y, TRIAL_QUERIES, size, seed) for size in sizes]
    kept = [
        trial.kept(model)[right].mean() / TRIAL_QUERIES if right.any() else 1 for trial in trials
    ]
    best = int(np.argmin(np.abs(np.array(kept) - KEPT)))
    return NoisyCopies(X, y, n_queries, sizes[best], seed)
