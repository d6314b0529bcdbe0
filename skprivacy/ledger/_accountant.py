"""The accountant: one object and one file, whichever way the object travels.

`PrivacyAccountant` owns a ceiling and the ledger of what was charged against it. It has
*identity, not value*: a clone, a copy or an unpickled accountant is the same one, and all
of them, in every thread and process, charge the same file. A charge is one transaction
that reads the sums, compares them with the ceiling and appends an entry, and it is
committed before any noise is drawn: a crash can waste a charge but never lose one.
"""

import math
import os
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from ..accounting import Adjacency, PrivacyLoss, check_adjacency
from ..plan import Facts, Plan
from ._binding import allocate, bind
from ._ceiling import Terms
from ._charge import Charge
from ._connections import process_lock
from ._entries import Entries, Entry
from ._ledger import Ledger, check_same_terms
from ._odometer import Ceiling, Remaining, Spent
from ._partition import Part, check_budget, split_rows
from ._preview import Preview, preview
from ._report import report_html, report_text
from ._store import LedgerStore, create_file, terms_fields
from ._temporary import temporary_path

_accountants: "weakref.WeakValueDictionary[tuple[str, str], PrivacyAccountant]" = (
    weakref.WeakValueDictionary()
)


class PrivacyAccountant:
    """A privacy budget that every fit charges before it draws noise.

    Pass one accountant to any number of estimators, or `bind` it to a pipeline. All charges
    together are certified not to pass (`epsilon`, `delta`), however each is chosen after
    seeing the results of those before; a charge that would pass it raises
    `BudgetExceededError` and costs nothing.

    Parameters
    ----------
    epsilon : float, default=inf
        Ceiling. Infinity refuses nothing and only keeps the ledger.
    delta : float, default=1e-6
        Probability mass outside the epsilon statement, and the delta at which `spent` is
        shown. With 0 only pure differential privacy is accepted.
    path : str or path-like, default=None
        File of the ledger, made if it does not exist and attached to if it does. None: a
        temporary file that ends with this process.
    adjacency : {"add-remove", "replace-one"}, default="add-remove"
        What neighbouring data sets are, for all charges.
    delta_reserve : float, default=None
        Part of `delta` set aside for charges that have a delta of their own. None: fixed by
        the first charge, at most a tenth of `delta` if that charge does not need more.

    Raises
    ------
    LedgerError
        If the file can't be made, read or trusted, or was opened with another ceiling,
        adjacency or reserve.

    Examples
    --------
    >>> from skprivacy import PrivacyAccountant
    >>> accountant = PrivacyAccountant(epsilon=1.0, delta=1e-6)
    >>> entry = accountant.spend(mu=0.1, source="survey mean")
    >>> round(accountant.spent.epsilon, 3)
    0.397
    >>> accountant.spend(mu=0.5)
    Traceback (most recent call last):
        ...
    skprivacy.exceptions.BudgetExceededError: release would pass the ceiling ...
    """

    _ledger: Ledger
    _durable: bool
    _shown: tuple[float, float]

    def __new__(  # noqa: PYI034 - returns the one accountant there is for a ledger
        cls,
        epsilon: float = math.inf,
        delta: float = 1e-6,
        *,
        path: str | os.PathLike[str] | None = None,
        adjacency: Adjacency = "add-remove",
        delta_reserve: float | None = None,
    ) -> "PrivacyAccountant":
        """Make a ledger, or attach to the one at `path`."""
        terms = _checked_terms(epsilon, delta, adjacency, delta_reserve)
        durable = path is not None
        where = temporary_path() if path is None else os.path.realpath(os.fspath(path))
        made = not os.path.lexists(where) and create_file(
            where, terms_fields(terms), durable=durable
        )
        return _attach_root(where, durable=durable, expected=None if made else terms)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "PrivacyAccountant":
        """Attach to the ledger at `path`, whatever its ceiling.

        Raises
        ------
        LedgerError
            If there is no ledger at `path`, or it can't be read or trusted.
        """
        return _attach_root(os.path.realpath(os.fspath(path)), durable=True)

    # Identity ---------------------------------------------------------------------------

    def __sklearn_clone__(self) -> "PrivacyAccountant":
        return self

    def __copy__(self) -> "PrivacyAccountant":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "PrivacyAccountant":
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return _attach, (self._ledger.uid, self.path, self._durable, self._shown)

    def __repr__(self) -> str:
        epsilon, delta = self._shown
        return f"PrivacyAccountant(epsilon={epsilon!r}, delta={delta!r})"

    # Reading ----------------------------------------------------------------------------

    @property
    def path(self) -> str:
        """Absolute path of the ledger file."""
        return self._ledger.store.path

    @property
    def adjacency(self) -> Adjacency:
        """What neighbouring data sets are."""
        return check_adjacency(self._ledger.terms().adjacency)

    @property
    def ceiling(self) -> Ceiling:
        """The certified guarantee, and the rectangle it was turned into."""
        standing = self._ledger.standing()
        return Ceiling.of(standing.terms, standing.limits)

    @property
    def spent(self) -> Spent:
        """Odometer: what the charges amount to so far."""
        return self._ledger.snapshot().spent

    @property
    def remaining(self) -> Remaining:
        """What can still be charged."""
        return self._ledger.snapshot().remaining

    @property
    def entries(self) -> Entries:
        """All charges, oldest first; ``entries.to_frame()`` is a table."""
        return self._ledger.snapshot().entries

    @property
    def head(self) -> str:
        """Hash of the last event. Export it: later `verify` can hold the ledger to it."""
        return self._ledger.state().head

    def verify(self, head: str | None = None) -> str:
        """Check every event of the file, from the first.

        An edited, removed or reordered event is found. Two things can't be seen from the
        file alone, and need a head that was exported before: that the last events were
        removed, and that the whole chain was written anew.

        Parameters
        ----------
        head : str, default=None
            A head exported earlier; the ledger must still contain it.

        Returns
        -------
        str
            The head.

        Raises
        ------
        LedgerError
            If anything is wrong, saying what.
        """
        return self._ledger.verify(head)

    def to_json(self) -> str:
        """Return the ledger as JSON: ceiling, sums, and all events with their hashes."""
        return self._ledger.to_json()

    def __str__(self) -> str:
        return report_text(*self._ledger.snapshot())

    def _repr_html_(self) -> str:
        return report_html(*self._ledger.snapshot())

    # Charging ---------------------------------------------------------------------------

    def spend(
        self,
        loss_or_plan: Plan | PrivacyLoss | None = None,
        /,
        *,
        epsilon: float | None = None,
        delta: float = 0.0,
        mu: float | None = None,
        source: str | None = None,
    ) -> Entry:
        """Charge the ledger, in one transaction; make the release only after it returns.

        Parameters
        ----------
        loss_or_plan : Plan or PrivacyLoss
            What to charge. Else give `mu`, or `epsilon`.
        epsilon : float, default=None
            Budget of an (epsilon, delta) release of unknown form. It is charged as the mu
            of a pure epsilon-DP release, which is dear: prefer `mu` for Gaussian noise.
        delta : float, default=0.0
            Goes with `epsilon` or `mu`.
        mu : float, default=None
            Price in Gaussian differential privacy: sensitivity / noise scale.
        source : str, default=None
            What is charged, for the ledger.

        Returns
        -------
        Entry

        Raises
        ------
        BudgetExceededError
            If the charge would pass the ceiling.
        LedgerError
            If the ledger can't be written or trusted, or its adjacency is not the plan's.
        """
        charge = Charge.of(loss_or_plan, epsilon=epsilon, delta=delta, mu=mu, source=source)
        return self._ledger.charge(charge)

    def fail(self, uid: str, reason: str) -> None:
        """Note that what an entry paid for stopped with an error. The charge stands.

        Parameters
        ----------
        uid : str
            The entry.
        reason : str
            Class of the error. Never its text, which may speak of rows.
        """
        self._ledger.fail(uid, reason)

    def reserve(
        self, epsilon: float, delta: float, *, delta_reserve: float | None = None
    ) -> "PrivacyAccountant":
        """Charge a budget now and return an accountant that spends it later.

        For work whose price is decided as it runs: the whole budget is charged before it
        starts, and what it does not use stays charged.

        Parameters
        ----------
        epsilon, delta : float
            Ceiling of the returned accountant.
        delta_reserve : float, default=None
            As of `PrivacyAccountant`. None: a hundredth of `delta` if this ledger can pay
            that too, else 0.

        Returns
        -------
        PrivacyAccountant
            In the same file.

        Raises
        ------
        BudgetExceededError
            If the budget would pass the ceiling.
        """
        check_budget("reserve", epsilon, delta, delta_reserve)
        (uid,) = self._ledger.pay_for("reserve", ["reserve"], epsilon, delta, delta_reserve)
        return self._inner(uid, epsilon, delta)

    def partition(
        self,
        X: Any,
        y: Any = None,
        *,
        n_parts: int,
        epsilon: float,
        delta: float,
        delta_reserve: float | None = None,
    ) -> list[Part]:
        """Split the rows into disjoint parts, each with an accountant of its own.

        Every row's part is drawn by its own secret coin, so a record is in one part only
        and all parts together cost the largest: the budget of one part, charged here and
        now. Fit what you like on each part with its accountant.

        Parameters
        ----------
        X, y
            Rows and targets: arrays, sparse matrices, data frames or lists.
        n_parts : int
            Number of parts.
        epsilon, delta, delta_reserve
            Ceiling of each part, as in `reserve`.

        Returns
        -------
        list of Part
            Named tuples (X, y, accountant).

        Raises
        ------
        BudgetExceededError
            If the budget of one part would pass the ceiling.
        """
        if isinstance(n_parts, bool) or not isinstance(n_parts, int) or n_parts < 1:
            raise ValueError(
                "The 'n_parts' parameter of partition must be an int in the range [1, inf). "
                f"Got {n_parts!r} instead."
            )
        check_budget("partition", epsilon, delta, delta_reserve)
        rows = split_rows(X, y, n_parts)
        names = [f"part {number} of {n_parts}" for number in range(1, n_parts + 1)]
        uids = self._ledger.pay_for("partition", names, epsilon, delta, delta_reserve)
        return [
            Part(part_X, part_y, self._inner(uid, epsilon, delta))
            for (part_X, part_y), uid in zip(rows, uids, strict=True)
        ]

    def dataset(self, name: str, *, epsilon: float, delta: float) -> "PrivacyAccountant":
        """Return the accountant of another data set, with its own ceiling in the same file.

        Its charges don't count here: the two ceilings are about different people. If someone
        is in both data sets, both ceilings apply to them and add up.

        Parameters
        ----------
        name : str
            Label of the data set. The same name gives the same accountant.
        epsilon, delta : float
            Its ceiling.

        Returns
        -------
        PrivacyAccountant

        Raises
        ------
        LedgerError
            If the data set was opened with another ceiling.
        """
        terms = _checked_terms(epsilon, delta, self.adjacency, None)
        return self._inner(self._ledger.open_dataset(name, terms), epsilon, delta)

    def _inner(self, uid: str, epsilon: float, delta: float) -> "PrivacyAccountant":
        """Return the accountant of another ledger in the same file."""
        return _attach(uid, self.path, self._durable, (float(epsilon), float(delta)))

    # Estimators -------------------------------------------------------------------------

    def bind(self, estimator: Any) -> Any:
        """Make every private estimator inside `estimator` charge this accountant.

        Parameters
        ----------
        estimator : estimator
            A private estimator, or a pipeline, search or ensemble that holds some. It is
            changed in place; searches get ``error_score="raise"``.

        Returns
        -------
        estimator
            The same object.

        Warns
        -----
        PrivacyWarning
            Naming what reads rows without a charge.
        """
        return bind(self, estimator)

    def allocate(
        self,
        estimator: Any,
        weights: Mapping[str, float] | None = None,
        *,
        classes: Sequence[Any] | None = None,
    ) -> Any:
        """Share out what remains of the budget over the private steps of an estimator.

        Parameters
        ----------
        estimator : estimator
            A private estimator, or a pipeline, search or ensemble that holds some.
        weights : dict of str to float, default=None
            Part of the budget for each step, by name or by nested parameter path: of mu
            squared, or of epsilon where delta = 0. None: equal parts.
        classes : sequence, default=None
            Class labels, where a price depends on them.

        Returns
        -------
        estimator
            A bound clone whose fits together cost what remains. A step with
            ``epsilon=None``, which has no guarantee, is given an epsilon like any other: its
            private mode is turned on.

        Raises
        ------
        BudgetExceededError
            If nothing remains.
        ValueError
            If the weights don't match the steps, the number of fits can't be known, or a
            step has no private mode.

        Warns
        -----
        PrivacyWarning
            Naming what reads rows without a charge.
        """
        return allocate(self, self._ledger, estimator, weights, classes=classes)

    def preview(
        self,
        estimator: Any,
        *,
        n_features: int | None = None,
        n_rows: int | None = None,
        classes: Sequence[Any] | None = None,
    ) -> Preview:
        """Return the price of every fit before the first.

        Parameters
        ----------
        estimator : estimator
            A private estimator, or a pipeline, search or ensemble that holds some.
        n_features : int, default=None
            Number of columns, where a price depends on it.
        n_rows : int, default=None
            Number of rows; public under replace-one adjacency alone.
        classes : sequence, default=None
            Class labels, where a price depends on them.

        Returns
        -------
        Preview

        Warns
        -----
        PrivacyWarning
            Naming what reads rows without a charge.
        """
        facts = Facts(
            adjacency=self.adjacency,
            n_features=n_features,
            n_rows=n_rows,
            classes=None if classes is None else tuple(classes),
        )
        return preview(self._ledger, estimator, facts)


