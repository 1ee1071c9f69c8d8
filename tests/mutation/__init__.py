"""A mutation test of this suite: every fault that is planted in the packages, one at a time, is to make a test fail.

`mutants` says which faults are planted, `suite` runs the tests on them, and ``python -m tests.mutation`` does both.

Own code, because neither of the well-kept tools plants the faults that matter here (both were run): mutmut 3.8 leaves
everything outside of functions alone, so the whole table of derivatives, and cosmic-ray 8.7 leaves ``+=`` and
statements alone, rewrites the files in the checkout, and starts Python anew for every mutant.
"""
