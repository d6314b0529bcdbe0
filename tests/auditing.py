"""The faults that every audit of the tests has to find; the audits are in skprivacy.attacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from skprivacy.mechanisms import Mechanism

ALPHA = 0.001
"""Probability that a statistical audit of the tests errs: there are many."""


@contextmanager
def halved_noise() -> Iterator[None]:
    """Make every mechanism draw half its noise."""
    honest = Mechanism.calibrated_noise
    with mock.patch.object(Mechanism, "calibrated_noise", lambda self: honest(self) / 2):
        yield
