"""Plan. Needs: harmonised profiles and held-out donors. Makes: the training sets and who is in them, in which role."""


rule plan:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
    output:
        training_sets="<results>/plan/training_sets.tsv",
        members=collect(
            "<results>/plan/members/{experiment}.parquet", experiment=TRAINED
        ),
    log:
        "<logs>/plan.log",
    benchmark:
        "<benchmarks>/plan.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 4),
        runtime=minutes(30),
    params:
        config=PLAN_CONFIG,
        code=code_of_plan(),
    script:
        "../scripts/plan.py"
