"""Attacks on fitted models, and audits of privacy claims.

A claim that can't be attacked is worth little. Two questions are asked here of any
estimator in scikit-learn's manner, private or not, through `fit` and `predict` alone:

*What does this fitted model give away about its training rows?* Membership inference and
attribute inference answer for one model and real rows. Their numbers describe that model;
no epsilon can be read off them.

*Can this claim of epsilon be true?* An audit runs the algorithm on two neighbouring data
sets made to hurt, and proves, at a stated confidence, an epsilon that it has at least.
"""

from ._attack import MembershipAttack
from ._attribute import AttributeInferenceAttack, AttributeInferenceResult
from ._audit import audit_epsilon, audit_output_noise
from ._bounds import clopper_pearson, epsilon_lower_bound, mu_lower_bound
from ._canaries import Canary, flipped_label_canary, orthogonal_canary, saturated_canaries
from ._epsilon_audit import EpsilonAudit, audit_scores
from ._label_only import LabelOnlyAttack, noisy_copies
from ._membership import CalibratedAttack, GapAttack, LiRAAttack, LossAttack, RMIAAttack
from ._one_run import one_run_bound, one_run_epsilon, one_run_mu, one_run_p_value
from ._one_run_audit import one_run_audit
from ._result import AttackResult
from ._roc import roc_auc, roc_auc_interval, roc_points, tpr_at_fpr
from ._run import attack_shadow_models, run_attacks
from ._scores import (
    difficulty_calibrated_scores,
    gaussian_log_density,
    lira_scores,
    rmia_scores,
)
from ._shadow import ShadowModels
from ._signals import Signals, model_signals
from ._transcript import (
    Transcript,
    TranscriptAudit,
    TranscriptError,
    audit_transcript,
    record,
    replay,
    transcript_epsilon,
    transcript_mu_squared,
)

__all__ = [
    "AttackResult",
    "AttributeInferenceAttack",
    "AttributeInferenceResult",
    "CalibratedAttack",
    "Canary",
    "EpsilonAudit",
    "GapAttack",
    "LabelOnlyAttack",
    "LiRAAttack",
    "LossAttack",
    "MembershipAttack",
    "RMIAAttack",
    "ShadowModels",
    "Signals",
    "Transcript",
    "TranscriptAudit",
    "TranscriptError",
    "attack_shadow_models",
    "audit_epsilon",
    "audit_output_noise",
    "audit_scores",
    "audit_transcript",
    "clopper_pearson",
    "difficulty_calibrated_scores",
    "epsilon_lower_bound",
    "flipped_label_canary",
    "gaussian_log_density",
    "lira_scores",
    "model_signals",
    "mu_lower_bound",
    "noisy_copies",
    "one_run_audit",
    "one_run_bound",
    "one_run_epsilon",
    "one_run_mu",
    "one_run_p_value",
    "orthogonal_canary",
    "record",
    "replay",
    "rmia_scores",
    "roc_auc",
    "roc_auc_interval",
    "roc_points",
    "run_attacks",
    "saturated_canaries",
    "tpr_at_fpr",
    "transcript_epsilon",
    "transcript_mu_squared",
]
