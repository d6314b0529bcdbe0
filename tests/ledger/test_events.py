import json

import numpy as np
import pytest

from skprivacy.exceptions import LedgerError
from skprivacy.ledger._events import ChainState, advance, canonical, digest, plain


def test_plain_data_survives_json_whatever_it_was():
    value = {
        "array": np.arange(3),
        "number": np.float64(0.1),
        "count": np.int64(2),
        "flag": np.bool_(True),
        "infinite": float("inf"),
        "tuple": (1, None, "x"),
        3: frozenset({1.5}),
        "other": Ellipsis,
    }
    assert json.loads(canonical(plain(value)), parse_constant=pytest.fail) == {
        "array": [0, 1, 2],
        "number": 0.1,
        "count": 2,
        "flag": True,
        "infinite": "inf",
        "tuple": [1, None, "x"],
        "3": [1.5],
        "other": "Ellipsis",
    }


def test_one_text_whatever_the_order():
    assert canonical({"b": 1, "a": 0.1}) == canonical({"a": 0.1, "b": 1}) == '{"a":0.1,"b":1}'


def row(event):
    text = canonical(event)
    return event.get("sequence", 0), text, digest(text)


FIRST = {"ledger": "u", "sequence": 0, "previous": "", "kind": "open", "host": "h"}


def test_chain_advances():
    state = advance(ChainState(), "u", row(FIRST))
    assert (state.sequence, state.host) == (0, "h")
    following = {"ledger": "u", "sequence": 1, "previous": state.head, "kind": "failed"}
    assert advance(state, "u", row(following)).sequence == 1


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (FIRST | {"ledger": "v"}, "does not continue"),
        (FIRST | {"previous": "x"}, "does not continue"),
        (FIRST | {"sequence": 1}, "Event 0 is missing"),
        ({"sequence": 0}, "no event of a ledger"),
        ({**FIRST, "kind": "charge"}, "lacks what an event 'charge' must have"),
    ],
)
def test_events_that_do_not_follow(event, message):
    with pytest.raises(LedgerError, match=message):
        advance(ChainState(), "u", row(event))


def test_text_that_is_no_json():
    with pytest.raises(LedgerError, match="no event of a ledger"):
        advance(ChainState(), "u", (0, "[", digest("[")))
