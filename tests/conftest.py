"""The fixtures are in ``harness.py``, so that tests can also import its helpers by a name that is theirs alone."""

pytest_plugins = ["harness"]
