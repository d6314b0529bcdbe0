import math

import pytest
from private_steps import PrivateShift

from skprivacy.accounting import PrivacyLoss, gdp_epsilon, gdp_mu
from skprivacy.exceptions import BudgetExceededError
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._ceiling import Limits, Totals
from skprivacy.ledger._odometer import CAVEAT, FIXED_LABEL, fixed_epsilon, how_many


def test_odometer_states_the_sums_and_says_what_it_is():
    accountant = PrivacyAccountant(2.0, 1e-6)
    accountant.spend(mu=0.1)
    accountant.spend(mu=0.2)
    spent = accountant.spent
    assert spent.mu == pytest.approx(math.hypot(0.1, 0.2))
    assert spent.epsilon == pytest.approx(gdp_epsilon(math.hypot(0.1, 0.2), 1e-6))
    assert spent.n_entries == 2
    assert CAVEAT in str(spent)
    assert "odometer" in str(spent)
    assert FIXED_LABEL in str(spent)


def test_gaussian_charges_need_no_distribution():
    accountant = PrivacyAccountant(2.0, 1e-6)
    accountant.spend(PrivacyLoss(0.1, 1e-8))
    spent = accountant.spent
    assert spent.fixed_epsilon == pytest.approx(gdp_epsilon(0.1, 0.99e-6), rel=1e-12)


def test_fixed_beforehand_pure_charges_cost_less():
    accountant = PrivacyAccountant(math.inf, 1e-6)
    for _ in range(50):
        accountant.spend(epsilon=0.1)
    spent = accountant.spent
    # accounting.md: 4.26 by the fold, 3.17 by the distributions.
    assert spent.epsilon == pytest.approx(4.26, abs=0.01)
    assert spent.fixed_epsilon == pytest.approx(3.17, abs=0.01)


def test_laplace_noise_is_composed_by_its_own_curve(data):
    accountant = PrivacyAccountant(math.inf, 1e-6)
    for _ in range(50):
        PrivateShift(0.1, 0.0, accountant).fit(data[0])
    assert accountant.spent.epsilon == pytest.approx(4.15, abs=0.01)
    assert accountant.spent.fixed_epsilon == pytest.approx(3.12, abs=0.01)


def test_mixed_mechanisms_against_dp_accounting():
    from dp_accounting.dp_event import GaussianDpEvent, LaplaceDpEvent
    from dp_accounting.pld import PLDAccountant

    mechanisms = [
        {"noise": "gaussian", "mu": 0.5, "delta": 0.0, "epsilon": math.inf},
        {"noise": "gaussian", "mu": 0.4, "delta": 1e-7, "epsilon": math.inf},
        *[{"noise": "laplace", "mu": 0.6, "delta": 0.0, "epsilon": 0.5}] * 3,
    ]
    oracle = PLDAccountant()
    oracle.compose(GaussianDpEvent(1 / math.hypot(0.5, 0.4)))
    oracle.compose(LaplaceDpEvent(2.0), 3)
    assert fixed_epsilon(mechanisms, 1e-6) == pytest.approx(oracle.get_epsilon(9e-7), rel=1e-3)


def test_fixed_epsilon_never_exceeds_the_odometer():
    accountant = PrivacyAccountant(math.inf, 1e-6)
    accountant.spend(epsilon=0.3)
    assert accountant.spent.fixed_epsilon <= accountant.spent.epsilon == pytest.approx(0.3)


@pytest.mark.parametrize("delta", [0.0, 1e-13])
def test_too_small_a_delta_leaves_the_pure_sum(delta):
    accountant = PrivacyAccountant(math.inf, delta)
    accountant.spend(epsilon=0.3)
    accountant.spend(epsilon=0.2)
    assert accountant.spent.fixed_epsilon == pytest.approx(0.5)


def test_nothing_spent():
    spent = PrivacyAccountant(1.0).spent
    assert (spent.epsilon, spent.fixed_epsilon, spent.mu, spent.n_entries) == (0, 0, 0, 0)


def test_remaining_before_the_first_charge_is_the_ceiling():
    remaining = PrivacyAccountant(1.0, 1e-6).remaining
    assert remaining.epsilon == pytest.approx(1.0)
    assert remaining.mu == pytest.approx(gdp_mu(1.0, 1e-6))
    assert remaining.fits_like_last is None


@pytest.mark.parametrize("mu", [0.01, 0.03, 0.2])
def test_remaining_can_be_charged_and_not_more(mu):
    accountant = PrivacyAccountant(1.0, 1e-6)
    accountant.spend(PrivacyLoss(mu, 1e-9))
    remaining = accountant.remaining
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=remaining.mu * 1.0001)
    with pytest.raises(BudgetExceededError):
        accountant.spend(mu=0.0, delta=remaining.delta * 1.0001)
    accountant.spend(PrivacyLoss(remaining.mu, remaining.delta))
    assert accountant.remaining.mu == pytest.approx(0.0, abs=1e-6)


def test_remaining_epsilon_is_that_of_one_more_fit(data):
    accountant = PrivacyAccountant(1.0, 1e-6)
    accountant.spend(mu=0.1)
    PrivateShift(accountant.remaining.epsilon * (1 - 1e-9), 1e-6, accountant).fit(data[0])
    with pytest.raises(BudgetExceededError):
        PrivateShift(0.01, 1e-6, accountant).fit(data[0])


@pytest.mark.parametrize(
    "loss", [PrivacyLoss(0.02), PrivacyLoss(0.01, 3e-9), PrivacyLoss.pure(0.03)]
)
def test_fits_like_the_last_is_exact(loss):
    accountant = PrivacyAccountant(1.0, 1e-6)
    accountant.spend(loss)
    n = accountant.remaining.fits_like_last
    assert n > 3
    for _ in range(int(n)):
        accountant.spend(loss)
    assert accountant.remaining.fits_like_last == 0
    with pytest.raises(BudgetExceededError):
        accountant.spend(loss)


def test_free_charges_fit_without_end():
    assert how_many(Limits(1.0, 0.0, 0.0), Totals(), PrivacyLoss.zero()) == math.inf
    assert how_many(Limits(1.0, 0.0, 0.0), Totals(), PrivacyLoss.none()) == 0


def test_no_ceiling_leaves_everything():
    accountant = PrivacyAccountant()
    accountant.spend(PrivacyLoss.none())
    remaining = accountant.remaining
    assert remaining.epsilon == remaining.mu == remaining.fits_like_last == math.inf


def test_ceiling_before_and_after_it_is_fixed():
    accountant = PrivacyAccountant(1.0, 1e-6)
    assert (accountant.ceiling.mu, accountant.ceiling.delta_reserve) == (None, None)
    accountant.spend(mu=0.01)
    assert accountant.ceiling.mu == pytest.approx(gdp_mu(1.0, 9e-7))
    assert accountant.ceiling.delta_reserve == pytest.approx(1e-7)
    assert str(accountant.ceiling) == "epsilon = 1, delta = 1e-06, add-remove adjacency"
    assert "no ceiling" in str(PrivacyAccountant().ceiling)
