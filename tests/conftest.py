"""What all tests share: reproducible, unhurried property tests."""

from hypothesis import HealthCheck, settings

# Derandomised, so that a failure on one machine is a failure on all; no deadline, because
# a shared machine's timing is no property of the code.
settings.register_profile(
    "skprivacy",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("skprivacy")
