"""What a training step of each network costs on a GPU, beside the least that the GPU's arithmetic and memory allow.

A line for each network trained on ``--profiles`` profiles, on ``--sets`` sets of 50 profiles at once, and, where there
is one, with its published hyper-parameters: seconds of fitting what a network starts from, milliseconds of a step given
to the GPU operation by operation, of a recorded one (``flow`` is not recorded), and of the kernels in it, how many
these are, the share of the time in which one runs, the GPU's memory that was taken, billions of operations of products
in a step, their rate, and the floor: these operations over the GPU's rate, or bytes of the optimiser (weights,
gradients and two moments, read and written once) over its bandwidth, whichever is longer. Both rates are measured
first. ``--compile`` times networks compiled by torch.compile as well, and the seconds that compiling takes. A run that
is timed is cut short: nothing is learned.
"""

from __future__ import annotations

import time
import warnings

import torch
from common import PUBLISHED, cohort, row, trained_generators
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from pseudocohort.generators.base.registry import get
from pseudocohort.generators.engine.recording import Recorded
from pseudocohort.generators.engine.training import Training

WARM_UP, TIMED, PROFILED = 20, 100, 10
#: Times that the optimiser moves a weight: reads of weight, gradient and two moments, writes of all but the gradient.
MOVED = 7


def add_options(parser) -> None:
    trained = trained_generators()
    parser.add_argument("--generators", nargs="+", default=trained, choices=trained)
    parser.add_argument("--genes", type=int, default=978)
    parser.add_argument("--profiles", type=int, default=800)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--compile", nargs="+", default=[], choices=trained)


def seconds(run, times: int) -> float:
    """Mean seconds of a call on the GPU, which works through the calls in order."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        run()
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / times


def rates() -> dict[str, float]:
    """Operations per second of products in float32 and bfloat16, and bytes per second of a copy."""
    found = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = (torch.randn(8192, 8192, device="cuda", dtype=dtype) for _ in range(2))
        seconds(lambda a=a, b=b: a @ b, 2)
        found[name] = 2 * 8192**3 / seconds(lambda a=a, b=b: a @ b, 5)
    x = torch.empty(2**30, device="cuda", dtype=torch.uint8)
    y = torch.empty_like(x)
    seconds(lambda: y.copy_(x), 2)
    found["bytes"] = 2 * x.numel() / seconds(lambda: y.copy_(x), 10)
    return found


class Operations(TorchDispatchMode):
    """Counts the operations of products."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        out = function(*arguments, **(settings or {}))
        if count := flop_registry.get(function._overloadpacket):
            self.count += count(*arguments, **(settings or {}), out_val=out)
        return out


class Stopwatch:
    """Stands for :meth:`Training.run`: times some steps instead of training, and says what one costs."""

    def __init__(self, compiled: bool) -> None:
        self.compiled, self.found, self.reached = compiled, {}, 0.0

    def run(self, training, one_step, steps, checkpoint, name, validation=None, kind=None):
        self.reached = time.perf_counter()
        if kind:
            training._let_record()

        def counted(run) -> None:
            training._set_rates(0.5)
            run()
            training.step += 1
            training._update_average()

        if self.compiled:
            for module in training.modules.values():
                module.compile()
            start = time.perf_counter()
            for _ in range(4):
                counted(one_step)
            torch.cuda.synchronize()
            self.found["compiling"] = time.perf_counter() - start
        else:
            with Operations() as operations:
                counted(one_step)
            self.found["operations"] = operations.count
        run = Recorded(one_step, kind, training.random) if kind else one_step
        for way, step in (("step", one_step), ("recorded", run)):
            seconds(lambda step=step: counted(step), WARM_UP)
            self.found[way] = seconds(lambda step=step: counted(step), TIMED)
        with profile(activities=[ProfilerActivity.CUDA]) as traced:
            seconds(lambda: counted(run), PROFILED)
        kernels = [event for event in traced.events() if event.device_type == torch.autograd.DeviceType.CUDA]
        self.found["busy"] = sum(event.time_range.elapsed_us() for event in kernels) * 1e-6 / PROFILED
        self.found["kernels"] = len(kernels) / PROFILED
        self.found["weights"] = sum(w.numel() for module in training.modules.values() for w in module.parameters())
        training.rows = [{"step": 1}]
        return training


def measure(name: str, settings: dict, parts: list, compiled: bool) -> dict[str, float]:
    """What a step costs."""
    kind, watch = get(name), Stopwatch(compiled)
    original = Training.run
    Training.run = lambda training, *arguments, **keywords: watch.run(training, *arguments, **keywords)
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    try:
        kind.fit_together(parts, settings=settings, seeds=range(len(parts)), device="cuda")
    finally:
        Training.run = original
    watch.found["before"] = watch.reached - start
    watch.found["memory"] = torch.cuda.max_memory_allocated() / 2**30
    return watch.found


def run(options) -> None:
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device is visible: this benchmark times a GPU")
    warnings.filterwarnings("ignore")
    limits = rates()
    products = " and ".join(f"{limits[name] / 1e12:.0f}" for name in ("float32", "bfloat16"))
    print(
        f"{torch.cuda.get_device_name()}, PyTorch {torch.__version__}: products {products} TFLOP/s (float32, "
        f"bfloat16), copies {limits['bytes'] / 1e12:.2f} TB/s"
    )
    row(
        "generator", "sets", "before s", "step ms", "recorded ms", "kernels ms", "kernels", "busy", "GiB", "GFLOP",
        "TFLOP/s", "floor ms", "compiled ms", "compiling s",
    )  # fmt: skip
    one = [cohort(options.profiles, options.genes, 1)]
    many = [cohort(50, options.genes, i) for i in range(options.sets)]
    jobs = [(name, {}, parts) for name in options.generators for parts in (one, many)]
    jobs += [(name, {"preset": "paper"}, one) for name in PUBLISHED if name in options.generators]
    for name, settings, parts in jobs:
        found = measure(name, settings, parts, compiled=False)
        rate = limits[get(name).merge_settings(settings).get("precision", "float32")]
        floor = max(found["operations"] / rate, found["weights"] * 4 * MOVED / limits["bytes"])
        cells = [
            name + (" (paper)" if settings else ""), len(parts), f"{found['before']:.1f}",
            f"{1e3 * found['step']:.2f}", f"{1e3 * found['recorded']:.2f}", f"{1e3 * found['busy']:.2f}",
            f"{found['kernels']:.0f}", f"{found['busy'] / found['recorded']:.2f}", f"{found['memory']:.2f}",
            f"{found['operations'] / 1e9:.2f}", f"{found['operations'] / found['recorded'] / 1e12:.2f}",
            f"{1e3 * floor:.3f}",
        ]  # fmt: skip
        if name in options.compile and parts is one:
            faster = measure(name, settings, parts, compiled=True)
            cells += [f"{1e3 * faster['step']:.2f}", f"{faster['compiling']:.0f}"]
        row(*cells)
