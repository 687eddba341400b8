"""Intervene. Needs: prepared tissue profiles, a graph, questions. Makes: a table and a page for each question."""


rule intervention_profiles:
    input:
        profiles=[profiles_of_dataset(name) for name in TISSUE_DATASETS],
        donors="<results>/prepared/donors.tsv",
        genes=resource("genes.tsv.gz"),
    output:
        profiles="<results>/interventions/profiles.h5ad",
    log:
        "<logs>/intervention_profiles.log",
    benchmark:
        "<benchmarks>/intervention_profiles.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, 0.5),
        runtime=minutes(60),
    params:
        code=code_version("intervene.run", "prepare.harmonise"),
    script:
        "../scripts/intervention_profiles.py"


rule intervene:
    input:
        profiles="<results>/interventions/profiles.h5ad",
        lines=[
            profiles_of_dataset(name)
            for name in DATASETS
            if name not in TISSUE_DATASETS
        ],
        files=question_files,
    output:
        folder=directory("<results>/interventions/answers"),
    log:
        "<logs>/intervene.log",
    benchmark:
        "<benchmarks>/intervene.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        # The profiles stay in their file; the models of the bootstraps take 3 GB at most.
        mem_mb=memory(5000, 0.5),
        runtime=minutes(60),
    params:
        title=title_of_study,
        simulated=config["simulated"],
        settings=settings_of_questions,
        gene_sets=pathway_file,
        root=configuration.data_root(config),
        seed=config["seed"],
        code=code_version("intervene.run", "intervene.write"),
        templates=folder_version(WORKFLOW / "scripts/pseudocohort/intervene/templates"),
    script:
        "../scripts/intervene.py"
