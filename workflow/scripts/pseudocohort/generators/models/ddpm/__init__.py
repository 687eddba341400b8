"""Conditional denoising diffusion."""

from ....core.settings import choice, number
from ...base.common_settings import (
    BLOCKS,
    DIFFUSION,
    EARLY_STOPPING,
    LATENT_OR_GENES,
    TRAINING,
    WEIGHT_DECAY,
    WIDTH,
)  # fmt: skip
from ...base.description import Capabilities, Description

DDPM = Description(
    name="ddpm",
    summary="conditional denoising diffusion, DDIM sampling",
    source="Ho, Jain & Abbeel 2020, NeurIPS; Song, Meng & Ermon 2021, ICLR",
    implementation="model:DDPM",
    capabilities=Capabilities(trained=True, composition=True, unlabeled=True, mask=True),
    settings=LATENT_OR_GENES
    | WIDTH
    | BLOCKS
    | TRAINING
    | WEIGHT_DECAY
    | EARLY_STOPPING
    | {
        "schedule": choice("cosine", "How noise grows with the diffusion step.", ["linear", "quadratic", "cosine"]),
        "prediction": choice(
            "velocity", "What the network predicts: the noise, or the velocity, which stays well conditioned where "
            "nearly all signal is gone.", ["noise", "velocity"],
        ),
        "condition_dropout": number(
            0.1, "Share of the training profiles without their condition, which guidance needs.", minimum=0, below=1
        ),
        "sampler": choice(
            "ddim", "DDIM, DPM-Solver++ of second order (20 steps will do), or ancestral sampling with all diffusion "
            "steps.", ["ddim", "dpm", "ancestral"],
        ),
        "eta": number(0.0, "Share of fresh noise in each DDIM step; 0 = deterministic.", minimum=0, maximum=1),
        "weighting": choice(
            "none", "Weights of the diffusion steps in the loss: all equal, or by signal-to-noise ratio cut at 5.",
            ["none", "min_snr"],
        ),
        "precision": choice(
            "float32", "Precision of products of matrices; bfloat16 trains networks on the genes themselves three "
            "times as fast.", ["float32", "bfloat16"],
        ),
    }
    | DIFFUSION,
    # Hyper-parameters that Lacan et al. (2024; committed best values for TCGA) found by search. Their two blocks of
    # 4,096 hidden units have 63 million parameters, as ours have at 3,200.
    presets={
        "paper": {
            "components": 0,
            "width": 3200,
            "blocks": 2,
            "batch": 2048,
            "steps": 75_000,
            "max_epochs": 15_000,
            "learning_rate": 1.416e-3,
            "weight_decay": 0.0,
            "decay": 0.999,
            "schedule": "quadratic",
            "prediction": "noise",
            "condition_dropout": 0.0,
            "sampling_steps": 1000,
            "precision": "bfloat16",
        }
    },
    colour="#0072B2",
    order=24,
    assumptions="None beyond those of the latent space.",
    limits="With many components and long training it learns training profiles by heart; fewer components and "
    "max_epochs keep it from that. A profile takes sampling_steps passes through the network.",
)  # fmt: skip

GENERATORS = (DDPM,)
