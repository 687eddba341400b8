"""Generators trained against a critic: conditional GAN and Wasserstein GAN."""

from ....core.settings import Setting, choice, integer, number
from ...base.common_settings import LATENT_OR_GENES, LAYERS, MOMENTS, TRAINING, WIDTHS, with_defaults
from ...base.description import Capabilities, Description

_CAPABILITIES = Capabilities(trained=True, composition=True, unlabeled=True, mask=True)
_NOISE = {"noise": integer(64, "Dimensions of the noise that profiles are made from.", minimum=1)}
_LIMITS = (
    "A generator that only has to deceive its critic keeps too little variance; the setting moments gives it back. "
    "Training is a game without a loss that says when to stop, so that there is no early stopping."
)

GAN = Description(
    name="gan",
    summary="conditional GAN, non-saturating loss",
    source="Goodfellow et al. 2014, NeurIPS; Miyato & Koyama 2018, ICLR; Mescheder et al. 2018, ICML",
    implementation="gan:GAN",
    capabilities=_CAPABILITIES,
    settings=with_defaults(LATENT_OR_GENES | _NOISE | WIDTHS | LAYERS | TRAINING, batch=64, steps=1500, max_epochs=300)
    | {
        "r1": number(5.0, "Weight of the R1 penalty on the discriminator's gradient at real profiles.", minimum=0),
        "r1_every": integer(4, "Steps between two R1 penalties.", minimum=1),
    }
    | MOMENTS,
    colour="#E69F00",
    order=20,
    assumptions="What tells real from generated profiles is seen by a network as wide as the generator.",
    limits=_LIMITS,
)
WGAN_GP = Description(
    name="wgan_gp",
    summary="conditional Wasserstein GAN with gradient penalty",
    source="Gulrajani et al. 2017, NeurIPS; Lacan, Sebag & Hanczar 2023, Bioinformatics 39:i111",
    implementation="wgan_gp:WGANGP",
    capabilities=_CAPABILITIES,
    settings=with_defaults(
        LATENT_OR_GENES | _NOISE | WIDTHS | LAYERS | TRAINING,
        components=32, batch=64, steps=400, max_epochs=1000, decay=0.99,
    )
    | {
        "critic_steps": integer(5, "Steps of the critic for each step of the generator.", minimum=1),
        "penalty": number(10.0, "Weight of the gradient penalty.", minimum=0),
        "optimiser": choice("adam", "Optimiser of generator and critic.", ["adam", "rmsprop"]),
        "critic_width": Setting(
            0,
            "Units of a hidden layer of the critic, or a list with those of each; 0 = as the generator.",
            {
                "anyOf": [
                    {"type": "integer", "minimum": 0},
                    {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 1},
                ]
            },
        ),
        "critic_learning_rate": number(
            0.0, "Step size of the critic's optimiser; 0 = as the generator's.", minimum=0, maximum=10
        ),
    }
    | MOMENTS,
    # Hyper-parameters that Lacan et al. (2024; committed best values for TCGA) found by search: genes instead of
    # components, RMSprop, a far wider generator.
    presets={
        "paper": {
            "components": 0,
            "moments": False,
            "noise": 32,
            "width": [256, 1024, 8192],
            "critic_width": [4096, 128],
            "steps": 200_000,
            "max_epochs": 1000,
            "learning_rate": 2.8e-4,
            "critic_learning_rate": 1.2e-4,
            "optimiser": "rmsprop",
        }
    },
    colour="#D55E00",
    order=21,
    assumptions="The critic is kept near to Lipschitz by a penalty between real and generated profiles of a condition.",
    limits=_LIMITS,
)  # fmt: skip

GENERATORS = (GAN, WGAN_GP)
