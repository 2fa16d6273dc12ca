from hypothesis import settings

pytest_plugins = ["pytester", "instrument_populations"]

# How long an example takes says nothing on a machine that is shared: one that takes 20 ms took 340 beside other work.
settings.register_profile("harness", deadline=None)
settings.load_profile("harness")
