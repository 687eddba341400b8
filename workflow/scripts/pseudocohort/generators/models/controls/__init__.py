"""Control generators: what every number in a table is to be read against."""

from ....core.settings import integer, number
from ...base.description import Capabilities, Description

#: They repeat profiles, so that effects of covariates cannot be put in.
_REPEATS = Capabilities(covariates=False)

COPY = Description(
    name="copy",
    summary="copies of the training profiles",
    source="control; Heusel et al. 2017 use the training set as a reference in the same way",
    implementation="model:Copy",
    capabilities=_REPEATS,
    control=True,
    order=0,
    assumptions="None.",
    limits="Every profile is a training donor's: nothing is private. It cannot place a condition at a level at which "
    "it was not seen.",
)
JITTER = Description(
    name="jitter",
    summary="training profiles plus independent noise",
    source="Bishop 1995, Neural Computation 7:108 (training with noise)",
    implementation="model:Jitter",
    capabilities=_REPEATS,
    settings={"noise": number(0.3, "Standard deviation of the noise, in those of each gene.", minimum=0)},
    control=True,
    order=1,
    assumptions="Noise of the genes is independent.",
    limits="Every profile lies beside a training donor's, and attacks by distance find it.",
)
MIXUP = Description(
    name="mixup",
    summary="SMOTE: between a training profile and a near one of its condition",
    source="Chawla et al. 2002, JAIR 16:321",
    implementation="model:Mixup",
    capabilities=_REPEATS,
    settings={"neighbours": integer(5, "Nearest neighbours of a profile, one of which is drawn.", minimum=1)},
    control=True,
    order=2,
    assumptions="What lies between two near profiles of a condition is a profile of that condition.",
    limits="Profiles are convex combinations of two training profiles: variance is too small, and a condition with "
    "one profile is copied.",
)
INDEPENDENT = Description(
    name="independent",
    summary="class means and standard deviations, genes independent",
    source="control; the Gaussian naive Bayes model",
    implementation="model:Independent",
    control=True,
    order=3,
    assumptions="Genes are Gaussian and independent given condition and level.",
    limits="There is no correlation between genes. A group of fewer than three donors takes the pooled standard "
    "deviations.",
)

GENERATORS = (COPY, JITTER, MIXUP, INDEPENDENT)
