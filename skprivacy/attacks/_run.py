"""Several attacks at once, on signals and shadow models that they share."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ._attack import (
    MembershipAttack,
    check_shadows,
    checked_population,
    fit_shadows,
    is_confident,
)
from ._label_only import LabelOnlyAttack, is_table
from ._membership import CalibratedAttack, GapAttack, LiRAAttack, LossAttack, RMIAAttack
from ._notes import checked_target, data_notes, rate_note
from ._result import FPR, AttackResult
from ._rows import Pool
from ._shadow import ShadowModels, check_number
from ._signals import CLIP, Signals, check_clip
from ._view import View

ATTACKS = ("loss", "gap", "lira", "rmia")

BY_NAME: dict[str, Callable[[], MembershipAttack]] = {
    "loss": LossAttack,
    "gap": GapAttack,
    "calibrated": CalibratedAttack,
    "lira": LiRAAttack,
    "lira-offline": partial(LiRAAttack, online=False),
    "rmia": RMIAAttack,
    "rmia-offline": partial(RMIAAttack, online=False),
    "label-only": LabelOnlyAttack,
}


def run_attacks(
    model: Any,
    X_member: Any,
    y_member: Any,
    X_nonmember: Any,
    y_nonmember: Any,
    *,
    attacks: Iterable[str | MembershipAttack] = ATTACKS,
    n_shadow: int = 16,
    shadow_models: ShadowModels | None = None,
    X_population: Any = None,
    y_population: Any = None,
    fpr: Sequence[float] = FPR,
    clip: float = CLIP,
    n_jobs: int | None = None,
    random_state: Any = None,
    verbose: bool = False,
) -> tuple[dict[str, AttackResult], list[str]]:
    """Run membership attacks on a fitted model, which is not fitted again.

    Parameters
    ----------
    model : estimator
        The fitted target, a classifier or regressor.
    X_member, y_member : array-like
        Rows that it was fitted on.
    X_nonmember, y_nonmember : array-like
        Rows of the same kind that it never saw.
    attacks : iterable of str or attack, default=("loss", "gap", "lira", "rmia")
        Names, also "calibrated", "lira-offline", "rmia-offline" and "label-only", or
        instances of the classes. Those that don't apply to a model of this kind are left
        out; for a model that answers with labels alone "label-only" takes their place.
    n_shadow : int, default=16
        Number of shadow models; 0 runs only the attacks that need none.
    shadow_models : ShadowModels, default=None
        Shadow models fitted on the members and, below them, the non-members.
    X_population, y_population : array-like, default=None
        Further rows that the model never saw, to compare with. None: the non-members.
    fpr : sequence of float, default=(0.01, 0.001)
        False positive rates to report at.
    clip : float, default=1e-6
        Probabilities are clipped to [clip, 1 - clip].
    n_jobs : int, default=None
        Shadow models fitted at the same time.
    random_state : int, RandomState instance or None, default=None
        Draws the halves of the shadow models, and their seeds.
    verbose : bool, default=False
        Whether to draw a progress bar even where standard error is no terminal.

    Returns
    -------
    results : dict of str to AttackResult
        Results by name, in the order asked for.
    notes : list of str
        What a reader of the results must know.

    Raises
    ------
    TypeError
        If the model answers no queries, or can't be cloned for shadow models.
    ValueError
        If rows, labels or parameters have a wrong form, or no attack applies.

    References
    ----------
    Carlini, Chien, Nasr, Song, Terzis and Tramer, "Membership Inference Attacks From First
    Principles", IEEE S&P 2022.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skprivacy.attacks import run_attacks
    >>> X, y = make_classification(n_samples=400, n_features=100, flip_y=0.3, random_state=0)
    >>> model = LogisticRegression(C=0.1).fit(X[:200], y[:200])
    >>> results, notes = run_attacks(
    ...     model, X[:200], y[:200], X[200:], y[200:], n_shadow=8, random_state=0)
    >>> list(results)
    ['loss', 'gap', 'lira', 'rmia']
    >>> results["lira"].roc_auc > results["gap"].roc_auc
    True
    """
    results, notes, _ = attacked(
        model,
        X_member,
        y_member,
        X_nonmember,
        y_nonmember,
        attacks=attacks,
        n_shadow=n_shadow,
        shadow_models=shadow_models,
        X_population=X_population,
        y_population=y_population,
        fpr=fpr,
        clip=clip,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
    )
    return results, notes


def attacked(
    model: Any,
    X_member: Any,
    y_member: Any,
    X_nonmember: Any,
    y_nonmember: Any,
    *,
    attacks: Iterable[str | MembershipAttack],
    n_shadow: int,
    shadow_models: ShadowModels | None,
    fpr: Sequence[float],
    clip: float,
    n_jobs: int | None,
    random_state: Any,
    verbose: bool,
    X_population: Any = None,
    y_population: Any = None,
) -> tuple[dict[str, AttackResult], list[str], Signals]:
    """Return what `run_attacks` does, and the target's signals, members' first."""
    check_clip(clip)
    check_number("n_shadow", n_shadow, 0)
    if n_shadow == 1:
        raise ValueError("n_shadow must be 0 or at least 2: rows need models on either side.")
    wanted = resolve_attacks(attacks, random_state)
    pool, regression = checked_target(model, X_member, y_member, X_nonmember, y_nonmember)
    population = checked_population(pool, X_population, y_population)
    chosen, notes = _applicable(
        wanted,
        is_regression=regression,
        confident=is_confident(model),
        shadowed=shadow_models is not None or n_shadow > 0,
        stand_in=LabelOnlyAttack(random_state=random_state)
        if shadow_models is None and is_table(pool.X)
        else None,
    )
    probes = [probe for attack in chosen if (probe := attack.probe(model, pool)) is not None]
    probe = probes[0] if probes else None
    if shadow_models is not None:
        check_shadows(shadow_models, pool)
    elif any(attack._shadowed for attack in chosen):  # noqa: SLF001 - the package's own
        options = SimpleNamespace(
            n_shadow=n_shadow,
            clip=clip,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        shadow_models = fit_shadows(options, model, pool, population, probe)
    view = View.of_model(
        model,
        pool,
        shadow_models,
        is_regression=regression,
        clip=clip,
        population=population,
        probe=probe,
    )
    members = pool.is_member
    results = {}
    for attack in chosen:
        scores = attack.scores(view)
        results[attack.name] = AttackResult.from_scores(
            attack.name, scores[members], scores[~members], fpr=fpr
        )
    notes += _result_notes(pool, view.signals, shadow_models, fpr, clip)
    return results, notes, view.signals


def resolve_attacks(
    attacks: Iterable[str | MembershipAttack], random_state: Any = None
) -> list[MembershipAttack]:
    """Return attack instances, made of names where those are given."""
    if isinstance(attacks, (str, MembershipAttack)):
        attacks = [attacks]
    chosen: list[MembershipAttack] = []
    for attack in attacks:
        if isinstance(attack, MembershipAttack):
            chosen.append(attack)
        elif attack in BY_NAME:
            made = BY_NAME[attack]()
            if "random_state" in made.get_params():
                made.set_params(random_state=random_state)
            chosen.append(made)
        else:
            raise ValueError(
                f"attacks must be attacks or among {sorted(BY_NAME)}. Got {attack!r} instead."
            )
    names = [attack.name for attack in chosen]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"attacks must name at least one attack, each once. Got {names} instead.")
    return chosen


def _applicable(
    wanted: list[MembershipAttack],
    *,
    is_regression: bool,
    confident: bool,
    shadowed: bool,
    stand_in: MembershipAttack | None = None,
) -> tuple[list[MembershipAttack], list[str]]:
    """Return the attacks that can be run on a model of a kind, and what is lost.

    The stand-in takes the place of those that need more than labels.
    """
    notes: list[str] = []
    reasons = {
        attack.name: attack.refusal(is_regression=is_regression, is_confident=confident)
        for attack in wanted
    }
    chosen = [attack for attack in wanted if reasons[attack.name] is None]
    if not is_regression and len(chosen) < len(wanted):
        note = "The model answers with labels alone: attacks on its confidence were not run"
        if stand_in is not None and shadowed and stand_in.name not in reasons:
            chosen.append(stand_in)
            note += ", one on labels of noisy copies was"
        notes.append(note + ".")
    if not shadowed:
        chosen = [attack for attack in chosen if not attack._shadowed]  # noqa: SLF001
        notes.append(
            "Without shadow models the leak is understated, often by far. Set n_shadow to 16."
        )
    if not chosen:
        reason = next((text for text in reasons.values() if text), "They need shadow models.")
        raise ValueError(f"None of the attacks applies to this model. {reason}")
    return chosen, notes


def _result_notes(
    pool: Pool,
    signals: Signals,
    shadows: ShadowModels | None,
    fpr: Sequence[float],
    clip: float,
) -> list[str]:
    notes = data_notes(pool, signals, clip)
    rare = rate_note(pool.y.size - pool.n_members, fpr)
    if rare is not None:
        notes.append(rare)
    if signals.correct is not None and signals.correct[: pool.n_members].all():
        notes.append(
            "The model is right about every member: it has memorised its rows. Restrain it "
            "(depth, leaves, regularisation, early stopping) before anything else."
        )
    if shadows is not None and not np.ptp(shadows.statistic_, axis=0).any():
        notes.append(
            "All shadow models answer the same, whatever rows they were fitted on: attacks "
            "that use them say nothing. Does fitting a clone of this model train it?"
        )
    return notes


def attack_shadow_models(
    shadows: ShadowModels,
    attacks: Iterable[str | MembershipAttack] = ATTACKS,
    *,
    fpr: Sequence[float] = FPR,
) -> dict[str, dict[str, Any]]:
    """Attack every shadow model by means of the others.

    Each model is target once. The others are its shadow models, but for the one on the other
    half of the same split, whose rows are just the target's non-members. The means tell how
    much an algorithm leaks, not one model, and more steadily than one target can.

    Parameters
    ----------
    shadows : ShadowModels
        Fitted, at least four models.
    attacks : iterable of str or attack, default=("loss", "gap", "lira", "rmia")
        As in `run_attacks`.
    fpr : sequence of float, default=(0.01, 0.001)
        False positive rates to report at.

    Returns
    -------
    dict of str to dict
        For each attack ``roc_auc`` and ``tpr_at_fpr`` (by rate), means over targets, and
        ``roc_auc_by_target``, an ndarray of shape (n_models,).

    Raises
    ------
    ValueError
        If there are fewer than four models, or no attack applies.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skprivacy.attacks import ShadowModels, attack_shadow_models
    >>> X, y = load_digits(return_X_y=True)
    >>> shadows = ShadowModels(GaussianNB(), n_models=4, random_state=0).fit(X[:400], y[:400])
    >>> attack_shadow_models(shadows, ["gap"])["gap"]["roc_auc"] < 0.6
    True
    """
    if shadows.inside_.shape[0] < 4:
        raise ValueError(
            "Each shadow model is attacked by means of the others but its partner's: at least "
            f"4 are needed. Got {shadows.inside_.shape[0]} instead."
        )
    chosen, _ = _applicable(
        resolve_attacks(attacks),
        is_regression=shadows.is_regression_,
        confident=shadows.confidence_ is not None,
        shadowed=True,
    )
    found: dict[str, list[AttackResult]] = {attack.name: [] for attack in chosen}
    for target in range(shadows.inside_.shape[0]):
        view, members = View.of_shadow(shadows, target), shadows.inside_[target]
        for attack in chosen:
            scores = attack.scores(view)
            found[attack.name].append(
                AttackResult.from_scores(attack.name, scores[members], scores[~members], fpr=fpr)
            )
    return {
        name: {
            "roc_auc": float(np.mean([result.roc_auc for result in results])),
            "tpr_at_fpr": {
                rate: float(np.mean([result.tpr_at_fpr[rate] for result in results]))
                for rate in fpr
            },
            "roc_auc_by_target": np.array([result.roc_auc for result in results]),
        }
        for name, results in found.items()
    }
