"""The property tests; `python -m pytest` runs them all."""
