"""A training job killed with SIGKILL and started again gives the model of a job that was never killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import load_file

JOB = """
import sys
from pathlib import Path
import anndata as ad, numpy as np, pandas as pd
from pseudocohort.generators.fit.batch import train_batch

rng = np.random.default_rng(0)
obs = pd.DataFrame({"donor": [f"d{i}" for i in range(60)], "condition": list("AB") * 30, "technology": "bulk",
                    "aggregation": "bulk", "context": "tumour", "level": "tumour"}, index=[f"d{i}" for i in range(60)])
profiles = ad.AnnData(rng.normal(8, 2, (60, 30)).astype(np.float32), obs=obs)
members = pd.concat([
    pd.DataFrame({"training_set": name, "sample_id": obs.index, "role": "train", "condition": list("AB") * 30})
    for name in ("one", "two")
])
train_batch(profiles, members, ["one", "two"], Path(sys.argv[1]), generator="ddpm",
            settings={"steps": 600, "max_epochs": 10**6}, seed=1, device="cpu",
            checkpoints=Path(sys.argv[2]), checkpoint_minutes=0, together=int(sys.argv[3]))
"""


@pytest.mark.parametrize("together", [1, 2])
def test_killed_training_resumes_to_the_same_model(tmp_path, project_root, together):
    environment = os.environ | {"PYTHONPATH": str(project_root / "workflow/scripts"), "OMP_NUM_THREADS": "1"}

    def start(name):
        folders = [str(tmp_path / name), str(tmp_path / f"{name}-checkpoints")]
        command = [sys.executable, "-c", JOB, *folders, str(together)]
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    last = "two" if together == 1 else "one"  # a stack has the name of its first set
    assert start("whole").wait(300) == 0
    job = start("killed")
    for _ in range(1200):
        if (tmp_path / f"killed-checkpoints/{last}.safetensors").exists():
            break
        assert job.poll() is None, "the job ended before it could be killed"
        time.sleep(0.05)
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not (tmp_path / "killed").exists()
    assert (tmp_path / "killed-checkpoints/done/one").is_dir() == (together == 1)
    job = start("killed")
    log = job.communicate(timeout=300)[1]
    assert job.returncode == 0
    assert "/600" in log and " 0/600" not in log  # nothing starts anew: what is done is left, what is not resumes
    for name in ("one", "two"):
        whole, killed = (load_file(tmp_path / f"{run}/{name}/model/arrays.safetensors") for run in ("whole", "killed"))
        assert whole.keys() == killed.keys()
        for key, value in whole.items():
            np.testing.assert_array_equal(value, killed[key], err_msg=key)
    assert not (tmp_path / "killed-checkpoints").exists()
