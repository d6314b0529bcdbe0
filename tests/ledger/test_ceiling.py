import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skprivacy.accounting import PrivacyLoss, gdp_delta, gdp_mu, pure_mu
from skprivacy.exceptions import BudgetExceededError
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._ceiling import Limits, Terms, Totals, add_up, allowance_prices, square_up

numbers = st.floats(min_value=0, max_value=1e100, allow_subnormal=False)


@given(numbers, numbers)
def test_sum_is_rounded_up_and_by_one_float_at_most(a, b):
    total = add_up(a, b)
    exact = Fraction(a) + Fraction(b)
    assert Fraction(total) >= exact
    assert Fraction(math.nextafter(total, 0.0)) <= exact


@given(st.floats(min_value=1e-100, max_value=1e100))
def test_square_is_rounded_up(mu):
    assert Fraction(square_up(mu)) >= Fraction(mu) ** 2
    assert square_up(mu) <= mu * mu * (1 + 1e-15)


def test_infinity_adds_up_to_infinity():
    totals = Totals().plus(PrivacyLoss.none()).plus(PrivacyLoss.none())
    assert totals == Totals(math.inf, 0.0, math.inf)


@given(st.integers(1, 50), st.floats(1e-3, 3))
def test_many_charges_at_once_are_no_less_than_one_by_one(times, mu):
    loss = PrivacyLoss(mu, 1e-9)
    one_by_one = Totals()
    for _ in range(times):
        one_by_one = one_by_one.plus(loss)
    at_once = Totals().plus(loss, times)
    assert at_once.mu_squared == pytest.approx(one_by_one.mu_squared, rel=1e-13)
    assert Fraction(at_once.mu_squared) >= times * Fraction(mu) ** 2
    assert Fraction(at_once.delta) >= times * Fraction(1e-9)


def terms(epsilon=1.0, delta=1e-6, reserve=None):
    return Terms.of_ceiling(epsilon, delta, "add-remove", reserve)


def test_small_first_charge_sets_a_tenth_of_delta_aside():
    limits = terms().fix(PrivacyLoss(0.05))
    assert limits.delta == pytest.approx(1e-7)
    assert limits.mu_squared == pytest.approx(gdp_mu(1.0, 9e-7) ** 2)


def test_first_charge_of_the_whole_ceiling_leaves_no_reserve():
    mu = gdp_mu(1.0, 1e-6)
    limits = terms().fix(PrivacyLoss(mu))
    assert limits.delta == 0
    assert limits.admit(Totals().plus(PrivacyLoss(mu)))


def test_first_charge_with_its_own_delta_gets_the_largest_reserve_that_admits_it():
    first = PrivacyLoss(gdp_mu(1.0, 0.99e-6) * math.sqrt(1 - 1e-9), 1e-8)
    limits = terms().fix(first)
    assert limits.rectangle_admits(Totals().plus(first))
    assert limits.delta == pytest.approx(1e-8, rel=1e-6)


def test_first_charge_with_much_delta_of_its_own_is_admitted():
    first = PrivacyLoss(0.05, 5e-7)
    limits = terms().fix(first)
    assert limits.delta == 5e-7
    assert limits.mu_squared == pytest.approx(gdp_mu(1.0, 5e-7) ** 2)


@given(
    st.floats(0.05, 8),
    st.floats(1e-10, 1e-2),
    st.floats(0, 1.2),
    st.floats(0, 1.2),
)
def test_every_rectangle_keeps_within_the_ceiling(epsilon, delta, mu_part, delta_part):
    first = PrivacyLoss(mu_part * gdp_mu(epsilon, delta), delta_part * delta)
    limits = terms(epsilon, delta).fix(first)
    attained = gdp_delta(math.sqrt(limits.mu_squared), epsilon) + limits.delta
    assert attained <= delta * (1 + 1e-9)


def test_chosen_reserve_is_kept():
    limits = terms(reserve=3e-7).fix(PrivacyLoss(0.05))
    assert limits.delta == 3e-7
    assert limits.mu_squared == pytest.approx(gdp_mu(1.0, 7e-7) ** 2)


def test_no_ceiling_admits_everything():
    limits = terms(math.inf).fix(PrivacyLoss.none())
    assert limits.admit(Totals().plus(PrivacyLoss.none()).plus(PrivacyLoss(1, 0.5)))


def test_pure_route_is_only_for_pure_losses():
    limits = Limits(0.01, 1e-7, 1.0)
    assert limits.admit(Totals(5.0, 0.0, 1.0))
    assert not limits.admit(Totals(5.0, 1e-8, 1.0))
    assert not limits.admit(Totals(5.0, 0.0, 1.0 + 1e-9))


def test_pure_sum_with_a_gaussian_charge_has_no_pure_epsilon():
    totals = Totals().plus(PrivacyLoss.pure(0.1)).plus(PrivacyLoss(1e-6))
    assert totals.epsilon == math.inf


