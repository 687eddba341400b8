"""A Gaussian in the principal components of public profiles, under differential privacy."""

from ....core.settings import choice, integer, number
from ...base.common_settings import PRIVACY
from ...base.description import Capabilities, Description

DP_COMPONENTS = Description(
    name="dp_components",
    summary="Gaussian in the components of public profiles, class means and covariance with differential privacy",
    source="this project; Dwork & Roth 2014, Found. Trends Theor. Comput. Sci. 9:211 (Gaussian mechanism)",
    implementation="model:DPComponents",
    capabilities=Capabilities(covariates=False, private=True, needs_public=True),
    settings=PRIVACY
    | {
        "components": integer(12, "Principal components of the public profiles, at most.", minimum=1),
        "radius": number(0.8, "Length (root mean square over components) to which donors are cut.", above=0),
        "mean_radius": number(1.0, "Length (root mean square over genes) to which donors' residuals are cut.", above=0),
        "residuals": choice(
            "public_rows",
            "What is beyond the components: the residual of a public profile with similar components as it is, or a "
            "Gaussian with the public residuals' shrunk covariance and lengths.",
            ["public_rows", "gaussian"],
        ),
    },
    order=31,
    assumptions="Public profiles of the same tissue are at hand, whose labels are not used; conditions differ in their "
    "means along the public profiles' components and share one covariance.",
    limits="Public profiles are not protected, and what lies beyond their components is theirs. A condition of few "
    "donors is the common mean. With a hundred donors little is left at small epsilon.",
)

GENERATORS = (DP_COMPONENTS,)
