"""Denoising diffusion under differential privacy."""

from ....core.settings import integer
from ...base.common_settings import CENTRED, DP_SGD, EARLY_STOPPING, PRIVACY, with_defaults
from ...base.description import Capabilities, Description
from ..ddpm import DDPM

#: What counts training rows: quantiles, moments and a validation loss would be exact statistics of donors.
_LEFT_OUT = {"max_epochs", "marginals", "moments", "profiles_per_component", *EARLY_STOPPING}

DP_DDPM = Description(
    name="dp_ddpm",
    summary="conditional denoising diffusion trained with differential privacy",
    source="Dockhorn et al. 2023, TMLR; Abadi et al. 2016, CCS",
    implementation="model:DPDDPM",
    capabilities=Capabilities(trained=True, covariates=False, private=True),
    settings=with_defaults(
        {name: setting for name, setting in DDPM.settings.items() if name not in _LEFT_OUT}
        | PRIVACY | CENTRED | DP_SGD,
        width=64, blocks=2, steps=300, weight_decay=0.0,
    )
    | {"components": integer(16, "Principal components of the noised or public covariance, at most.", minimum=1)},
    order=32,
    assumptions="A donor enters training as one gradient cut to a fixed norm, and statistics as vectors cut to fixed "
    "lengths.",
    limits="With tens or hundreds of donors the noise outweighs most of what there is to learn. No loss curve is kept.",
)  # fmt: skip

GENERATORS = (DP_DDPM,)
