"""Simulates the demo's cohorts and writes their raw files and the truth behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...core import seeds
from ...core.io import write_json
from . import formats, observe
from .model import CONTEXTS, Model, do_truth, make_model

_CODES = {"tumour": "01", "normal": "11"}  # sample type codes as TCGA barcodes carry them


def simulate(out_dir: Path, *, seed: int, parameters: dict[str, Any]) -> None:
    """Write the demo's raw files under `out_dir`.

    ``normal.gct`` + ``normal_attributes.tsv`` (GTEx-like), ``tumour.tsv.gz`` + ``tumour_phenotype.tsv`` (Xena-like),
    ``cells/`` (10x folder of the cell lines), ``line_bulk.h5ad`` (the same lines in bulk) and ``truth/`` (graph,
    do-effects, dependency of the lines).

    Parameters
    ----------
    out_dir : Path
    seed : int
        Same seed and parameters, same bytes.
    parameters : dict
        See ``resources/demo_parameters.yaml``.

    Raises
    ------
    UserError
        If a parameter or the gene table is missing.
    """
    out_dir = Path(out_dir)
    model = make_model(parameters, seed)
    _write_tumours(model, out_dir, seeds.generator(seed, "tumours"))
    _write_normals(model, out_dir, seeds.generator(seed, "normals"))
    lines = _write_lines(model, out_dir, seeds.generator(seed, "lines"))
    truth = out_dir / "truth"
    formats.write_tsv(graph_table(model), truth / "graph.tsv")
    formats.write_tsv(noisy_graph(model, seeds.generator(seed, "noisy graph")), truth / "graph_noisy.tsv")
    formats.write_tsv(do_effects(model, seeds.generator(seed, "do")), truth / "do_effects.tsv.gz", float_format="%.4f")
    tiers = dependencies(model, lines, seeds.generator(seed, "dependencies"))
    formats.write_bytes(tiers.to_csv(index_label="gene_name", lineterminator="\n").encode(), truth / "dependencies.csv")
    write_json({**parameters, "seed": seed}, truth / "parameters.json")


def graph_table(model: Model) -> pd.DataFrame:
    """True edges: ``regulator``, ``target`` (symbols) and ``sign`` (1 or -1)."""
    target, regulator = np.nonzero(model.weights)
    symbols = model.genes["symbol"].to_numpy()
    sign = np.sign(model.weights[target, regulator]).astype(int)
    table = pd.DataFrame({"regulator": symbols[regulator], "target": symbols[target], "sign": sign})
    return table.sort_values(["regulator", "target"], ignore_index=True)


def noisy_graph(model: Model, rng: np.random.Generator) -> pd.DataFrame:
    """The graph with true edges dropped and false edges added, at the parameters' recall and precision."""
    settings = model.parameters["graph"]
    true = graph_table(model)
    kept = true.loc[np.sort(rng.permutation(len(true))[: round(len(true) * settings["noisy_recall"])])]
    symbols = model.genes["symbol"].to_numpy()
    targets = np.flatnonzero(model.genes["role"] != "mitochondrial")
    free = [(j, i) for j in model.regulators for i in targets if i != j and model.weights[i, j] == 0]
    precision = settings["noisy_precision"]
    chosen = rng.permutation(len(free))[: round(len(kept) * (1 - precision) / precision)]
    false = pd.DataFrame(
        [(symbols[free[c][0]], symbols[free[c][1]]) for c in chosen], columns=["regulator", "target"]
    ).assign(sign=rng.choice([-1, 1], len(chosen)))
    return pd.concat([kept, false]).sort_values(["regulator", "target"], ignore_index=True)


