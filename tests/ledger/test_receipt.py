import json
import math
import pickle

import numpy as np
import pytest
from private_steps import PrivateShift

from skprivacy.accounting import PrivacyLoss
from skprivacy.ledger import PrivacyAccountant, Receipt
from skprivacy.plan import Facts


def test_receipt_of_a_fit(data):
    accountant = PrivacyAccountant(5.0)
    receipt = PrivateShift(1.0, 1e-6, accountant).fit(data[0]).privacy_
    (entry,) = accountant.entries
    assert receipt.entry_uid == entry.uid
    assert receipt.loss == entry.loss
    assert receipt.mechanisms == entry.mechanisms
    assert receipt.epsilon == pytest.approx(1.0, rel=1e-7)
    assert receipt.epsilon <= 1.0
    assert (receipt.delta, receipt.mu) == (1e-6, entry.mu)
    assert receipt.noise_scales["sum"] > 0
    assert receipt.assumptions == ("The number of columns is public.",)
    assert not receipt.reproducible


def test_receipt_without_an_accountant(data):
    receipt = PrivateShift().fit(data[0]).privacy_
    assert receipt.entry_uid is None
    assert "no accountant" in str(receipt)


def test_delta_of_the_release_counts_in_the_receipts_delta():
    plan = PrivateShift(1.0, 1e-6, own_delta=True).plan(Facts())
    receipt = Receipt.from_plan(plan, delta=1e-6)
    assert receipt.loss.delta == 1e-8
    assert receipt.epsilon == pytest.approx(1.0, rel=1e-7)
    assert Receipt.from_plan(plan, delta=1e-9).epsilon == math.inf


def test_pure_receipt(data):
    receipt = PrivateShift(0.5, 0.0).fit(data[0]).privacy_
    assert receipt.epsilon == pytest.approx(0.5, rel=1e-8)
    assert "at delta" not in str(receipt)


def test_reproducible_noise_is_called_not_private(data):
    receipt = PrivateShift(random_state=0).fit(data[0]).privacy_
    assert receipt.reproducible
    assert "reproducible noise: not private" in str(receipt)
    assert "reproducible noise: not private" in receipt._repr_html_()


def test_receipt_is_plain_data(data):
    accountant = PrivacyAccountant(5.0)
    receipt = PrivateShift(1.0, 1e-6, accountant).fit(data[0]).privacy_
    blob = pickle.dumps(receipt)
    assert pickle.loads(blob) == receipt
    assert accountant.path.encode() not in blob
    document = json.loads(receipt.to_json(), parse_constant=pytest.fail)
    assert document["loss"]["epsilon"] == "inf"
    assert document["source"] == "PrivateShift"
    assert receipt.to_dict()["noise_scales"] == receipt.noise_scales


def test_scales_of_several_columns_become_lists():
    plan = PrivateShift().plan(Facts())
    receipt = Receipt.from_plan(plan, delta=1e-6, noise_scales={"sum": np.array([1.0, 2.0])})
    assert receipt.noise_scales == {"sum": [1.0, 2.0]}


def test_receipt_without_a_guarantee_says_so():
    receipt = Receipt(
        source="<b>Plain</b>",
        epsilon=math.inf,
        delta=1e-6,
        mu=math.inf,
        loss=PrivacyLoss.none(),
        adjacency="add-remove",
        mechanisms=(),
    )
    assert "none (epsilon is infinite)" in str(receipt)
    assert "<b>" not in receipt._repr_html_()
