"""Report. Needs: tables, their summaries and synthetic profiles. Makes: verdicts, figures, provenance, one HTML page."""


rule verdicts:
    input:
        collect("<results>/tables/{evaluation}.tsv", evaluation=config["evaluations"]),
    output:
        verdicts="<results>/tables/verdicts.json",
    log:
        "<logs>/verdicts.log",
    benchmark:
        "<benchmarks>/verdicts.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        titles=TASK_TITLES,
        code=code_version("experiments.shared.verdicts"),
    script:
        "../scripts/verdicts.py"


rule figure:
    input:
        summary="<results>/tables/{evaluation}_summary.tsv",
    output:
        figure=report(
            "<results>/figures/{evaluation}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{evaluation}"},
        ),
    log:
        "<logs>/figure/{evaluation}.log",
    benchmark:
        "<benchmarks>/figure/{evaluation}.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        options=options_of_figure,
        caption=caption_of_figure,
        code=code_of_figure,
    script:
        "../scripts/figure.py"


rule leakage:
    input:
        summary="<results>/tables/privacy_summary.tsv",
    output:
        figure=report(
            "<results>/figures/leakage.svg",
            caption="../report/leakage.rst",
            category="Figures",
            labels={"figure": "leakage"},
        ),
    log:
        "<logs>/leakage.log",
    benchmark:
        "<benchmarks>/leakage.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        code=code_version("experiments.privacy.figures.leakage"),
    script:
        "../scripts/leakage.py"


rule learning:
    input:
        summary="<results>/tables/augmentation_summary.tsv",
    output:
        figure=report(
            "<results>/figures/learning.svg",
            caption="../report/learning.rst",
            category="Figures",
            labels={"figure": "learning"},
        ),
    log:
        "<logs>/learning.log",
    benchmark:
        "<benchmarks>/learning.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        titles=TASK_TITLES,
        code=code_version("experiments.augmentation.figures.learning"),
    script:
        "../scripts/learning.py"


rule frontier:
    input:
        summary="<results>/tables/privacy_summary.tsv",
    output:
        figure=report(
            "<results>/figures/frontier.svg",
            caption="../report/frontier.rst",
            category="Figures",
            labels={"figure": "frontier"},
        ),
    log:
        "<logs>/frontier.log",
    benchmark:
        "<benchmarks>/frontier.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        bound=config["release"]["max_auc_high"],
        code=code_version("experiments.privacy.figures.frontier"),
    script:
        "../scripts/frontier.py"


rule cohort_figures:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        members="<results>/plan/members/full.parquet",
        synthetic=fidelity_samples,
        models=fidelity_models,
    output:
        map=report(
            "<results>/figures/map.svg",
            caption="../report/map.rst",
            category="Figures",
            labels={"figure": "map"},
        ),
        training=report(
            "<results>/figures/training.svg",
            caption="../report/training.rst",
            category="Figures",
            labels={"figure": "training"},
        ),
    log:
        "<logs>/cohort_figures.log",
    benchmark:
        "<benchmarks>/cohort_figures.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        code=code_version("experiments.fidelity.figures.map", "experiments.fidelity.figures.training"),
    script:
        "../scripts/cohort_figures.py"


rule level_figure:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
        synthetic=combination_samples,
    output:
        figure=report(
            "<results>/figures/levels.svg",
            caption="../report/levels.rst",
            category="Figures",
            labels={"figure": "levels"},
        ),
    log:
        "<logs>/level_figure.log",
    benchmark:
        "<benchmarks>/level_figure.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=config["combination"],
        generator=(config["combination"]["generators"] or [""])[0],
        code=code_version("experiments.combination.figures.levels"),
    script:
        "../scripts/level_figure.py"


rule provenance:
    input:
        "<results>/tables/verdicts.json",
    output:
        config="<results>/provenance/config.yaml",
        software="<results>/provenance/software.tsv",
        machine="<results>/provenance/machine.json",
        generators="<results>/provenance/generators.tsv",
    log:
        "<logs>/provenance.log",
    benchmark:
        "<benchmarks>/provenance.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=config,
        code=code_version("core.provenance"),
        generator_code=code_of_generators(),
    script:
        "../scripts/provenance.py"


rule report:
    input:
        verdicts="<results>/tables/verdicts.json",
        summaries=collect(
            "<results>/tables/{evaluation}_summary.tsv",
            evaluation=config["evaluations"],
        ),
        figures=FIGURES,
        captions=CAPTIONS,
        quality=collect("<results>/prepared/quality/{dataset}.json", dataset=DATASETS),
        donors="<results>/prepared/donors.tsv",
        genes="<results>/prepared/genes.tsv",
        models=fidelity_models,
        software="<results>/provenance/software.tsv",
        machine="<results>/provenance/machine.json",
        generators="<results>/provenance/generators.tsv",
    output:
        page=report(
            "<results>/report/index.html",
            caption="../report/index.rst",
            category="Answers",
            labels={"page": "whole report"},
        ),
    log:
        "<logs>/report.log",
    benchmark:
        "<benchmarks>/report.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        config=config,
        code=code_version("report.page", "report.cost"),
        # Not an input: whoever deletes it wants no training again.
        benchmarks=f"benchmarks/{config['study']}",
        templates=template_version(),
    script:
        "../scripts/report.py"
