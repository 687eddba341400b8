"""Conditional variational autoencoder of counts."""

from ...base.description import Capabilities, Description
from ..cvae import CVAE

NB_CVAE = Description(
    name="nb_cvae",
    summary="conditional variational autoencoder of counts, negative binomial",
    source="Lopez et al. 2018, Nature Methods 15:1053; Sohn, Lee & Yan 2015, NeurIPS",
    implementation="model:NBCVAE",
    capabilities=Capabilities(trained=True, composition=True, covariates=False, counts=True),
    settings={name: setting for name, setting in CVAE.settings.items() if name != "marginals"},
    order=23,
    assumptions="Counts are negative binomial around expected expression at their library size, with a dispersion for "
    "each gene and level.",
    limits="Datasets without counts are refused. It takes no covariates and clamps no genes, and the white-box attack "
    "on it would need the library sizes of candidates.",
)

GENERATORS = (NB_CVAE,)
