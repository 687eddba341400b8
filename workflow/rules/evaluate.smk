"""Evaluate. Needs: synthetic and real profiles and the plan. Makes: tidy tables and their summaries."""


rule evaluate:
    input:
        unpack(files_of_evaluation),
        profiles="<results>/prepared/harmonised.h5ad",
        training_sets="<results>/plan/training_sets.tsv",
        members="<results>/plan/members/{experiment}.parquet",
    output:
        table="<results>/evaluated/{experiment}/{batch}.tsv",
    log:
        "<logs>/evaluate/{experiment}/{batch}.log",
    benchmark:
        "<benchmarks>/evaluate/{experiment}/{batch}.tsv"
    wildcard_constraints:
        experiment="|".join(TRAINED) or "none",
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 16),
        runtime=minutes(240),
    params:
        generators=generators_of_evaluation,
        study=config["study"],
        settings=settings_of_experiment,
        seed=config["seed"],
        code=code_of_experiment,
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
        mem_mb=memory(1500, 12),
        runtime=minutes(60),
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
        every_gene="<results>/interventions/profiles.h5ad",
        lines=[
            profiles_of_dataset(name)
            for name in DATASETS
            if name not in TISSUE_DATASETS
        ],
        files=intervention_files,
        models=clamping_models,
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
        mem_mb=memory(2000, 8),
        runtime=minutes(60),
    params:
        study=config["study"],
        settings=settings_of_truths,
        gene_sets=pathway_file,
        root=configuration.data_root(config),
        seed=config["seed"],
        generator_settings=config["generator_settings"],
        kinds={
            name: generator_registry.kind_of(config, name)
            for name in config["generators"]
        },
        device=config["training"]["device"],
        code=code_version(
            "experiments.interventions.score",
            "experiments.interventions.truths",
            "generators.space.clamping",
            "generators.fit.inference",
        ),
    script:
        "../scripts/interventions.py"


rule summarise:
    input:
        evaluated_files,
    output:
        table="<results>/tables/{experiment}.tsv",
        summary=report(
            "<results>/tables/{experiment}_summary.tsv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{experiment}"},
        ),
    log:
        "<logs>/summarise/{experiment}.log",
    benchmark:
        "<benchmarks>/summarise/{experiment}.tsv"
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 20),
        runtime=minutes(30),
    params:
        code=code_of_summary,
    script:
        "../scripts/summarise.py"
