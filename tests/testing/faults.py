"""Registers of estimators that break the contract, and of the checks that must see it."""


class Faults:
    """What is wrong with the estimators of one module.

    Attributes
    ----------
    exact : dict
        Estimators with the names of all the checks that they must fail, and of no others.
    caught : dict
        Estimators with one check that must see what they do wrong, whatever else does.
    """

    def __init__(self):
        self.exact = {}
        self.caught = {}

    def fails(self, *names):
        """Register an estimator with the checks that it must fail, and no others."""

        def register(kind):
            self.exact[kind] = {f"check_{name}" for name in names}
            return kind

        return register

    def caught_by(self, name):
        """Register an estimator with one check that it must fail."""

        def register(kind):
            self.caught[kind] = f"check_{name}"
            return kind

        return register
