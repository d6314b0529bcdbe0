"""What the benchmark trains: private pipelines, their non-private twins, and peers.

One table, `PIPELINES`. To benchmark another estimator, write a function that builds it
from a `Setting` (see ``_builders``) and add a line here. A line says what the pipeline is
for (`task`), which form of the rows it gets (`rows`, see ``_encoding``), which public facts
it can't do without, and the sets of pipelines that it belongs to.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ..interop import CLAIM
from . import _builders as build
from ._builders import Setting
from ._interpret import CLAIM_OF_INTERPRET
from ._problem import BenchmarkError

OURS = "mu-GDP with proof, add-remove adjacency"
SETS = {
    "default": "one of each kind, fast enough for a first look",
    "all": "all pipelines of the task",
    "private": "the private pipelines of this package",
    "twins": "the same models without privacy",
    "peers": "private models of other packages",
}


@dataclass(frozen=True)
class PipelineSpec:
    """One line of the benchmark.

    Parameters
    ----------
    name : str
        As given to ``--pipelines``.
    guarantee : str
        The guarantee and whose word it is; empty for a non-private pipeline.
    build : callable
        Makes the unfitted pipeline from a `Setting`. Steps are calibrated already; the
        accountant is bound by the caller.
    needs : tuple of str, default=()
        Public facts that must be declared: "bounds" of all columns, a "target range",
        "categories" (any text column or declared bounds); without them the pipeline would
        read them from the rows, or has nothing to learn from.
    task : {"classification", "regression", "unsupervised"}, default="classification"
    rows : {"encoded", "mixed", "filled", "codes", "numbers"}, default="encoded"
        Form of the rows.
    by_default : bool, default=False
        Whether it is in the set "default".
    package : str, default=None
        Package of its model, where that is optional.
    """

    name: str
    guarantee: str
    build: Callable[[Setting], Any]
    needs: tuple[str, ...] = ()
    task: str = "classification"
    rows: str = "encoded"
    by_default: bool = False
    package: str | None = None

    @property
    def private(self) -> bool:
        """Whether fits are charged to the ledger."""
        return bool(self.guarantee)

    @property
    def sets(self) -> frozenset[str]:
        """Names of the sets that it is in."""
        kind = "twins" if not self.private else "private" if self.guarantee == OURS else "peers"
        return frozenset({"all", kind} | ({"default"} if self.by_default else set()))


def _classifiers() -> Iterable[PipelineSpec]:
    yield PipelineSpec("logistic", "", build.logistic, by_default=True)
    yield PipelineSpec("scaled-logistic", "", build.scaled_logistic)
    yield PipelineSpec("boosting", "", build.boosting, rows="mixed", by_default=True)
    yield PipelineSpec("extra-trees", "", build.extra_trees, rows="filled")
    yield PipelineSpec("gaussian-nb", "", build.gaussian_nb)
    yield PipelineSpec("categorical-nb", "", build.categorical_nb, ("categories",), rows="codes")
    yield PipelineSpec("dp-logistic", OURS, build.dp_logistic, by_default=True)
    yield PipelineSpec("dp-scaled-logistic", OURS, build.dp_scaled_logistic)
    yield PipelineSpec("dp-linear-svc", OURS, build.dp_linear_svc)
    yield PipelineSpec("dp-additive", OURS, build.dp_additive, rows="mixed", by_default=True)
    yield PipelineSpec("dp-extra-trees", OURS, build.dp_extra_trees, rows="filled", by_default=True)
    yield PipelineSpec("dp-gaussian-nb", OURS, build.dp_gaussian_nb)
    yield PipelineSpec(
        "dp-categorical-nb", OURS, build.dp_categorical_nb, ("categories",), rows="codes"
    )
    bounds = ("bounds",)
    yield PipelineSpec(
        "diffprivlib-logistic", CLAIM, build.diffprivlib_logistic, bounds, by_default=True
    )
    yield PipelineSpec(
        "diffprivlib-gaussian-nb", CLAIM, build.diffprivlib_gaussian_nb, bounds, by_default=True
    )
    yield PipelineSpec("diffprivlib-forest", CLAIM, build.diffprivlib_forest, bounds, rows="filled")
    yield PipelineSpec("diffprivlib-tree", CLAIM, build.diffprivlib_tree, bounds, rows="filled")
    yield PipelineSpec(
        *("interpret-ebm", CLAIM_OF_INTERPRET, build.interpret_ebm, bounds),
        rows="filled",
        package="interpret",
    )


def _regressors() -> Iterable[PipelineSpec]:
    bounds = ("bounds", "target range")
    for spec in (
        PipelineSpec("ridge", "", build.ridge, by_default=True),
        PipelineSpec("boosting-regressor", "", build.boosting, rows="mixed", by_default=True),
        PipelineSpec("extra-trees-regressor", "", build.extra_trees, rows="filled"),
        PipelineSpec("dp-linear-regression", OURS, build.dp_linear_regression),
        PipelineSpec("dp-ridge", OURS, build.dp_ridge, by_default=True),
        PipelineSpec(
            "dp-additive-regressor", OURS, build.dp_additive, rows="mixed", by_default=True
        ),
        PipelineSpec(
            "dp-extra-trees-regressor", OURS, build.dp_extra_trees, rows="filled", by_default=True
        ),
        PipelineSpec(
            "diffprivlib-linear-regression", CLAIM, build.diffprivlib_linear_regression, bounds,
            by_default=True,
        ),
        PipelineSpec(
            "interpret-ebm-regressor", CLAIM_OF_INTERPRET, build.interpret_ebm, bounds,
            rows="filled", package="interpret",
        ),
    ):  # fmt: skip
        yield _of("regression", spec)


def _unsupervised() -> Iterable[PipelineSpec]:
    bounds = ("bounds",)
    for spec in (
        PipelineSpec("kmeans", "", build.kmeans),
        PipelineSpec("pca", "", build.pca),
        PipelineSpec("covariance", "", build.covariance),
        PipelineSpec("dp-kmeans", OURS, build.dp_kmeans),
        PipelineSpec("dp-pca", OURS, build.dp_pca),
        PipelineSpec("dp-covariance", OURS, build.dp_covariance),
        PipelineSpec("diffprivlib-kmeans", CLAIM, build.diffprivlib_kmeans, bounds),
        PipelineSpec("diffprivlib-pca", CLAIM, build.diffprivlib_pca, bounds),
    ):
        yield _of("unsupervised", spec, rows="numbers", by_default=True)


def _of(task: str, spec: PipelineSpec, **more: Any) -> PipelineSpec:
    return PipelineSpec(**vars(spec) | {"task": task} | more)


PIPELINES: dict[str, PipelineSpec] = {
    spec.name: spec for part in (_classifiers, _regressors, _unsupervised) for spec in part()
}


def choose_pipelines(names: Iterable[str], task: str) -> list[PipelineSpec]:
    """Return the pipelines with these names or in these sets, each once.

    Parameters
    ----------
    names : iterable of str
        Names of pipelines and of sets. A set stands for its pipelines of the task.
    task : {"classification", "regression", "unsupervised"}

    Returns
    -------
    list of PipelineSpec
        In the order of the table.

    Raises
    ------
    BenchmarkError
        If a name is unknown, or is that of a pipeline of another task.
    """
    wanted: set[str] = set()
    for name in names:
        if name in SETS:
            wanted |= {s.name for s in PIPELINES.values() if name in s.sets and s.task == task}
        elif name not in PIPELINES:
            known = ", ".join([*SETS, *PIPELINES])
            raise BenchmarkError(f"There is no pipeline {name!r}. Known are {known}.")
        elif PIPELINES[name].task != task:
            raise BenchmarkError(
                f"Pipeline {name!r} is for {PIPELINES[name].task}, and this is {task}."
            )
        else:
            wanted.add(name)
    return [spec for name, spec in PIPELINES.items() if name in wanted]
