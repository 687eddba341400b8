"""Generate. Needs: the models of a batch. Makes: the synthetic profiles that the plan asks of each of them."""


rule generate:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
        models="<results>/models/{experiment}/{generator}/{batch}",
    output:
        profiles="<results>/synthetic/{experiment}/{generator}/{batch}.h5ad",
    log:
        "<logs>/generate/{experiment}/{generator}/{batch}.log",
    benchmark:
        "<benchmarks>/generate/{experiment}/{generator}/{batch}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500, 12),
        runtime=minutes(60),
        gpu=gpus_of_generator,
    params:
        kind=kind_of_generator,
        asked=asked_of_batch,
        device=config["training"]["device"],
        code=code_of_generator,
        request_code=code_of_members,
    script:
        "../scripts/generate.py"
