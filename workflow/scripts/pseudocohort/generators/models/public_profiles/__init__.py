"""The public profiles themselves."""

from ...base.common_settings import PRIVACY, with_defaults
from ...base.description import Capabilities, Description

PUBLIC_PROFILES = Description(
    name="public_profiles",
    summary="public profiles as they are, with their labels; no training donor is looked at",
    source="control",
    implementation="model:PublicProfiles",
    capabilities=Capabilities(covariates=False, private=True, needs_public=True),
    settings=with_defaults(PRIVACY, epsilon=0, public="reference"),
    control=True,
    order=29,
    assumptions="Public profiles with labels are at hand.",
    limits="It knows nothing of the training donors: what a private generator with the same public profiles adds is "
    "the difference.",
)

GENERATORS = (PUBLIC_PROFILES,)
