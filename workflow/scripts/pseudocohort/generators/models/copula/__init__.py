"""Gaussian copula on principal components: their own marginals, Gaussian dependence."""

from ...base.common_settings import LATENT
from ...base.description import Capabilities, Description

COPULA = Description(
    name="copula",
    summary="Gaussian copula on principal components of the residuals",
    source="Nelsen 2006, An Introduction to Copulas; Patki, Wedge & Veeramachaneni 2016, DSAA",
    implementation="model:Copula",
    capabilities=Capabilities(composition=True, unlabeled=True),
    settings=LATENT,
    order=13,
    assumptions="Components depend on one another as a Gaussian's do, whatever their marginals are.",
    limits="Marginals of the components are common to all conditions. It is the latent space of the networks without "
    "a network: what a network adds is what it does better than this.",
)

GENERATORS = (COPULA,)
