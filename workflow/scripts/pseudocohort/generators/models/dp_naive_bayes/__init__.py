"""Gaussian naive Bayes under differential privacy."""

from ....core.settings import number
from ...base.common_settings import PRIVACY
from ...base.description import Capabilities, Description

DP_NAIVE_BAYES = Description(
    name="dp_naive_bayes",
    summary="class means and gene variances with differential privacy, genes independent",
    source="Vaidya et al. 2013, WI-IAT; Dwork & Roth 2014, Found. Trends Theor. Comput. Sci. 9:211",
    implementation="model:DPNaiveBayes",
    capabilities=Capabilities(covariates=False, private=True),
    settings=PRIVACY | {"bound": number(3.0, "Deviation from the mean that squares are cut to, log2 units.", above=0)},
    order=30,
    assumptions="Genes are Gaussian and independent given the condition, with one variance each.",
    limits="There is no correlation between genes. With few donors noise outweighs the contrasts between conditions.",
)

GENERATORS = (DP_NAIVE_BAYES,)
