"""Time, memory and likeness of every generator, and the published hyper-parameters beside ours.

Data: five conditions with thirty skewed factors in common, standardised. Each generator is a process of its own; its
row has the seconds of training and the share of the training length at which the coverage of held-out profiles first
was that of ``mvn`` (0: without training), profiles sampled per second, evaluations of the network per profile, peak
GiB, coverage, and the AUC of a random forest against held-out profiles (.5 is best). A preset of published hyper-
parameters is trained for ``--paper-steps`` steps and sampled five times only: its seconds of training are those of a
step times its steps, and its likeness is not measured. With ``--paper-steps 0`` it is trained in full: that wants a
GPU.
"""

from __future__ import annotations

import itertools
import time

from common import PUBLISHED, alone, cohort, peak_memory, row

from pseudocohort.generators.base.registry import generators, get

PARTS = (0.05, 0.1, 0.2, 0.4, 0.7)
COLUMNS = {
    "train s": ".1f", "at mvn's": ".2f", "sampled/s": ".0f", "steps": "d", "GiB": ".2f", "coverage": ".3f",
    "AUC": ".2f",
}  # fmt: skip


def add_options(parser) -> None:
    able = {name: described.capabilities for name, described in generators().items()}
    public = [name for name, can in able.items() if not (can.private or can.counts)]
    parser.add_argument("--genes", type=int, nargs="+", default=[978])
    parser.add_argument("--samples", type=int, nargs="+", default=[800])
    parser.add_argument("--generators", nargs="+", default=public)
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--paper-steps", type=int, default=15)


def coverage(real, made) -> float:
    """Coverage of held-out profiles (Naeem et al. 2020), five neighbours."""
    from pseudocohort.metrics.prdc import precision_recall_density_coverage

    return precision_recall_density_coverage(real, made, 5)["coverage"]


def measure(name: str, preset: str, genes: int, n: int, device: str, paper_steps: int, goal: float) -> dict:
    """Train and sample one generator; what was measured, by column."""
    from pseudocohort.generators.fit.batch import lengthened
    from pseudocohort.metrics.discriminator import discriminator_auc

    kind, train, held_out = get(name), cohort(n, genes, 1), cohort(n // 2, genes, 2)
    settings = {"preset": preset} if preset != "tuned" else {}
    cut_short = preset != "tuned" and paper_steps
    whole = kind.merge_settings(settings)
    start = time.perf_counter()
    model = kind().fit(train, settings=settings | ({"steps": paper_steps} if cut_short else {}), seed=1, device=device)
    seconds = time.perf_counter() - start
    if cut_short:
        from pseudocohort.generators.engine.training import number_of_steps

        max_epochs = whole["max_epochs"] // whole.get("critic_steps", 1)
        seconds *= number_of_steps(whole["steps"], max_epochs, n, min(whole["batch"], n)) / paper_steps
    start = time.perf_counter()
    wanted = held_out.obs.drop(columns="donor")
    made = model.sample(wanted.iloc[: 5 if cut_short else None], seed=1, device=device)
    found = {"train s": seconds, "sampled/s": len(made) / (time.perf_counter() - start)}
    found |= {"steps": whole.get("sampling_steps", 1), "GiB": peak_memory()}
    if cut_short:
        return found
    found["coverage"] = coverage(held_out.X, made)
    found["AUC"] = discriminator_auc(held_out.X, made, held_out.obs["donor"].to_numpy(str), 1)
    reached = found["coverage"] >= goal - 0.01
    if goal and kind.capabilities.trained:
        found["at mvn's"] = 1.0 if reached else float("nan")
        for part in PARTS:
            short = kind().fit(train, settings=lengthened(kind, settings, part), seed=1, device=device)
            if coverage(held_out.X, short.sample(wanted, seed=1)) >= goal - 0.01:
                found["at mvn's"] = part
                break
    elif goal and reached:
        found["at mvn's"] = 0.0
    return found


def run(options) -> None:
    from pseudocohort.generators.base.device import choose_device

    print(f"device {choose_device(options.device)}, {options.threads} thread(s)")
    row("genes", "profiles", "generator", *COLUMNS)
    jobs = [(name, "tuned") for name in options.generators]
    jobs += [(name, "paper") for name in PUBLISHED if name in options.generators]
    for genes, n in itertools.product(options.genes, options.samples):
        common = (genes, n, options.device, options.paper_steps)
        goal = alone(measure, "mvn", "tuned", *common, 0.0)["coverage"]
        for name, preset in jobs:
            found = alone(measure, name, preset, *common, goal)
            shown = [f"{found[column]:{form}}" if column in found else "" for column, form in COLUMNS.items()]
            row(genes, n, name if preset == "tuned" else f"{name} ({preset})", *shown)
