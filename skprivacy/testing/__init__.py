"""The contract of private estimators, as checks that run on anybody's estimator.

`check_dp_estimator` is to the privacy contract what scikit-learn's `check_estimator` is
to its own: give it an instance, and each rule that the instance breaks is an error that
says which. It looks from outside, at `fit`, `plan`, attributes, pickles and the ledger;
what noise is enough for which release it can't know: that takes a proof and an audit.
"""

from ._checks import check_dp_estimator, dp_checks

__all__ = ["check_dp_estimator", "dp_checks"]
