"""Time, memory and likeness of every generator, and the published hyper-parameters beside ours.

Usage: python tools/benchmark_generators.py [--genes 978 5000] [--samples 800] [--generators NAME ...] [--device auto]
                                            [--paper-steps 15] [--threads 1] [--interface]

Data: five conditions with thirty skewed factors in common, standardised. Each generator is a process of its own; its
row has the seconds of training and the share of the training length at which the coverage of held-out profiles first
was that of ``mvn`` (0: without training), profiles sampled per second, evaluations of the network per profile, peak
GiB, coverage, and the AUC of a random forest against held-out profiles (.5 is best). A preset of published hyper-
parameters is trained for ``--paper-steps`` steps and sampled five times only: its seconds of training are those of a
step times its steps, and its likeness is not measured. With ``--paper-steps 0`` it is trained in full: that wants a
GPU. With ``--interface`` a row has the CPU seconds and the memory of the whole way of a user instead:
``pseudocohort.fit`` with its imports, on log2 values with silent genes, and as many profiles sampled.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import sys
import time
from multiprocessing import get_context
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))
PAPER = ("wgan_gp", "ddpm")
PARTS = (0.05, 0.1, 0.2, 0.4, 0.7)
BULK = {"technology": "bulk", "aggregation": "bulk", "context": "tumour", "level": "tumour"}


def cohort(n: int, genes: int, seed: int):
    """Standardised profiles (n × genes) of five conditions, as AnnData."""
    import anndata as ad
    import numpy as np
    import pandas as pd

    fixed, rng = np.random.default_rng(99), np.random.default_rng(seed)
    loadings, contrast = 0.4 * fixed.standard_normal((30, genes)), 0.6 * fixed.standard_normal((5, genes))
    kind = np.arange(n) % 5
    factors = rng.gamma(2, size=(n, 30)) / 2**0.5 - 2**0.5  # skewed: a Gaussian is not the truth
    x = contrast[kind] + factors @ loadings + rng.standard_normal((n, genes))
    scale = np.sqrt((loadings**2).sum(0) + (contrast**2).mean(0) + 1)
    names = [f"d{seed}-{i}" for i in range(n)]
    obs = pd.DataFrame({"donor": names, "condition": np.array(list("ABCDE"))[kind], **BULK}, index=names)
    return ad.AnnData((x / scale).astype(np.float32), obs=obs)


def coverage(real, made) -> float:
    """Coverage of held-out profiles (Naeem et al. 2020), five neighbours."""
    from pseudocohort.metrics.prdc import precision_recall_density_coverage

    return precision_recall_density_coverage(real, made, 5)["coverage"]


def measure(name: str, preset: str, genes: int, n: int, device: str, paper_steps: int, goal: float, answer) -> None:
    """Train and sample one generator; a dictionary of what was measured."""
    from pseudocohort.generators.base.registry import get
    from pseudocohort.generators.fit.batch import lengthened
    from pseudocohort.metrics.discriminator import discriminator_auc

    kind, train, held_out = get(name), cohort(n, genes, 1), cohort(n // 2, genes, 2)
    settings = {"preset": preset} if preset != "tuned" else {}
    measured_only = preset != "tuned" and paper_steps
    whole = kind.merge_settings(settings)
    start = time.perf_counter()
    model = kind().fit(
        train, settings=settings | ({"steps": paper_steps} if measured_only else {}), seed=1, device=device
    )
    seconds = time.perf_counter() - start
    if measured_only:
        from pseudocohort.generators.engine.training import number_of_steps

        batch = min(whole["batch"], n)
        max_epochs = whole["max_epochs"] // whole.get("critic_steps", 1)
        seconds *= number_of_steps(whole["steps"], max_epochs, n, batch) / paper_steps
    start = time.perf_counter()
    wanted = held_out.obs.drop(columns="donor").iloc[: 5 if measured_only else None]
    made = model.sample(wanted, seed=1, device=device)
    found = {"train": seconds, "per_second": len(made) / (time.perf_counter() - start)}
    found["steps"] = whole.get("sampling_steps", 1)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    if not measured_only:
        found["coverage"] = coverage(held_out.X, made)
        found["auc"] = discriminator_auc(held_out.X, made, held_out.obs["donor"].to_numpy(str), 1)
        if kind.capabilities.trained and goal:
            for part in PARTS:
                short = kind().fit(train, settings=lengthened(kind, settings, part), seed=1, device=device)
                if coverage(held_out.X, short.sample(held_out.obs.drop(columns="donor"), seed=1)) >= goal - 0.01:
                    found["reached"] = part
                    break
            else:
                found["reached"] = 1.0 if found["coverage"] >= goal - 0.01 else float("nan")
        elif goal and found["coverage"] >= goal - 0.01:
            found["reached"] = 0.0
    answer.put(found)


def measure_interface(name: str, genes: int, n: int, device: str, answer) -> None:
    """CPU seconds and memory of fitting and sampling through the Python interface."""
    import numpy as np

    import pseudocohort as pc

    data = cohort(n, genes, 1)
    data.X = np.maximum(4 + 2 * data.X, 0)
    made = time.process_time()  # the data are not the user's cost
    fitted = pc.fit(data, generator=name, device=device)
    start = time.process_time()
    fitted.sample(n)
    end = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    answer.put({"fit": start - made, "sample": end - start, "peak": peak})


def run(function, *arguments) -> dict:
    """What `function` measures, in a process of its own."""
    context = get_context("spawn")
    answer = context.Queue()
    process = context.Process(target=function, args=(*arguments, answer))
    process.start()
    found = answer.get()
    process.join()
    return found


def main() -> None:
    """Print a table."""
    from pseudocohort.generators.base.registry import generators

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--genes", type=int, nargs="+", default=[978])
    parser.add_argument("--samples", type=int, nargs="+", default=[800])
    parser.add_argument(
        "--generators",
        nargs="+",
        default=[n for n, d in generators().items() if not (d.capabilities.private or d.capabilities.counts)],
    )
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--paper-steps", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--interface", action="store_true", help="CPU seconds and memory through the Python interface")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(options.threads)
    from pseudocohort.generators.base.device import choose_device

    print(f"device {choose_device(options.device)}, {options.threads} thread(s)")
    if options.interface:
        print("genes\tprofiles\tgenerator\tfit, CPU s\tsample, CPU s\tGiB")
        for genes, n, name in itertools.product(options.genes, options.samples, options.generators):
            found = run(measure_interface, name, genes, n, options.device)
            print(f"{genes}\t{n}\t{name}\t{found['fit']:.1f}\t{found['sample']:.1f}\t{found['peak']:.2f}", flush=True)
        return
    columns = ("genes", "profiles", "generator", "train s", "at mvn's", "sampled/s", "steps", "GiB", "coverage", "AUC")
    print("\t".join(columns))
    for genes in options.genes:
        for n in options.samples:
            common = (genes, n, options.device, options.paper_steps)
            goal = run(measure, "mvn", "tuned", *common, 0.0)["coverage"]
            jobs = [(name, "tuned") for name in options.generators]
            jobs += [(name, "paper") for name in PAPER if name in options.generators]
            for name, preset in jobs:
                found = run(measure, name, preset, *common, goal)
                shown = [f"{found[key]:{form}}" if key in found else "" for key, form in (
                    ("train", ".1f"), ("reached", ".2f"), ("per_second", ".0f"), ("steps", "d"), ("peak", ".2f"),
                    ("coverage", ".3f"), ("auc", ".2f"),
                )]  # fmt: skip
                print(
                    "\t".join([str(genes), str(n), name if preset == "tuned" else f"{name} ({preset})", *shown]),
                    flush=True,
                )


if __name__ == "__main__":
    main()
