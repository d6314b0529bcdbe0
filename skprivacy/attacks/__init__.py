"""Attacks on fitted models, and audits of privacy claims.

A claim that can't be attacked is worth little. Two questions are asked here of any
estimator in scikit-learn's manner, private or not, through `fit` and `predict` alone:

*What does this fitted model give away about its training rows?* Membership inference and
attribute inference answer for one model and real rows. Their numbers describe that model;
no epsilon can be read off them.

*Can this claim of epsilon be true?* An audit runs the algorithm on two neighbouring data
sets made to hurt, and proves, at a stated confidence, an epsilon that it has at least.
"""

__all__: list[str] = []
