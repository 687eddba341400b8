"""unCLIP for expression: joint embedding of all levels, prior, decoder."""

from ....core.settings import choice, integer, number
from ...base.common_settings import (
    BLOCKS,
    DIFFUSION,
    EARLY_STOPPING,
    LATENT,
    MOMENTS,
    TRAINING,
    WEIGHT_DECAY,
    WIDTH,
    with_defaults,
    with_help,
)  # fmt: skip
from ...base.description import Capabilities, Description

UNCLIP = Description(
    name="unclip",
    summary="joint embedding of cell and tissue level, prior, decoder",
    source="Ramesh et al. 2022, arXiv:2204.06125; Khosla et al. 2020, NeurIPS",
    implementation="model:UnCLIP",
    capabilities=Capabilities(trained=True, composition=True, unlabeled=True, mask=True),
    training_length=("steps", "embedding_steps", "max_epochs"),
    settings=LATENT
    | {"embedding": integer(16, "Dimensions of the joint embedding.", minimum=2)}
    | WIDTH
    | with_defaults(BLOCKS, blocks=2)
    | {"embedding_steps": integer(400, "Training steps of the embedding, at most.", minimum=1)}
    | TRAINING
    | {"steps": with_help(TRAINING["steps"], "Training steps of prior and decoder, at most.")}
    | WEIGHT_DECAY
    | EARLY_STOPPING
    | {
        "temperature": number(0.2, "Temperature of the contrastive loss.", above=0),
        "view_noise": number(0.3, "Standard deviation of the noise that makes two views of a profile.", minimum=0),
        "reconstruction": number(
            1.0, "Weight of the error of the linear reconstruction from the embedding.", minimum=0
        ),
        "z_dropout": number(
            0.1, "Share of the training profiles without their embedding, which guidance needs.", minimum=0, below=1
        ),
        "moments": with_help(
            MOMENTS["moments"], "Whether a shift after training gives drawn rows the means of the training rows."
        ),
        "prior": choice(
            "diffusion", "Prior of the embedding: a diffusion model, the class Gaussian of training embeddings, or "
            "their bootstrap.", ["diffusion", "gaussian", "neighbours"],
        ),
    }
    | DIFFUSION
    | {"guidance": with_help(DIFFUSION["guidance"], "Weight of the prediction given the embedding; 1 = no guidance.")},
    colour="#56B4E9",
    order=26,
    assumptions="What cell lines and tumours of a condition share can be seen in profiles by one encoder.",
    limits="Where a class has one profile, the prior knows one embedding: draws lie near to that profile. The model "
    "holds the embeddings of the training profiles.",
)  # fmt: skip

GENERATORS = (UNCLIP,)