def _checked_terms(
    epsilon: float, delta: float, adjacency: Adjacency, delta_reserve: float | None
) -> Terms:
    if not epsilon > 0:
        raise ValueError(
            "The 'epsilon' parameter of PrivacyAccountant must be a float in the range (0, inf]. "
            f"Got {epsilon!r} instead."
        )
    if not 0 <= delta < 1:
        raise ValueError(
            "The 'delta' parameter of PrivacyAccountant must be a float in the range [0, 1). "
            f"Got {delta!r} instead."
        )
    if delta_reserve is not None and not 0 <= delta_reserve <= delta:
        raise ValueError(
            "The 'delta_reserve' parameter of PrivacyAccountant must be a float in the range "
            f"[0, delta]. Got {delta_reserve!r} instead."
        )
    reserve = None if delta_reserve is None else float(delta_reserve)
    return Terms.of_ceiling(float(epsilon), float(delta), check_adjacency(adjacency), reserve)


def _attach(uid: str, path: str, durable: bool, shown: tuple[float, float]) -> PrivacyAccountant:
    """Return this process's accountant for a ledger, without touching the file."""
    with process_lock:
        accountant = _accountants.get((uid, path))
        if accountant is None:
            accountant = object.__new__(PrivacyAccountant)
            accountant._ledger = Ledger(uid, LedgerStore.at(path, durable=durable))
            accountant._durable = durable
            accountant._shown = shown
            _accountants[(uid, path)] = accountant
        return accountant


def _attach_root(path: str, *, durable: bool, expected: Terms | None = None) -> PrivacyAccountant:
    """Return the accountant for the main ledger of a file, after checking its chain."""
    store = LedgerStore.at(path, durable=durable)
    with store.transaction(write=False) as transaction:
        uid = transaction.root()
    terms = Ledger(uid, store).terms()
    if expected is not None:
        check_same_terms(terms, expected, path)
    return _attach(uid, path, durable, (terms.epsilon, terms.delta))


def adopt_ledger(path: str | os.PathLike[str]) -> PrivacyAccountant:
    """Take over a ledger file that was moved here from another host, for good.

    From then on charges are refused on the host it came from, if it still sees the file.

    Parameters
    ----------
    path : str or path-like
        The ledger.

    Returns
    -------
    PrivacyAccountant

    Raises
    ------
    LedgerError
        If the file can't be read, trusted or written.
    """
    accountant = PrivacyAccountant.open(path)
    LedgerStore.at(accountant.path, durable=True).adopt()
    return accountant
