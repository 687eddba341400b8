"""Peers: other people's generators, a file each, which run in environments of their own.

A peer's file says all about it: ``TITLE``, ``SOURCE`` (package or paper), ``LICENSE``, ``LIMITS`` (what it was limited
to here), ``ENVIRONMENT`` (a file in ``requirements``, or None for the project's own environment) and

    fit_sample(train, classes, n_per_class, seed) -> DataFrame

with ``train`` a DataFrame (profiles × genes, log2), ``classes`` an array with the class of each profile and
``n_per_class`` a dict; the result has the same columns, and the class of each row as its index. A peer may say the most
genes that it is given: ``MOST_GENES``. What a peer needs is imported inside ``fit_sample``: the tool lacks it.
"""
