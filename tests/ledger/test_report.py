import math
from html.parser import HTMLParser

import pytest

from skprivacy.accounting import PrivacyLoss
from skprivacy.ledger import PrivacyAccountant
from skprivacy.ledger._odometer import CAVEAT, FIXED_LABEL
from skprivacy.ledger._report import used_part


class Balanced(HTMLParser):
    """Checks that tags are closed in order, and collects them."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parse(html):
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


@pytest.fixture
def accountant():
    accountant = PrivacyAccountant(1.0)
    accountant.spend(mu=0.1, source="<script>alert(1)</script>")
    return accountant


def test_html_is_escaped_whole_and_its_own(accountant):
    html = accountant._repr_html_()
    seen = parse(html)
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert not {"script", "img", "link", "iframe"} & {tag for tag, _ in seen}
    assert "http" not in html
    assert CAVEAT in html


@pytest.mark.parametrize("epsilon", [1.0, math.inf])
def test_html_of_an_empty_ledger(epsilon):
    parse(PrivacyAccountant(epsilon)._repr_html_())


def test_bar_shows_the_part_of_mu_squared_that_is_used(accountant):
    ceiling = accountant.ceiling
    assert used_part(ceiling, accountant.spent) == pytest.approx((0.1 / ceiling.mu) ** 2)
    accountant.spend(mu=accountant.remaining.mu)
    assert used_part(ceiling, accountant.spent) == pytest.approx(1.0)
    assert "width:100.0%" in accountant._repr_html_()


def test_bar_of_pure_charges_is_that_of_epsilon():
    accountant = PrivacyAccountant(1.0, 0.0)
    accountant.spend(epsilon=0.25)
    assert used_part(accountant.ceiling, accountant.spent) == pytest.approx(0.25)


def test_text_has_ceiling_odometer_and_entries(accountant):
    accountant.fail(accountant.spend(epsilon=1e-3, source="second").uid, "ValueError")
    text = str(accountant)
    assert "Ceiling (certified): epsilon = 1, delta = 1e-06" in text
    assert "Spent (odometer)" in text
    assert FIXED_LABEL in text
    assert "failed (ValueError)" in text
    assert text.endswith(CAVEAT)


def test_part_and_reproducible_noise_are_marked():
    accountant = PrivacyAccountant(2.0)
    (part,) = accountant.partition([[1.0]], n_parts=1, epsilon=1.0, delta=1e-7)
    part.accountant.spend(mu=0.01, source="Mean")
    assert "Mean (part 1 of 1)" in str(part.accountant)


def test_long_ledger_shows_its_end():
    accountant = PrivacyAccountant()
    for number in range(203):
        accountant.spend(PrivacyLoss(1e-3), source=f"number {number} ")
    text = str(accountant)
    assert "number 202 " in text
    assert "number 2 " not in text
    assert "The first 3 entries are not shown" in text
