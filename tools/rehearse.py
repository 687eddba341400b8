"""Run the study of config/full.yaml on simulated files of true upstream shape, its samples scaled by a factor.

Usage: python tools/rehearse.py [--scale 0.02] [--genes 2000] [--folder rehearsal]

The simulator writes the GDC's STAR counts (60,660 genes, 10,000 tumours and 800 normals at scale 1), GTEx's TPM,
DepMap's lines and the cells of Kinker et al.; stand-ins of the servers on loopback serve them to a copy of the
workflow, which downloads, ingests, prepares, plans, trains, scores, answers questions and writes the report. Nothing
else is asked over the network. The overlay (``rehearsal.yaml`` in the run's folder) keeps the study's structure and
lowers its repeats. Time and memory of every job are collected in FOLDER/measured.tsv.

``python tools/rehearse.py --table`` prints, of all runs there, time and memory per rule, how they grow with the scale,
and what they would be at scale 1.
"""

from __future__ import annotations

import argparse
import http.server
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tools")]

from gdc_server import Gdc, hit, star_file
from upstream_files import COHORTS, FULL, Size, Upstream

from pseudocohort.acquire.checksums import file_digest
from pseudocohort.plan.costs import by_rule, measured

COPIED = ("Snakefile", "workflow", "config", "envs", "profiles", "resources", "docs")
SOURCES = {
    "gtex_v10_tpm": "gtex.gct.gz", "gtex_v10_attributes": "gtex_attributes.tsv",
    "gtex_v10_subjects": "gtex_subjects.tsv", "depmap_expression": "depmap.csv", "depmap_models": "Model.csv",
}  # fmt: skip
OTHERS = ["gtex_v10", "depmap", "kinker"]
SEED = 1
PREPARED = ["results/rehearsal/prepared/quality/_study.json", "results/rehearsal/interventions/profiles.h5ad"]
LIMIT_MB = 8_000
#: Exponent above which three measurements show a step and no growth.
MAX_ORDER = 3
#: Rules whose input is one dataset; the others see all of them.
OF_ONE_DATASET = {"download", "download_gdc", "ingest", "quality_control", "pseudobulk"}
#: Profiles of the full study: tissue, lines in bulk, and six pseudo-bulks of a line.
FULL_PROFILES = sum(t + n for t, n in COHORTS.values()) + FULL["normals"] + FULL["lines"] + 6 * FULL["cell_lines"]


