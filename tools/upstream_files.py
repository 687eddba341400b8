"""Files of the shape that the public sources have, their samples scaled by a factor: a rehearsal of a large study.

The genes are real ones. Some of them follow a structural causal model (:mod:`pseudocohort.acquire.simulate.model`)
whose graph and do-effects are written beside the files; of the others, most of those with an Entrez id are expressed,
with a level and tissue effects of their own, and the rest are hardly seen. Scale 1 is the GDC's STAR counts of 33
cohorts, GTEx's TPM, DepMap's TPM of lines and the UMI counts of Kinker et al. (2020); the number of genes is that of
the sources at every scale.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pseudocohort.acquire.simulate import formats
from pseudocohort.acquire.simulate.model import Model, make_model
from pseudocohort.acquire.simulate.write import do_effects, graph_table
from pseudocohort.core import seeds

#: Tumours and solid normals of each cohort with open STAR counts, rounded.
COHORTS = {
    "ACC": (79, 0), "BLCA": (410, 19), "BRCA": (1110, 113), "CESC": (304, 3), "CHOL": (35, 9), "COAD": (480, 41),
    "DLBC": (48, 0), "ESCA": (184, 13), "GBM": (157, 5), "HNSC": (520, 44), "KICH": (66, 25), "KIRC": (540, 72),
    "KIRP": (290, 32), "LAML": (150, 0), "LGG": (516, 0), "LIHC": (371, 50), "LUAD": (539, 59), "LUSC": (502, 51),
    "MESO": (87, 0), "OV": (421, 0), "PAAD": (178, 4), "PCPG": (179, 3), "PRAD": (501, 52), "READ": (166, 10),
    "SARC": (259, 2), "SKCM": (470, 0), "STAD": (412, 36), "TGCT": (150, 0), "THCA": (505, 59), "THYM": (120, 2),
    "UCEC": (553, 35), "UCS": (57, 0), "UVM": (80, 0),
}  # fmt: skip
TISSUES = (
    "Adipose Tissue", "Adrenal Gland", "Artery", "Bladder", "Brain", "Breast", "Cervix", "Colon", "Esophagus",
    "Fallopian Tube", "Heart", "Kidney", "Liver", "Lung", "Muscle", "Nerve", "Ovary", "Pancreas", "Pituitary",
    "Prostate", "Skin", "Small Intestine", "Spleen", "Stomach", "Testis", "Thyroid", "Uterus", "Vagina", "Whole Blood",
)  # fmt: skip
#: DepMap's lineages, Kinker's tissue and the cohort whose tumours a line comes from.
LINEAGES = {
    "Breast": ("BREAST", "BRCA"), "Liver": ("LIVER", "LIHC"), "Pancreas": ("PANCREAS", "PAAD"),
    "Skin": ("SKIN", "SKCM"), "Prostate": ("PROSTATE", "PRAD"), "Lung": ("LUNG", "LUAD"),
    "Bowel": ("LARGE_INTESTINE", "COAD"), "Ovary/Fallopian Tube": ("OVARY", "OV"), "Kidney": ("KIDNEY", "KIRC"),
    "Esophagus/Stomach": ("STOMACH", "STAD"), "Bladder/Urinary Tract": ("URINARY_TRACT", "BLCA"),
    "Uterus": ("ENDOMETRIUM", "UCEC"),
}  # fmt: skip
FULL = {"normals": 17_382, "gtex_genes": 56_200, "lines": 1_673, "depmap_genes": 19_193, "cells": 50_000,
        "cell_lines": 198, "cell_genes": 30_314}  # fmt: skip
#: Cohorts whose do-effects are written.
TRUTH = ("BRCA", "LIHC", "LUAD")
#: The least of each: do-effects are scored where ten profiles of a class are left for training.
FEWEST = {"tumours": 6, "with_truth": 16, "normals": 4, "lines": 48, "cells_per_line": 25}
READS, MOLECULES = 4e7, 12_000
_EFFECTS = {
    "tissue": [0.6, 0.4], "tumour_shared": [0.6, 0.3], "tumour_specific": [0.5, 0.2], "subtype": [0.8, 0.3],
    "programme": [0.45, 0.5], "sex": [2.5, 0.05], "donor": 0.25, "noise": 0.3, "subtype_share": 0.35,
}  # fmt: skip
_LINES = {"kept": 0.4, "culture": [1.0, 0.4], "culture_specific": [0.7, 0.55], "line_noise": 0.5, "cell_noise": 0.3}
_GRAPH = {"max_regulator_parents": 2, "max_target_parents": 4, "weight_sd": 0.5, "min_weight": 0.15}
_REGULATORS = 0.08  # share of the graph's genes
_PIECE = 100  # samples simulated at once
_STEPS = 64  # values are written to 1/64 of a log2 unit


@dataclass(frozen=True)
class Size:
    """What of the full size is written: `scale` of the samples, `cohorts`, and genes that follow the graph."""

    scale: float
    cohorts: tuple[str, ...] = tuple(COHORTS)
    graph_genes: int = 2000

    def of(self, name: str, fewest: int = 1) -> int:
        """A number of :data:`FULL`, scaled."""
        return max(round(FULL[name] * self.scale), fewest)


class Upstream:
    """Simulated transcriptomes of all known genes.

    Parameters
    ----------
    size : Size
    genes : DataFrame
        ``resources/genes.tsv.gz``: ``ensembl symbol entrez length``; G rows.
    folder : Path
        The table of the graph's genes and the truth are written there.
    seed : int
    """

    def __init__(self, size: Size, genes: pd.DataFrame, folder: Path, seed: int) -> None:
        self.size, self.genes, self.folder, self.seed = size, genes, folder, seed
        rng = seeds.generator(seed, "genes")
        coding = (genes["entrez"] != "") & ~genes["symbol"].duplicated(keep=False) & (genes["length"] != "")
        mitochondrial = np.flatnonzero(genes["symbol"].str.startswith("MT-") & coding)
        nuclear = rng.permutation(np.setdiff1d(np.flatnonzero(coding), mitochondrial))
        #: Genes with an Entrez id, those of the graph first; G' rows of the table.
        self.coding = np.concatenate([mitochondrial, nuclear])
        own = nuclear[: size.graph_genes]
        roles = np.where(np.arange(len(own)) < _REGULATORS * len(own), "regulator", "target")
        table = pd.DataFrame(
            {
                "gene_id": genes["ensembl"].iloc[np.concatenate([own, mitochondrial])] + ".1",
                "symbol": genes["symbol"].iloc[np.concatenate([own, mitochondrial])],
                "role": [*roles, *["mitochondrial"] * len(mitochondrial)],
            }
        )
        formats.write_tsv(table, folder / "truth/genes.tsv")
        self.conditions = [f"TCGA-{name}" for name in size.cohorts] + list(TISSUES)
        self.model: Model = make_model(
            {
                "genes": str(folder / "truth/genes.tsv"), "conditions": self.conditions, "effects": _EFFECTS,
                "lines": _LINES, "graph": _GRAPH, "sizes": {"reference": 500},
            },
            seed,
        )  # fmt: skip
        index = pd.Series(np.arange(len(genes)), index=genes["ensembl"] + ".1")
        self._columns = index[self.model.genes["gene_id"]].to_numpy()
        rng = seeds.generator(seed, "other genes")
        n = len(genes)
        expressed = np.zeros(n, dtype=bool)
        expressed[self.coding[rng.random(len(self.coding)) < 0.6]] = True
        self._base = np.where(expressed, rng.normal(4.5, 2, n), rng.normal(-4, 2, n)).astype(np.float32)
        # Less variable than the genes of the graph, so that a space of the most variable ones holds those.
        effects = rng.normal(0, 0.4, (len(self.conditions), n)).astype(np.float32)
        self._tissue = effects * (rng.random((len(self.conditions), n)) < 0.3)
        self._spread = rng.uniform(0.1, 0.5, n).astype(np.float32)

    @cached_property
    def _lengths(self) -> np.ndarray:
        lengths = pd.to_numeric(self.genes["length"], errors="coerce").to_numpy()
        return np.where(lengths > 0, lengths, 1000).astype(np.float32)

    def states(self, rng: np.random.Generator, condition: np.ndarray, exogenous: np.ndarray) -> np.ndarray:
        """Log2 abundances (n, G) float32 of all genes, those of the graph from their exogenous terms."""
        x = rng.standard_normal((len(condition), len(self._base)), dtype=np.float32)
        x *= self._spread
        x += self._base
        x += self._tissue[condition]
        x[:, self._columns] = self.model.states(exogenous)
        return x

    def tissue(
        self, rng: np.random.Generator, condition: np.ndarray, context: str, donor: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Rows and log2 abundances of tissue profiles, piece by piece; `donor` (n,) numbers their donors."""
        for rows in _pieces(len(condition)):
            effects = np.stack([self._donor(d) for d in donor[rows]])
            subtype = np.array([seeds.derive(self.seed, "subtype", d) % 3 == 0 for d in donor[rows]], dtype=int)
            u = self.model.exogenous(rng, condition[rows], context, subtype, effects)
            yield rows, self.states(rng, condition[rows], u)

    def _donor(self, number: int) -> np.ndarray:
        return self.model.draw_donors(seeds.generator(self.seed, "donor", number), 1)[0]

    def write_truth(self) -> None:
        """``truth/graph.tsv`` and ``truth/do_effects.tsv.gz``: effects of the first regulators in three conditions."""
        chosen = [f"TCGA-{c}" for c in TRUTH if c in self.size.cohorts] or self.conditions[:1]
        truth = do_effects(
            self.model, seeds.generator(self.seed, "do"), conditions=chosen, regulators=self.model.regulators[:60]
        )
        formats.write_tsv(graph_table(self.model), self.folder / "truth/graph.tsv")
        formats.write_tsv(truth, self.folder / "truth/do_effects.tsv.gz", float_format="%.4f")

    def write_star_counts(self) -> pd.DataFrame:
        """``star_counts.npy`` (aliquots × genes, int32) and the table of the aliquots, a column less than a listing.

        Genes are those of ``star_genes.txt``: versioned ids, and copies on Y of pseudo-autosomal ones as GENCODE has
        them.
        """
        rng = seeds.generator(self.seed, "tumours")
        rows = []
        for k, cohort in enumerate(self.size.cohorts):
            tumours, normals = COHORTS[cohort]
            n = max(round(tumours * self.size.scale), FEWEST["with_truth" if cohort in TRUTH else "tumours"])
            matched = max(round(normals * self.size.scale), min(normals, 2))
            for code, count in (("03" if cohort == "LAML" else "01", n), ("11", matched)):
                rows += [(cohort, k, code, i) for i in range(count)]
        table = pd.DataFrame(rows, columns=["cohort", "condition", "code", "number"])
        table["patient"] = [f"TCGA-{k:02d}-{i:04d}" for k, i in table[["condition", "number"]].to_numpy()]
        table["barcode"] = table["patient"] + "-" + table["code"] + "A-11R-A111-07"
        table["sex"] = np.where(table["number"] % 2, "female", "male")
        table["age"] = 40 + table["number"] % 40
        copies = [f"{gene}.1_PAR_Y" for gene in self.genes["ensembl"][:44]]
        (self.folder / "star_genes.txt").write_text("\n".join([*(self.genes["ensembl"] + ".1"), *copies]) + "\n")
        shape = (len(table), len(self.genes) + len(copies))
        counts = np.lib.format.open_memmap(self.folder / "star_counts.npy", mode="w+", dtype=np.int32, shape=shape)
        for context, codes in (("tumour", ("01", "03")), ("normal", ("11",))):
            of = table.index[table["code"].isin(codes)].to_numpy()
            condition = table["condition"].to_numpy()[of]
            donor = condition * 10_000 + table["number"].to_numpy()[of]
            for rows, x in self.tissue(rng, condition, context, donor):
                counts[of[rows], : len(self.genes)] = _reads(rng, x, self._lengths, READS)
        counts.flush()
        return table

    def write_gtex(self) -> None:
        """``gtex.gct.gz`` with its tables of samples and subjects."""
        rng = seeds.generator(self.seed, "normals")
        n = self.size.of("normals", FEWEST["normals"] * len(TISSUES))
        condition = np.arange(n) % len(TISSUES)
        subject = np.arange(n) // len(TISSUES)
        ids = [f"GTEX-{s:05d}-{t:04d}-SM-{i:05d}" for i, (s, t) in enumerate(zip(subject, condition, strict=True))]
        others = np.setdiff1d(np.arange(len(self.genes)), self.coding)
        genes = np.sort(np.concatenate([self.coding, others])[: FULL["gtex_genes"]])
        codes = np.empty((n, len(genes)), dtype=np.int16)
        where = condition + len(self.size.cohorts)
        for rows, x in self.tissue(rng, where, "normal", 1_000_000 + subject):
            x = x[:, genes]
            codes[rows] = _codes(x - np.log2(np.exp2(x).sum(1, keepdims=True)) + np.log2(1e6))
        table = self.genes.iloc[genes]
        with gzip.GzipFile(self.folder / "gtex.gct.gz", "wb", compresslevel=4, mtime=0) as file:
            file.write(f"#1.2\n{len(genes)}\t{n}\nName\tDescription\t{chr(9).join(ids)}\n".encode())
            _write_rows(file, (table["ensembl"] + ".1\t" + table["symbol"]).tolist(), codes.T, _words())
        samples = pd.DataFrame(
            {
                "SAMPID": ids, "SMTS": np.array(TISSUES)[condition],
                "SMTSD": [TISSUES[c] + (" - Mammary Tissue" if TISSUES[c] == "Breast" else "") for c in condition],
                "SMAFRZE": "RNASEQ",
            }
        )  # fmt: skip
        formats.write_tsv(samples, self.folder / "gtex_attributes.tsv")
        subjects = np.unique(subject)
        table = pd.DataFrame(
            {
                "SUBJID": [f"GTEX-{s:05d}" for s in subjects], "SEX": subjects % 2 + 1,
                "AGE": [f"{d}0-{d}9" for d in subjects % 5 + 2], "DTHHRDY": subjects % 5,
            }
        )  # fmt: skip
        formats.write_tsv(table, self.folder / "gtex_subjects.tsv")

    def write_lines(self) -> None:
        """``depmap.csv`` with ``Model.csv``, and ``UMIcount_data.txt`` of some of the same lines."""
        rng = seeds.generator(self.seed, "lines")
        n = self.size.of("lines", FEWEST["lines"])
        known = {name: v for name, v in LINEAGES.items() if v[1] in self.size.cohorts} or {"Lung": ("LUNG", "")}
        lineage = [list(known)[i % len(known)] for i in range(n)]
        condition = np.array([self._cohort_of(known[name][1]) for name in lineage])
        models = pd.DataFrame(
            {
                "ModelID": [f"ACH-{i + 1:06d}" for i in range(n)], "PatientID": [f"PT-{i:05d}" for i in range(n)],
                "CellLineName": [f"SIM-{i + 1}" for i in range(n)],
                "StrippedCellLineName": [f"SIM{i + 1}" for i in range(n)],
                "OncotreeLineage": lineage, "CCLEName": [f"SIM{i + 1}_{known[c][0]}" for i, c in enumerate(lineage)],
            }
        )  # fmt: skip
        formats.write_bytes(models.to_csv(index=False, lineterminator="\n").encode(), self.folder / "Model.csv")
        exogenous = np.stack([self.model.line_exogenous(rng, k, i % 2) for i, k in enumerate(condition)])
        genes = self.coding[: FULL["depmap_genes"]]
        names = (self.genes["symbol"] + " (" + self.genes["entrez"] + ")").iloc[genes]
        # What of a line's other genes is its own, in bulk and in its cells.
        own = np.empty((min(n, FULL["cell_lines"]), len(self.genes)), dtype=np.float32)
        with (self.folder / "depmap.csv").open("wb") as file:
            file.write(("," + ",".join(names) + "\n").encode())
            for rows in _pieces(n):
                x = self.states(rng, condition[rows], exogenous[rows])
                own[rows[rows < len(own)]] = x[rows < len(own)]
                tpm = np.exp2(x) * 1e6 / np.exp2(x).sum(1, keepdims=True)
                values = np.round(np.log2(tpm[:, genes] + 1) * _STEPS).astype(np.int16)
                words = np.array([f"{v / _STEPS:.6g}".encode() for v in range(20 * _STEPS + 1)], dtype=object)
                _write_rows(file, models["ModelID"].iloc[rows].tolist(), values, words, b",")
        self._write_cells(rng, models, own)

    def _cohort_of(self, cohort: str) -> int:
        return self.size.cohorts.index(cohort) if cohort in self.size.cohorts else 0

    def _write_cells(self, rng: np.random.Generator, models: pd.DataFrame, lines: np.ndarray) -> None:
        n = self.size.of("cells", 500)
        count = max(min(len(lines), n // FEWEST["cells_per_line"]), 1)
        line = np.arange(n) % count
        genes = np.sort(self.coding)[: FULL["cell_genes"]]
        symbols = self.genes["symbol"].iloc[genes]
        chondrial = symbols.str.startswith("MT-").to_numpy()
        counts = np.empty((n, len(genes)), dtype=np.uint16)
        for rows in _pieces(n):
            x = lines[line[rows]][:, genes]
            x += rng.standard_normal(x.shape, dtype=np.float32) * np.float32(0.4)
            share = np.exp2(x)
            share[:, chondrial] *= 0.06 / share[:, chondrial].sum(1, keepdims=True)
            share[:, ~chondrial] *= 0.94 / share[:, ~chondrial].sum(1, keepdims=True)
            size = MOLECULES * 2 ** rng.normal(0, 0.5, (len(rows), 1))
            counts[rows] = np.minimum(rng.poisson(share * size), 65_535)
        barcodes = [f"C{i:06d}-1" for i in range(n)]
        with (self.folder / "UMIcount_data.txt").open("wb") as file:
            file.write(("\t" + "\t".join(barcodes) + "\n").encode())
            file.write(("Cell_line\t" + "\t".join(models["CCLEName"].iloc[line]) + "\n").encode())
            file.write(("Pool_ID\t" + "\t".join(str(v % 8 + 1) for v in line) + "\n").encode())
            words = np.array([str(v).encode() for v in range(int(counts.max()) + 1)], dtype=object)
            _write_rows(file, symbols.tolist(), counts.T, words)


def _pieces(n: int) -> Iterator[np.ndarray]:
    for start in range(0, n, _PIECE):
        yield np.arange(start, min(start + _PIECE, n))


def _reads(rng: np.random.Generator, x: np.ndarray, lengths: np.ndarray, reads: float) -> np.ndarray:
    """Counts of reads (n, G): abundance times length, Poisson."""
    share = np.exp2(x) * lengths
    share /= share.sum(1, keepdims=True)
    return rng.poisson(share * reads * 2 ** rng.normal(0, 0.3, (len(x), 1))).astype(np.int32)


def _codes(log2_tpm: np.ndarray) -> np.ndarray:
    """Numbers of the words that TPM are written with: 0 for less than 2^-10."""
    return np.clip(np.round((log2_tpm + 10) * _STEPS), 0, 30 * _STEPS).astype(np.int16)


def _words() -> np.ndarray:
    words = [f"{2 ** (v / _STEPS - 10):.4g}".encode() for v in range(30 * _STEPS + 1)]
    return np.array([b"0", *words[1:]], dtype=object)


def _write_rows(file: Any, names: list[str], codes: np.ndarray, words: np.ndarray, sep: bytes = b"\t") -> None:
    """A line per row of `codes`: its name and its words."""
    for name, row in zip(names, codes, strict=True):
        file.write(name.encode() + sep + sep.join(words[row].tolist()) + b"\n")
