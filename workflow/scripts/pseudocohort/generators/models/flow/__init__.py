"""Residual latent flow: the class Gaussian, and what flow matching learns beyond it."""

from ...base.common_settings import (
    BLOCKS,
    DIFFUSION,
    EARLY_STOPPING,
    LATENT,
    TRAINING,
    WEIGHT_DECAY,
    WIDTH,
    with_defaults,
)  # fmt: skip
from ...base.description import Capabilities, Description

FLOW = Description(
    name="flow",
    summary="class Gaussian refined by conditional flow matching",
    source="Lipman et al. 2023, ICLR; Tong et al. 2024, TMLR",
    implementation="model:Flow",
    capabilities=Capabilities(trained=True, composition=True, unlabeled=True, mask=True),
    settings=LATENT
    | WIDTH
    | BLOCKS
    | with_defaults(TRAINING | WEIGHT_DECAY, steps=600, max_epochs=300)
    | EARLY_STOPPING
    | {"sampling_steps": DIFFUSION["sampling_steps"].but(20)},
    colour="#CC79A7",
    order=25,
    assumptions="Components are near to Gaussian in each condition.",
    limits="With few profiles, hence few steps, it stays the class Gaussian. Optimal pairs are found on the CPU, so "
    "that a GPU waits for them.",
)

GENERATORS = (FLOW,)
