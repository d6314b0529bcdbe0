"""The lists of data sets that constants may be chosen on, and those they are judged by.

``datasets.md`` says how they came about and the rule that binds whoever changes a default.
"""

DEVELOPMENT = (
    *("adult", "telco_churn", "flchain", "police_stops", "default", "lending_club"),
    *("digits", "diamonds", "hotel_rates", "diabetes"),
    # Looked at while the additive and the linear models were designed.
    *("census_income", "german_credit"),
    # Held out until the first defaults had been published; used up since.
    *("car_accidents", "caravan", "mlc_churn", "credit_cards", "stackoverflow", "fertility"),
    *("breast_cancer", "iris", "wine", "cps1988", "cpssw8"),
)
"""Every set that a script of this folder had read before the second list was frozen."""

HELD_OUT = (
    *("trump_vote", "wives_insurance", "attrition", "credit_status", "mortgage_denial"),
    *("rearrest", "health_insurance", "arrest_release", "titanic"),
    *("chile_vote", "hpc_jobs"),
    *("gss_income", "windsor_houses", "saratoga_houses"),
)
"""Frozen on 2026-11-24, before any model had been fitted on one of them."""

LISTS = {"development": DEVELOPMENT, "held-out": HELD_OUT}
