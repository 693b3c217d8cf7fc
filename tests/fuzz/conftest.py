"""How many inputs are tried: a few each, or very many by --hypothesis-profile=long."""

from hypothesis import HealthCheck, settings

_ANY = {"deadline": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("short", max_examples=15, derandomize=True, database=None, **_ANY)
settings.register_profile("long", max_examples=1000, **_ANY)


def pytest_configure(config):
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("short")
