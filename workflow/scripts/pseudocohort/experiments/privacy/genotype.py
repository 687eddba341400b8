"""Genotype proxy: do members' genotype-driven genes survive in the synthetic cohort?

Genotypes of TCGA and GTEx are not open, so that matching profiles to genomes (Schadt, Woo & Hao 2012, Nat Genet 44:603;
Harmanci & Gerstein 2016, Nat Methods 13:251) cannot be tried here. What can be: genes whose expression follows from
common variants of the gene itself. If the synthetic profile that is nearest to a member on all *other* genes has these
genes where the member has them, more often than for donors who were not trained on, then the cohort carries members'
genotypes.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from .attacks import CannotRun, attack_space
from .attacks._distances import nearest_row

#: Symbol -> why its expression follows from the genome, and who showed it.
PANEL = {
    "GSTM1": "deletion (McCarroll et al. 2006, Nat Genet 38:86)",
    "GSTT1": "deletion (McCarroll et al. 2006)",
    "UGT2B17": "deletion (McCarroll et al. 2006)",
    "UGT2B28": "deletion (McCarroll et al. 2006)",
    "LCE3C": "deletion (de Cid et al. 2009, Nat Genet 41:211)",
    "APOBEC3B": "deletion (Kidd et al. 2007, PLoS Genet 3:e63)",
    "RHD": "deletion (Wagner & Flegel 2000, Blood 95:3662)",
    "ERAP2": "splice variant, no transcript of one haplotype (Andres et al. 2010, PLoS Genet 6:e1001157)",
    "CYP3A5": "splice variant (Kuehl et al. 2001, Nat Genet 27:383)",
    "HLA-DRB1": "expression by allele (Aguiar et al. 2019, PLoS Genet 15:e1008091)",
    "HLA-DQA1": "expression by allele (Aguiar et al. 2019)",
    "HLA-DQB1": "expression by allele (Aguiar et al. 2019)",
    "HLA-DRB5": "on some haplotypes only (Trowsdale & Knight 2013, Annu Rev Genomics Hum Genet 14:301)",
}
#: Two profiles have a gene in the same state if they differ by less than so many SD of the reference of the condition.
SAME = 0.5


def panel_of(symbols: pd.Series, further: Collection[str] = ()) -> np.ndarray:
    """Which genes (mask) are of the panel, or among `further` symbols."""
    return symbols.astype(str).isin({*PANEL, *further}).to_numpy()


def _spread(condition: np.ndarray, known: np.ndarray, known_condition: np.ndarray) -> np.ndarray:
    """SD of each gene in the reference of a row's own condition; of all, where that has fewer than five rows."""
    out = np.tile(known.std(0), (len(condition), 1))
    for name in np.unique(condition):
        own = known[known_condition == name]
        if len(own) > 4:
            out[condition == name] = own.std(0)
    return out


def genotype_agreement(
    candidates: np.ndarray,
    reference: np.ndarray,
    synthetic: np.ndarray,
    panel: np.ndarray,
    candidate_condition: np.ndarray,
    reference_condition: np.ndarray,
    synthetic_condition: np.ndarray,
) -> np.ndarray:
    """Share of panel genes in the same state as in the synthetic row that is nearest on all other genes.

    Expression is in log2 units (profiles × genes); `panel` is a mask (:func:`panel_of`).

    Returns
    -------
    ndarray (candidates,)

    Raises
    ------
    CannotRun
        If no gene, or every gene, is of the panel.
    """
    if not panel.any() or panel.all():
        raise CannotRun("no gene of the panel in the gene space")
    conditions = candidate_condition, reference_condition, synthetic_condition
    space = attack_space(candidates[:, ~panel], reference[:, ~panel], synthetic[:, ~panel], *conditions)
    rows = nearest_row(space.candidates, space.synthetic)
    apart = np.abs(candidates[:, panel] - synthetic[rows][:, panel])
    return (apart < SAME * _spread(candidate_condition, reference[:, panel], reference_condition)).mean(1)
