"""Settings that several generators share, each declared once; a plug-in takes a group and changes defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...core.settings import Setting, boolean, choice, integer, many, number, text

#: Schema of the widths of hidden layers: one for all of them, or one each.
_WIDTHS = {
    "anyOf": [
        {"type": "integer", "minimum": 1},
        {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
    ]
}

#: The latent space (:mod:`..space.latent`).
LATENT = {
    "components": integer(64, "Principal components of the residuals around class means, at most.", minimum=1),
    "profiles_per_component": integer(
        12,
        "Degrees of freedom that each component beyond the first 16 takes; 0 = as many components as `components` asks "
        "for, and half the degrees of freedom allow.",
        minimum=0,
    ),
    "marginals": integer(
        20,
        "Knots, at most, of the map that makes each gene's residuals normal; 0 = neither that map, nor that of the "
        "components, nor the size of the noise.",
        minimum=0,
    ),
}
#: The same for networks that can work on the genes themselves.
LATENT_OR_GENES = LATENT | {
    "components": integer(
        64,
        "Principal components of the residuals around class means, at most; 0 = the network works on the genes "
        "themselves.",
        minimum=0,
    )
}

#: Length and optimiser of a training run.
TRAINING = {
    "batch": integer(128, "Profiles in a training step.", minimum=1),
    "steps": integer(800, "Training steps, at most.", minimum=1),
    "max_epochs": integer(
        400, "Times that a profile is seen on average, at most: fewer steps for small training sets.", minimum=1
    ),
    "learning_rate": number(1e-3, "Step size of the optimiser.", minimum=0, maximum=10),
    "decay": number(
        0.995, "Decay of the exponential moving average of the weights, which is what is sampled from.",
        minimum=0, below=1,
    ),
}  # fmt: skip
WEIGHT_DECAY = {"weight_decay": number(1e-3, "Decoupled weight decay of AdamW.", minimum=0)}
#: Early stopping; off by default.
EARLY_STOPPING = {
    "validation": number(
        0.0, "Share of the donors of each condition held out for early stopping; 0 = none.", minimum=0, below=1
    ),
    "patience": integer(
        20, "Points of the loss curve (hundredths of the longest training) without a lower validation loss that end "
        "the training.", minimum=1,
    ),
}  # fmt: skip

WIDTH = {"width": integer(128, "Units of a hidden layer, at most; fewer for small training sets.", minimum=1)}
#: Hidden layers of multilayer perceptrons.
LAYERS = {"layers": integer(2, "Hidden layers.", minimum=1)}
#: Blocks of the residual networks of diffusion models and flows.
BLOCKS = {"blocks": integer(3, "Residual blocks.", minimum=1)}
WIDTHS = {
    "width": Setting(
        128, "Units of a hidden layer, at most (fewer for small training sets), or a list with those of each.", _WIDTHS
    )
}
MOMENTS = {
    "moments": boolean(
        True, "Whether an affine map after training gives drawn rows the means and covariances of the training rows."
    )
}
DIFFUSION = {
    "diffusion_steps": integer(1000, "Steps of the forward process.", minimum=1),
    "sampling_steps": integer(50, "Steps of sampling.", minimum=1),
    "guidance": number(
        1.0, "Weight of the conditional prediction in classifier-free guidance; 1 = no guidance.", minimum=0
    ),
}

#: Settings of every generator with differential privacy.
PRIVACY = {
    "epsilon": Setting(
        3.0,
        "Privacy budget epsilon of the whole model, in nats; 0 = nothing of the training donors, null = no noise and "
        "no guarantee.",
        {"type": ["number", "null"], "minimum": 0, "maximum": 100},
    ),
    "delta": number(1e-5, "Delta at which epsilon holds.", above=0, below=1),
    "genes": choice(
        "chosen",
        "Whether the genes were chosen on training donors, which voids the guarantee, or are public: fixed without "
        "them.",
        ["chosen", "public"],
    ),
    "conditions": many(
        [],
        "Conditions that are public knowledge, by name; donors of others are left out. [] = those of the donors, which "
        "voids the guarantee.",
        {"type": "string"},
    ),
    "public": text(
        "none",
        "Profiles that need no protection: none, reference (the donors that the plan sets aside) or the name of a "
        "dataset of the study. They are taken out of training.",
    ),
    "noise_seed": choice(
        "system",
        "Whether noise comes from the system's secure source, or from the study's seed, which voids the guarantee.",
        ["system", "study"],
    ),
}
#: Settings of those that make a centre of their own where nothing is public.
CENTRED = {
    "centre": number(8.0, "Middle of the interval that a profile's mean over genes is cut to, log2 units."),
    "centre_span": number(8.0, "Half the width of that interval, log2 units.", above=0),
    "centre_radius": number(
        3.0, "Root mean square, around its mean, that a profile is cut to for the mean profile, log2 units.", above=0
    ),
    "radius": number(
        1.5, "Root mean square, around the mean profile, that a profile is cut to for all else, log2 units.", above=0
    ),
}
#: Settings of DP-SGD beside those of privacy.
DP_SGD = {
    "statistics_share": number(0.4, "Share of epsilon for counts, means and covariance.", above=0, below=1),
    "max_grad_norm": number(1.0, "Norm that each donor's gradient is cut to.", above=0),
    "noise_multiplicity": integer(
        4, "Draws of time and noise that a donor's gradient is the mean of, before it is cut.", minimum=1
    ),
}


def with_defaults(settings: Mapping[str, Setting], **changed: Any) -> dict[str, Setting]:
    """`settings`, some of them with other defaults.

    Raises
    ------
    KeyError
        If there is no such setting.
    """
    return {**settings, **{name: settings[name].but(default) for name, default in changed.items()}}


def with_help(setting: Setting, help: str) -> Setting:
    """The same setting with another meaning."""
    return replace(setting, help=help)
