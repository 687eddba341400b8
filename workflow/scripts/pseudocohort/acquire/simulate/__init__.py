"""The demo's raw files, from a structural causal model whose interventions are known exactly."""
