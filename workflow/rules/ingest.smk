"""Ingest. Needs: the raw files of a dataset. Makes: its profiles under one AnnData contract, on the source's unit."""


rule ingest:
    input:
        dataset_files,
    output:
        profiles="<results>/ingested/{dataset}.h5ad",
    log:
        "<logs>/ingest/{dataset}.log",
    benchmark:
        "<benchmarks>/ingest/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 16),
        runtime=minutes(60),
    params:
        row=dataset_row,
        conditions=conditions_of_dataset,
        code=code_version("ingest.dataset"),
    script:
        "../scripts/ingest.py"
