"""Conditional variational autoencoder."""

from ....core.settings import integer, number
from ...base.common_settings import EARLY_STOPPING, LATENT, LAYERS, TRAINING, WEIGHT_DECAY, WIDTH, with_defaults
from ...base.description import Capabilities, Description

CVAE = Description(
    name="cvae",
    summary="conditional variational autoencoder with learned output noise",
    source="Sohn, Lee & Yan 2015, NeurIPS; Rybkin et al. 2021, ICML",
    implementation="model:CVAE",
    capabilities=Capabilities(trained=True, composition=True, unlabeled=True, mask=True),
    settings=with_defaults(LATENT, components=32)
    | {"latent": integer(16, "Dimensions of the latent variable.", minimum=1)}
    | WIDTH
    | LAYERS
    | with_defaults(TRAINING | WEIGHT_DECAY, steps=1000, weight_decay=1e-4)
    | EARLY_STOPPING
    | {"beta": number(1.0, "Weight of the divergence from the prior in the loss.", minimum=0)},
    colour="#F0E442",
    order=22,
    assumptions="Components are Gaussian given a Gaussian latent variable of few dimensions, with a noise of their "
    "own that all profiles share.",
    limits="Conditions share one prior, so that what differs between them beyond the mean is the decoder's to learn.",
)

GENERATORS = (CVAE,)
