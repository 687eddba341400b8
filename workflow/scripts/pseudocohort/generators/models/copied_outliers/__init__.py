"""Positive control of the gate."""

from ....core.settings import integer, number
from ...base.description import Capabilities, Description

COPIED_OUTLIERS = Description(
    name="copied_outliers",
    summary="a coarse Gaussian with copies of a few outlying donors in it",
    source="control; outliers as in Meeus et al. 2023, ESORICS (Achilles' heels)",
    implementation="model:CopiedOutliers",
    capabilities=Capabilities(covariates=False),
    settings={
        "share": number(
            0.05, "Share of each condition's training profiles that are copied, at least one.", above=0, maximum=1
        ),
        "neighbours": integer(5, "An outlier's mean distance to so many others is large.", minimum=1),
        "grid": number(0.5, "Grid of means and standard deviations of genes.", above=0),
    },
    control=True,
    order=4,
    assumptions="None.",
    limits="The positive control of the release gate: a few donors' profiles are in it, and nothing else of any donor.",
)

GENERATORS = (COPIED_OUTLIERS,)
