"""Evaluate. Needs: synthetic and real profiles and the plan. Makes: tidy tables and their summaries."""


rule evaluate:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        training_sets="<results>/plan/training_sets.tsv",
        members=members_of_evaluation,
        synthetic=synthetic_files,
        signals=signal_files,
        gene_sets=gene_set_files,
    output:
        table="<results>/evaluated/{evaluation}/{generator}.tsv",
    log:
        "<logs>/evaluate/{evaluation}/{generator}.log",
    benchmark:
        "<benchmarks>/evaluate/{evaluation}/{generator}.tsv"
    wildcard_constraints:
        evaluation="|".join(PURPOSE_OF_EVALUATION),
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        study=config["study"],
        settings=settings_of_evaluation,
        seed=config["seed"],
        code=code_of_evaluation,
    script:
        "../scripts/evaluate.py"


rule member_signals:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        members="<results>/plan/members/privacy.parquet",
        models="<results>/models/privacy/{generator}/{batch}",
    output:
        signals="<results>/signals/{generator}/{batch}.tsv",
        ledgers="<results>/signals/{generator}/{batch}.json",
    log:
        "<logs>/member_signals/{generator}/{batch}.log",
    benchmark:
        "<benchmarks>/member_signals/{generator}/{batch}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=8000,
        runtime=60,
        gpu=gpus_of_generator,
    params:
        training_sets=sets_of_audit,
        kind=kind_of_generator,
        device=config["training"]["device"],
        code=code_of_generator,
    script:
        "../scripts/member_signals.py"


rule interventions:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
        graph_and_truth=intervention_files,
        models=fidelity_models,
    output:
        table="<results>/evaluated/interventions/operators.tsv",
        refusals="<results>/evaluated/interventions/refusals.tsv",
    log:
        "<logs>/interventions.log",
    benchmark:
        "<benchmarks>/interventions.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        study=config["study"],
        settings=config["interventions"],
        seed=config["seed"],
        generator_settings=config["generator_settings"],
        kinds={name: kind_of(config, name) for name in config["generators"]},
        device=config["training"]["device"],
        code=code_version("experiments.interventions.score", "generators.space.clamping"),
    script:
        "../scripts/interventions.py"


rule summarise:
    input:
        evaluated_files,
    output:
        table="<results>/tables/{evaluation}.tsv",
        summary=report(
            "<results>/tables/{evaluation}_summary.tsv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{evaluation}"},
        ),
    log:
        "<logs>/summarise/{evaluation}.log",
    benchmark:
        "<benchmarks>/summarise/{evaluation}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_version("experiments.shared.statistics", "experiments.shared.learning_curve"),
    script:
        "../scripts/summarise.py"
