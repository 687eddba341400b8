"""Mixture of probabilistic principal component analysers, one per condition and level."""

from ....core.settings import integer
from ...base.description import Capabilities, Description

PPCA = Description(
    name="ppca",
    summary="probabilistic principal components per condition",
    source="Tipping & Bishop 1999, J. R. Stat. Soc. B 61:611",
    implementation="model:PPCA",
    capabilities=Capabilities(composition=True, unlabeled=True),
    settings={
        "components": integer(
            0, "Components of each condition and level; 0 = as many as held-out likelihood prefers.", minimum=0
        )
    },
    order=12,
    assumptions="Profiles are Gaussian given condition and level, with noise of one size in all genes.",
    limits="Genes that vary little get the noise of all. A condition with fewer than twenty profiles takes the "
    "components of its level.",
)

GENERATORS = (PPCA,)