def do_effects(
    model: Model,
    rng: np.random.Generator,
    conditions: Sequence[str] | None = None,
    regulators: np.ndarray | None = None,
) -> pd.DataFrame:
    """Exact effects of setting each regulator to a low value; of all conditions and regulators, or of those given.

    Convention: within a condition and context, the regulator is set to the 1st percentile that it has there in a large
    reference sample of the model; ``delta`` is the change of the mean of each target, log2 units. The row whose target
    is the regulator itself holds the change that was imposed. Genes that a regulator does not reach have delta 0.

    Returns
    -------
    DataFrame
        ``gene``, ``condition``, ``context``, ``target`` (unversioned Ensembl ids), ``delta``.
    """
    n = model.parameters["sizes"]["reference"]
    ids = model.genes["gene_id"].str.split(".").str[0].to_numpy()
    parts = []
    for k, condition in enumerate(model.conditions):
        for context in CONTEXTS if conditions is None or condition in conditions else ():
            states = model.states(
                model.exogenous(rng, np.full(n, k), context, model.draw_subtypes(rng, n), model.draw_donors(rng, n))
            )
            for j in model.regulators if regulators is None else regulators:
                shift = np.quantile(states[:, j], 0.01) - states[:, j].mean()
                parts.append(
                    pd.DataFrame(
                        {
                            "gene": ids[j], "condition": condition, "context": context,
                            "target": ids, "delta": do_truth(model, j, shift) + 0.0,
                        }
                    )
                )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def dependencies(model: Model, lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Dependency of the lines on genes, as tiers (0 none, 1 dependency, 2 strong dependency).

    A line depends on a regulator that it expresses more than the other lines do (oncogene addiction); on as many
    targets it depends by chance, whatever it expresses; on the next targets nearly every line depends.

    Parameters
    ----------
    model : Model
    lines : DataFrame (n, G)
        True log2 abundances; the index holds names ``NAME_LINEAGE``.
    rng : Generator

    Returns
    -------
    DataFrame of int (genes, n)
        Index: symbols.
    """
    settings = model.parameters["dependencies"]
    x, targets = lines.to_numpy(), np.flatnonzero(model.genes["role"] == "target")
    by_chance = targets[: len(model.regulators)]
    essential = targets[len(by_chance) : len(by_chance) + settings["pan_essential"]]
    own = x[:, model.regulators]
    score = (own - own.mean(0)) / own.std(0) + rng.normal(0, settings["noise"], own.shape)
    tiers = [
        (score > settings["threshold"]).astype(int) + (score > 2 * settings["threshold"]),
        (rng.random((len(x), len(by_chance))) < settings["by_chance"]).astype(int),
        np.where(rng.random((len(x), len(essential))) < 0.97, 2, 0),
    ]
    chosen = np.concatenate([model.regulators, by_chance, essential])
    return pd.DataFrame(np.hstack(tiers).T, index=model.genes["symbol"].to_numpy()[chosen], columns=lines.index)


def _write_tumours(model: Model, out_dir: Path, rng: np.random.Generator) -> None:
    """Tumours of every condition, and adjacent normals of the first patients of each."""
    sizes, technology = model.parameters["sizes"], model.parameters["technology"]
    n_conditions = len(model.conditions)
    condition = np.repeat(np.arange(n_conditions), sizes["tumours"])
    number = np.tile(np.arange(sizes["tumours"]), n_conditions)
    patients = np.array(
        [f"DEMO-{model.conditions[k][:2].upper()}-{i + 1:04d}" for k, i in zip(condition, number, strict=True)]
    )
    donors = model.draw_donors(rng, len(patients))
    subtypes = model.draw_subtypes(rng, len(patients))
    # The i-th patient of every condition comes before the (i+1)-th of any: matched pairs spread over the conditions.
    matched = np.sort(np.lexsort((condition, number))[: sizes["matched_normals"]])
    rows, states = [], []
    for context, chosen in (("tumour", np.arange(len(patients))), ("normal", matched)):
        u = model.exogenous(rng, condition[chosen], context, subtypes[chosen], donors[chosen])
        states.append(model.states(u))
        rows.append(
            pd.DataFrame(
                {
                    "sample": [f"{p}-{_CODES[context]}" for p in patients[chosen]],
                    "patient": patients[chosen],
                    "tissue": np.array(model.conditions)[condition[chosen]],
                    "sample_type": "tumor" if context == "tumour" else "normal",
                    "subtype": [f"S{s + 1}" for s in subtypes[chosen]],
                }
            )
        )
    phenotype = pd.concat(rows, ignore_index=True)
    tpm = observe.bulk_tpm(np.concatenate(states), rng, noise=technology["bulk_noise"])
    formats.write_xena(tpm, list(phenotype["sample"]), model.genes, out_dir / "tumour.tsv.gz")
    formats.write_tsv(phenotype, out_dir / "tumour_phenotype.tsv")


def _write_normals(model: Model, out_dir: Path, rng: np.random.Generator) -> None:
    """GTEx-like normals: subjects who gave one or more tissues."""
    sizes, technology = model.parameters["sizes"], model.parameters["technology"]
    n_subjects = max(sizes["normal_subjects"], sizes["normals"])
    subjects = np.concatenate(
        [rng.permutation(n_subjects)[: sizes["normals"]] for _ in model.conditions]
    )  # a subject gives a tissue once
    condition = np.repeat(np.arange(len(model.conditions)), sizes["normals"])
    donors = model.draw_donors(rng, n_subjects)
    sex = rng.choice(["F", "M"], n_subjects)
    u = model.exogenous(rng, condition, "normal", np.zeros(len(condition), int), donors[subjects])
    u += np.where(sex[subjects] == "F", 0.5, -0.5)[:, None] * model.sex
    offset = rng.normal(0, technology["normal_offset"], len(model.base))
    tpm = observe.bulk_tpm(model.states(u), rng, noise=technology["bulk_noise"], offset=offset)
    attributes = pd.DataFrame(
        {
            "SAMPID": [f"NORM-{s + 1:04d}-{k + 1:04d}-SM" for s, k in zip(subjects, condition, strict=True)],
            "SUBJID": [f"NORM-{s + 1:04d}" for s in subjects],
            "SMTS": np.array(model.conditions)[condition],
            "SMAFRZE": "RNASEQ",
            "SEX": sex[subjects],
        }
    )
    formats.write_gct(tpm, list(attributes["SAMPID"]), model.genes, out_dir / "normal.gct")
    formats.write_tsv(attributes, out_dir / "normal_attributes.tsv")


def _write_lines(model: Model, out_dir: Path, rng: np.random.Generator) -> pd.DataFrame:
    """Cells of the lines (10x folder) and the same lines in bulk (h5ad); returns their true log2 abundances."""
    sizes, technology = model.parameters["sizes"], model.parameters["technology"]
    g = len(model.base)
    names, tissues, lines = [], [], []
    for k, condition in enumerate(model.conditions):
        for i in range(sizes["lines"]):
            names.append(f"{condition[:2].upper()}L-{i + 1}")
            tissues.append(condition)
            # Both subtypes are cultured, the commoner one more often.
            lines.append(model.line_exogenous(rng, k, int(i % 3 == 2)))
    u = np.stack(lines)
    offset = rng.normal(0, technology["line_bulk_offset"], g)
    bulk = observe.read_counts(model.states(u), rng, reads=technology["line_bulk_reads"], offset=offset)
    obs = pd.DataFrame({"cell_line": names, "tissue": tissues}, index=[f"{n}-bulk" for n in names])
    formats.write_counts_h5ad(bulk, obs, model.genes, out_dir / "line_bulk.h5ad")

    n_good = len(names) * sizes["cells"]
    n_bad = sizes["low_quality_cells"]
    n_cells = n_good + n_bad + sizes["doublets"]
    extra = rng.integers(0, len(names), n_cells - n_good)
    line = np.concatenate([np.repeat(np.arange(len(names)), sizes["cells"]), extra])
    low = (np.arange(n_cells) >= n_good) & (np.arange(n_cells) < n_good + n_bad)
    doublet = np.arange(n_cells) >= n_good + n_bad

    umi_offset = rng.normal(0, technology["umi_offset"], g)

    def count(line: np.ndarray, low: np.ndarray) -> np.ndarray:
        n = len(line)
        # Dying cells: few molecules, of which many are mitochondrial.
        size = technology["library_size"] * 2 ** rng.normal(0, technology["library_spread"], n)
        share = technology["mitochondrial_share"]
        return observe.umi_counts(
            model.states(u[line] + model.cell_exogenous(rng, n)),
            rng,
            mitochondrial=(model.genes["role"] == "mitochondrial").to_numpy(),
            library_size=size * np.where(low, 0.06, 1),
            mitochondrial_share=np.where(low, rng.uniform(0.3, 0.6, n), rng.beta(40 * share, 40 * (1 - share), n)),
            dispersion=technology["dispersion"],
            offset=umi_offset,
        )

    counts = count(line, low)
    partner = rng.integers(0, len(names), doublet.sum())
    counts[doublet] += count(partner, np.zeros(len(partner), bool))
    metadata = pd.DataFrame(
        {
            "barcode": _barcodes(rng, n_cells),
            "cell_line": np.array(names)[line],
            "tissue": np.array(tissues)[line],
            "plate": [f"P{p}" for p in rng.integers(1, 4, n_cells)],
            "doublet": np.where(doublet, "doublet", "singlet"),
        }
    )
    order = rng.permutation(n_cells)
    formats.write_tenx(counts[order], metadata.iloc[order].reset_index(drop=True), model.genes, out_dir / "cells")
    return pd.DataFrame(
        model.states(u), index=[f"{name}_{tissue.upper()}" for name, tissue in zip(names, tissues, strict=True)]
    )


def _barcodes(rng: np.random.Generator, n: int) -> list[str]:
    """Distinct 10x-like barcodes of 16 bases."""
    seen: dict[str, None] = {}
    while len(seen) < n:
        seen["".join(rng.choice(list("ACGT"), 16)) + "-1"] = None
    return list(seen)
