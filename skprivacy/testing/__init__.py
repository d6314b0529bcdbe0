"""The contract of a private estimator as checks, for this package's estimators and yours.

`check_dp_estimator` runs them all, like scikit-learn's `check_estimator`;
`parametrize_with_dp_checks` makes each a test of pytest. What is checked: that every fit
is charged exactly once and before it looks at the rows, that a wrong or refused fit costs
nothing, that one price stands in the plan, the ledger and the receipt and is what the
parameters promise, that the accountant survives clones, pickles, pipelines and searches,
and that the rows leave a fit through declared, noisy releases only.
"""

from ._check import (
    check_dp_estimator,
    estimator_dp_checks_generator,
    parametrize_with_dp_checks,
)

__all__ = [
    "check_dp_estimator",
    "estimator_dp_checks_generator",
    "parametrize_with_dp_checks",
]