def test_paid_ledger_can_not_use_the_pure_route_beyond_what_was_paid():
    # Its outer ledger paid gdp_mu(1, 1e-6); pure epsilon = 1 would be five times that.
    inner = Terms.of_allowance(1.0, 1e-6, "add-remove", None, 1e-8)
    assert not inner.fix(PrivacyLoss.pure(1.0)).admit(Totals().plus(PrivacyLoss.pure(1.0)))


@given(st.floats(0.05, 8), st.floats(1e-10, 1e-2), st.floats(0, 1.1), st.floats(0, 1.1))
def test_paid_ledger_keeps_within_what_was_paid(epsilon, delta, mu_part, delta_part):
    for paid in allowance_prices(epsilon, delta, None):
        inner = Terms.of_allowance(epsilon, delta, "add-remove", None, paid.delta)
        first = PrivacyLoss(mu_part * paid.mu, delta_part * paid.delta)
        limits = inner.fix(first)
        assert math.sqrt(limits.mu_squared) <= paid.mu * (1 + 1e-12)
        assert limits.delta <= paid.delta


def test_ten_charges_of_a_tenth_fit():
    accountant = PrivacyAccountant(epsilon=1.0, delta=0.0)
    for _ in range(10):
        accountant.spend(epsilon=0.1)
    with pytest.raises(BudgetExceededError):
        accountant.spend(epsilon=1e-6)


# The attack on the rule that re-solves the split on running sums ---------------------------


class NaiveFilter:
    """Accepts while the epsilon of the running sums is within the ceiling."""

    def __init__(self, epsilon, delta):
        self.epsilon, self.delta = epsilon, delta
        self.loss = PrivacyLoss.zero()

    def spend(self, loss):
        total = self.loss + loss
        if total.to_epsilon(self.delta) > self.epsilon * (1 + 1e-9):
            raise BudgetExceededError
        self.loss = total


def admitted(make, *losses):
    ledger = make()
    try:
        for loss in losses:
            ledger.spend(loss)
    except BudgetExceededError:
        return False
    return True


def largest(make, first, loss_of):
    """Return the largest x such that loss_of(x) is admitted after the first charge."""
    low, high = 0.0, 1.0
    while admitted(make, first, loss_of(high)):
        high *= 2
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if admitted(make, first, loss_of(middle)) else (low, middle)
    return low


def attained(epsilon, mu_first, mu_rest, delta_rest):
    """Return the delta at epsilon of: one release, then whichever rest its loss favours.

    The rest of mu is a Gaussian release, the rest of delta reveals everything with that
    probability.
    """
    x = np.linspace(mu_first - 12, mu_first + 12, 40001)
    density = np.exp(-((x - mu_first) ** 2) / 2) / math.sqrt(2 * math.pi)
    loss = mu_first * x - mu_first**2 / 2
    on_high = gdp_delta(mu_rest, epsilon - loss)
    on_low = delta_rest + (1 - delta_rest) * np.maximum(-np.expm1(epsilon - loss), 0)
    return float(np.sum(density * np.maximum(on_high, on_low)) * (x[1] - x[0]))


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 8.0])
def test_adaptive_attack_breaks_the_naive_rule_and_not_the_rectangle(epsilon):
    delta = 1e-6
    worst = {}
    for name, make in (
        ("naive", lambda: NaiveFilter(epsilon, delta)),
        ("rectangle", lambda: PrivacyAccountant(epsilon, delta)),
    ):
        worst[name] = 0.0
        for part in (0.5, 0.7):
            first = PrivacyLoss(part * gdp_mu(epsilon, delta))
            mu_rest = largest(make, first, PrivacyLoss)
            delta_rest = largest(make, first, lambda d: PrivacyLoss(0.0, min(d, 1.0)))
            worst[name] = max(worst[name], attained(epsilon, first.mu, mu_rest, delta_rest))
    assert worst["naive"] > 1.9 * delta
    assert worst["rectangle"] <= delta * (1 + 1e-5)


def test_the_attack_leaves_the_rectangle_something_to_hold():
    # Both rests at once attain the ceiling itself: the rectangle is not loose.
    epsilon, delta = 1.0, 1e-6
    accountant = PrivacyAccountant(epsilon, delta)
    accountant.spend(mu=0.1)
    left = accountant.remaining
    whole = math.hypot(0.1, left.mu)
    assert gdp_delta(whole, epsilon) + left.delta == pytest.approx(delta, rel=1e-6)


def test_unknown_form_costs_the_mu_of_its_pure_epsilon():
    accountant = PrivacyAccountant(epsilon=math.inf)
    assert accountant.spend(epsilon=0.5, delta=1e-7).mu == pure_mu(0.5)
