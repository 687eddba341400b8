"""Gaussians: shrunk, and as the CAMDA challenge has it."""

from ....core.settings import number
from ...base.description import Capabilities, Description

MVN = Description(
    name="mvn",
    summary="Gaussian with shrunk class means and covariances",
    source="Ledoit & Wolf 2004, J. Multivariate Analysis 88:365; Henderson 1975, Biometrics 31:423",
    implementation="model:MVN",
    capabilities=Capabilities(composition=True, unlabeled=True),
    control=True,
    colour="#009E73",
    order=10,
    assumptions="Profiles are Gaussian given condition and level. Contrasts of a condition at several levels are one "
    "draw of a Gaussian whose covariance over levels is common to genes.",
    limits="It shows no skewness, no modes within a class and no other shape beyond two moments. A class has a "
    "covariance of its own from ten donors on.",
)
MVN_CAMDA = Description(
    name="mvn_camda",
    summary="sample mean and 1.5 x sample covariance per class, as published",
    source="CAMDA Health Privacy Challenge 2025 baseline (PMBio/Health-Privacy-Challenge)",
    implementation="camda:MVNCamda",
    settings={"inflation": number(1.5, "Factor of the sample covariance.", minimum=0)},
    control=True,
    order=11,
    assumptions="Profiles are Gaussian given condition and level.",
    limits="With fewer profiles than genes its samples lie in the span of the training profiles, which tells an "
    "attacker every member. It cannot place a condition at a level at which it was not seen.",
)

GENERATORS = (MVN, MVN_CAMDA)
