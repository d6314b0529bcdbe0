"""What is released as it is has an infinite price, whatever the budget."""

import math

import numpy as np
import pytest

from skprivacy.accounting import ADJACENCIES, PrivacyLoss
from skprivacy.mechanisms import Unprotected, random_source


@pytest.mark.parametrize("adjacency", ADJACENCIES)
def test_the_price_is_infinite_and_the_value_itself_is_released(adjacency):
    mechanism = Unprotected(name="model").calibrate(adjacency, mu=0.1)
    assert mechanism.loss(adjacency) == PrivacyLoss.none()
    assert mechanism.loss(adjacency).to_epsilon(0.5) == math.inf
    value = np.arange(3)
    draw = mechanism.draw(value, adjacency=adjacency, source=random_source())
    assert draw.value is value
    assert draw.noise_scale is None
    assert mechanism.describe(adjacency)["noise"] == "no"