class StarFiles(Mapping[str, bytes]):
    """Files of STAR counts by id, made when they are asked for: 10,000 of them would be 35 GB."""

    def __init__(self, folder: Path, ids: list[str]) -> None:
        self.rows = {name: row for row, name in enumerate(ids)}
        self.counts = np.load(folder / "star_counts.npy", mmap_mode="r")
        self.genes = (folder / "star_genes.txt").read_text().split()

    def of_row(self, row: int) -> bytes:
        """The file of a row of the matrix."""
        return star_file(self.counts[row].tolist(), self.genes)

    def __getitem__(self, name: str) -> bytes:
        return self.of_row(self.rows[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def write_files(folder: Path, size: Size) -> None:
    """All files of the sources, and ``aliquots.tsv`` for the listing."""
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    genes = pd.read_csv(ROOT / "resources/genes.tsv.gz", sep="\t", dtype=str, keep_default_na=False)
    upstream = Upstream(size, genes, folder, SEED)
    upstream.write_truth()
    upstream.write_star_counts().to_csv(folder / "aliquots.tsv", sep="\t", index=False)
    upstream.write_gtex()
    upstream.write_lines()


def gdc_of(folder: Path, port: int = 0) -> Gdc:
    """The GDC's API with the aliquots of `folder`."""
    table = pd.read_csv(folder / "aliquots.tsv", sep="\t", dtype=str)
    server = Gdc(port)
    files = StarFiles(folder, [])
    for row, one in enumerate(table.to_dict("records")):
        demographic = {"sex_at_birth": one["sex"], "age_at_index": int(one["age"])}
        content = files.of_row(row)
        server.hits.append(hit(one["barcode"], content, project=f"TCGA-{one['cohort']}", demographic=demographic))
    server.content = StarFiles(folder, [entry["file_id"] for entry in server.hits])
    return server


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(*servers: http.server.HTTPServer) -> Iterator[None]:
    """Answer requests while the block runs."""
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def point_catalogue(path: Path, files: Path, api: str, address: str) -> None:
    """Let the catalogue of sources name the stand-ins, and the sizes and checksums of their files."""
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, quoting=3).set_index("name", drop=False)
    table.loc["gdc_star_counts", "url"] = api
    for name, file in SOURCES.items():
        table.loc[name, ["url", "mirror"]] = [f"{address}/{file}", ""]
        table.loc[name, ["bytes", "md5"]] = [str((files / file).stat().st_size), file_digest(files / file, "md5")]
        table.loc[name, "file"] = table.loc[name, "file"] or file
    table.to_csv(path, sep="\t", index=False, quoting=3)


def overlay(size: Size, genes: int, files: Path, experiments: list[str], steps: int = 100) -> dict[str, Any]:
    """What the rehearsal changes of the study: sizes, fewer repeats, the generators, and the simulator's truth."""
    cohorts = [f"TCGA-{name}" for name in size.cohorts]
    asked = [c for c in ("TCGA-BRCA", "TCGA-LIHC", "TCGA-PAAD", "TCGA-SKCM") if c in cohorts] or cohorts[:1]
    regulator = pd.read_csv(files / "truth/graph.tsv", sep="\t")["regulator"].value_counts().index[0]
    return {
        "study": "rehearsal",
        "title": f"Rehearsal of the full study at scale {size.scale:g} (simulated)",
        "simulated": True,
        "datasets": [f"tcga_{name.lower()}" for name in size.cohorts] + OTHERS,
        "experiments": experiments,
        "prepare": {"gene_space": {"n": genes}},
        "generators": ["mvn", "ddpm", "flow", "dp_components"],
        "generator_settings": {
            "dp_components": {"public": "gtex_v10"}, "ddpm": {"steps": steps}, "flow": {"steps": steps},
        },
        "training": {"sets_per_job": 20},
        "fidelity": {"repeats": 1},
        "augmentation": {
            "n_real": [0, -1],
            "curve": [25],
            "n_synthetic": [max(round(5000 * size.scale), 50)],
            "regimes": ["same_n", "oracle"],
            "repeats": 1,
        },
        "privacy": {"coins": 2},
        "combination": {
            "generators": ["mvn", "flow"], "conditions": asked, "k": [0, 1], "draws": 1, "generator_draws": 1,
        },
        "interventions": {
            "graph": str(files / "truth/graph.tsv"),
            "truth": str(files / "truth/do_effects.tsv.gz"),
            "questions": [
                {"genes": str(regulator), "change": "down", "condition": asked[0]},
                {"targets": asked[0]},
                {"translate": "tumour -> normal"},
            ],
        },
    }  # fmt: skip


def prepare_project(run: Path, files: Path) -> None:
    """A copy of the workflow in `run`, and the file that is downloaded by hand."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "downloads", "demo", "twelve", "manual")
            shutil.copytree(source, run / name, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy(source, run / name)
    by_hand = run / "resources/manual/UMIcount_data.txt"
    by_hand.parent.mkdir(exist_ok=True)
    if not by_hand.exists():
        by_hand.hardlink_to(files / by_hand.name)


def rehearse(options: argparse.Namespace) -> int:
    """Files, servers, the whole workflow; its exit code."""
    size = Size(options.scale, tuple(options.cohorts), options.graph_genes)
    folder = options.folder.resolve()
    files = folder / f"files-{size.scale:g}-{len(size.cohorts)}-{size.graph_genes}"
    run = folder / f"run-{size.scale:g}-{len(size.cohorts)}-{options.genes}"
    run.mkdir(parents=True, exist_ok=True)
    start = time.process_time()
    if not (files / "UMIcount_data.txt").exists():
        write_files(files, size)
    print(f"files: {_megabytes(files):.0f} MB, {time.process_time() - start:.0f} CPU s", flush=True)
    prepare_project(run, files)
    study = overlay(size, options.genes, files, options.experiments, options.steps)
    (run / "rehearsal.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(files)))
    # The GDC's address is a parameter of its rule: a second start takes the same port, so that nothing comes again.
    port = run / "port.txt"
    gdc = gdc_of(files, int(port.read_text()) if port.is_file() else 0)
    port.write_text(str(gdc.server_address[1]))
    point_catalogue(run / "config/data_versions.tsv", files, gdc.api, f"http://127.0.0.1:{server.server_address[1]}")
    command = [
        sys.executable, "-m", "snakemake", "--profile", "profiles/default", "--cores", str(options.cores),
        "--configfile", "config/full.yaml", "rehearsal.yaml", *options.snakemake, "--",
        *(PREPARED if options.prepare else ["all", "intervene"]),
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NO_PROXY": "127.0.0.1"}
    began = time.monotonic()
    with serving(server, gdc), (run / "snakemake.log").open("w") as log:
        code = subprocess.run(command, cwd=run, env=environment, stdout=log, stderr=subprocess.STDOUT).returncode
    print(f"exit code {code}, {(time.monotonic() - began) / 60:.1f} minutes; {run / 'snakemake.log'}", flush=True)
    collect(run, folder / "measured.tsv", size, options.genes, whole=code == 0 and not options.prepare)
    return code


def _megabytes(path: Path) -> float:
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file()) / 1e6


def asked_memory(log: str) -> dict[str, int]:
    """Memory that each job asked for (MB), by its benchmark file, from Snakemake's log."""
    pairs = re.findall(r"^    benchmark: (\S+)$(?:\n    .*)*?\n    resources: .*?\bmem_mb=(\d+)", log, re.MULTILINE)
    return {path: int(megabytes) for path, megabytes in pairs}


def collect(run: Path, table: Path, size: Size, genes: int, *, whole: bool) -> None:
    """Add a run to the table of measurements, in place of an earlier one of that size.

    ``share`` is the most that a job of the rule took of the memory that it asked for; ``whole``, whether the run came
    to its end.
    """
    parts, asked = [], asked_memory((run / "snakemake.log").read_text())
    for folder in sorted(p for p in (run / "benchmarks").iterdir() if p.is_dir()):
        jobs = measured(folder)
        files = [
            f"benchmarks/{folder.name}/{'/'.join(filter(None, key))}.tsv"
            for key in zip(jobs["rule"], jobs["job"], strict=True)
        ]
        jobs["share"] = jobs["max_rss"] / [asked.get(file, np.nan) for file in files]
        # Downloads lie beside the study's: their folder is the rule.
        parts.append(jobs if folder.name == "rehearsal" else jobs.assign(rule=folder.name))
    every = pd.concat(parts, ignore_index=True)
    conditions, page = (run / "results/rehearsal" / name for name in ("prepared/conditions.tsv", "report/index.html"))
    profiles = pd.read_csv(conditions, sep="\t")["profiles"].sum() if conditions.is_file() else np.nan
    rows = by_rule(every)
    rows["share"] = rows["rule"].map(every.groupby("rule")["share"].max())
    keys = {"scale": size.scale, "cohorts": len(size.cohorts), "genes": genes, "profiles": profiles, "whole": whole}
    for at, (name, value) in enumerate(keys.items()):
        rows.insert(at, name, value)
    sizes = {"page_mb": page.stat().st_size / 1e6 if whole else np.nan, "disk_mb": _megabytes(run)}
    rows = rows.assign(**sizes)
    if table.is_file():
        earlier = pd.read_csv(table, sep="\t")
        same = (earlier[["scale", "cohorts", "genes"]] == [size.scale, len(size.cohorts), genes]).all(axis=1)
        rows = pd.concat([earlier[~same], rows], ignore_index=True)
    rows.to_csv(table, sep="\t", index=False)
    print(f"the page has {sizes['page_mb']:.2f} MB, the run {sizes['disk_mb']:.0f} MB", flush=True)


def growth(table: pd.DataFrame, value: str, full_profiles: float = FULL_PROFILES) -> pd.DataFrame:
    """How a measurement of each rule grows with the data, and what it would be at full size.

    Parameters
    ----------
    table : DataFrame
        ``rule scale profiles`` and `value`, a row per rule and run.
    value : str
        Column.
    full_profiles : float
        Profiles at full size: what rules over all datasets are extrapolated to; those of one dataset are to scale 1.

    Returns
    -------
    DataFrame
        A row per rule: ``order``, the exponent p of a + b·x^p where three sizes x that double tell it (NaN elsewhere,
        and where nothing grew), and ``full``, the value at full size: by that curve where p is between 1 and
        3, else by the line through the two largest: a larger p is a step, a question more that can be answered say.
    """
    rows = []
    for rule, one in table.groupby("rule", sort=False):
        one = one.dropna(subset=[value]).sort_values("scale")
        of_one = rule in OF_ONE_DATASET
        x, y = one["scale" if of_one else "profiles"].to_numpy(float), one[value].to_numpy(float)
        end = 1.0 if of_one else full_profiles
        order, full = np.nan, float(y[-1]) if len(y) else np.nan
        if len(y) >= 2:
            slope = max((y[-1] - y[-2]) / (x[-1] - x[-2]), 0)
            full = y[-1] + slope * (end - x[-1])
        if len(y) >= 3 and y[-2] > y[-3] and y[-1] > y[-2]:
            order = float(np.log2((y[-1] - y[-2]) / (y[-2] - y[-3])))
            if 1 < order <= MAX_ORDER:
                grown = (end**order - x[-2] ** order) / (x[-1] ** order - x[-2] ** order)
                full = y[-2] + (y[-1] - y[-2]) * grown
        rows.append({"rule": rule, "order": order, "full": full})
    return pd.DataFrame(rows, columns=["rule", "order", "full"]).set_index("rule")


def print_table(path: Path, genes: int) -> None:
    """CPU time of all jobs and peak memory of each rule, of all runs with the most cohorts, and their growth."""
    table = pd.read_csv(path, sep="\t")
    table = table[(table["genes"] == genes) & (table["cohorts"] == table["cohorts"].max())]
    memory, seconds = growth(table, "max_mb"), growth(table, "cpu_s")
    wide = table.pivot(index="rule", columns="scale", values=["cpu_s", "max_mb"]).round(0)
    wide["order_s"], wide["full_s"] = seconds["order"].round(1), seconds["full"].round(0)
    wide["order_mb"], wide["full_mb"] = memory["order"].round(1), memory["full"].round(0)
    wide["share"] = table.groupby("rule")["share"].max().round(2)
    wide["remark"] = np.where(memory["full"].reindex(wide.index) > LIMIT_MB, f"over {LIMIT_MB} MB", "")
    print(f"{genes} genes, {int(table['cohorts'].max())} cohorts")
    print(wide.to_string())


def main() -> int:
    """Run a rehearsal, or print what earlier ones measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=0.02, help="share of the samples and cells")
    parser.add_argument("--genes", type=int, default=2000, help="genes of the gene space, up to 20000")
    parser.add_argument("--graph-genes", type=int, default=2000, help="genes that follow the known graph")
    parser.add_argument("--steps", type=int, default=100, help="training steps of the networks, at any scale")
    parser.add_argument("--cohorts", nargs="+", choices=list(COHORTS), default=list(COHORTS), metavar="COHORT")
    parser.add_argument(
        "--experiments", nargs="+",
        default=["fidelity", "augmentation", "privacy", "combination", "interventions"],
    )  # fmt: skip
    parser.add_argument("--prepare", action="store_true", help="as far as the data are prepared and checked")
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("rehearsal"))
    parser.add_argument("--table", action="store_true", help="print what earlier runs measured")
    parser.add_argument("snakemake", nargs="*", help="further options of Snakemake, after --")
    options = parser.parse_args()
    if options.table:
        print_table(options.folder / "measured.tsv", options.genes)
        return 0
    return rehearse(options)


if __name__ == "__main__":
    sys.exit(main())
