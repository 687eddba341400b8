"""Generators with networks under differential privacy."""

from typing import Any

from ....core.settings import Setting
from ...base.common_settings import DP_SGD, EARLY_STOPPING, PRIVACY, with_defaults
from ...base.description import Capabilities, Description
from ..adversarial import WGAN_GP
from ..cvae import CVAE
from ..ddpm import DDPM
from ..flow import FLOW

_CAPABILITIES = Capabilities(trained=True, covariates=False, private=True)
_ASSUMPTIONS = (
    "A donor enters training as one gradient cut to a fixed norm, and statistics as vectors cut to fixed lengths."
)
_LIMITS = "With tens or hundreds of donors the noise outweighs most of what there is to learn. No loss curve is kept."


def _settings(public: Description, **changed: Any) -> dict[str, Setting]:
    """Settings of the generator without privacy, less what counts training rows, and those of DP-SGD."""
    # Quantiles, moments and a validation loss would be exact statistics of donors.
    left_out = {"max_epochs", "marginals", "moments", "profiles_per_component", *EARLY_STOPPING}
    kept = {name: setting for name, setting in public.settings.items() if name not in left_out}
    return with_defaults(kept | PRIVACY | DP_SGD, **changed)


DP_CVAE = Description(
    name="dp_cvae",
    summary="conditional variational autoencoder trained with differential privacy",
    source="Abadi et al. 2016, CCS; Sohn, Lee & Yan 2015, NeurIPS",
    implementation="model:DPCVAE",
    capabilities=_CAPABILITIES,
    settings=_settings(CVAE, components=16, width=64, steps=300, weight_decay=0.0),
    order=31,
    assumptions=_ASSUMPTIONS,
    limits=_LIMITS,
)
DP_DDPM = Description(
    name="dp_ddpm",
    summary="conditional denoising diffusion trained with differential privacy",
    source="Dockhorn et al. 2023, TMLR; Abadi et al. 2016, CCS",
    implementation="model:DPDDPM",
    capabilities=_CAPABILITIES,
    settings=_settings(DDPM, components=16, width=64, blocks=2, steps=300, weight_decay=0.0)
    | {"components": CVAE.settings["components"].but(16)},
    order=32,
    assumptions=_ASSUMPTIONS,
    limits=_LIMITS,
)
DP_FLOW = Description(
    name="dp_flow",
    summary="noised Gaussian refined by flow matching with differential privacy",
    source="Lipman et al. 2023, ICLR; Abadi et al. 2016, CCS",
    implementation="model:DPFlow",
    capabilities=_CAPABILITIES,
    settings=_settings(FLOW, components=16, width=64, blocks=2, steps=300, weight_decay=0.0),
    order=33,
    assumptions=_ASSUMPTIONS,
    limits=_LIMITS,
)
DP_WGAN_GP = Description(
    name="dp_wgan_gp",
    summary="conditional Wasserstein GAN, critic trained with differential privacy",
    source="Xie et al. 2018, arXiv:1802.06739; Gulrajani et al. 2017, NeurIPS",
    implementation="model:DPWGANGP",
    capabilities=_CAPABILITIES,
    settings=_settings(
        WGAN_GP, components=16, width=128, max_grad_norm=5.0, steps=150, critic_steps=3, noise_multiplicity=1
    )
    | {"components": CVAE.settings["components"].but(16)},
    order=34,
    assumptions=_ASSUMPTIONS,
    limits=_LIMITS,
)

GENERATORS = (DP_CVAE, DP_DDPM, DP_FLOW, DP_WGAN_GP)
