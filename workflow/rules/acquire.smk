"""Acquire. Needs: rows of the dataset sheet. Makes: the demo's raw files, downloads with provenance."""


rule simulate:
    input:
        parameters=parameters_of_simulation,
        genes=resource("demo_genes.tsv"),
    output:
        normal="resources/{simulation}/normal.gct",
        normal_samples="resources/{simulation}/normal_attributes.tsv",
        tumour="resources/{simulation}/tumour.tsv.gz",
        tumour_samples="resources/{simulation}/tumour_phenotype.tsv",
        cells=directory("resources/{simulation}/cells"),
        line_bulk="resources/{simulation}/line_bulk.h5ad",
        truth=directory("resources/{simulation}/truth"),
    log:
        "logs/simulate/{simulation}.log",
    benchmark:
        "benchmarks/simulate/{simulation}.tsv"
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=minutes(10),
    params:
        code=code_version("acquire.simulate.write"),
    script:
        "../scripts/simulate.py"


rule download:
    output:
        file="resources/downloads/{dataset}/{file}",
    log:
        "logs/download/{dataset}/{file}.log",
    benchmark:
        "benchmarks/download/{dataset}/{file}.tsv"
    retries: 3
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(720),
    params:
        # Not the whole row: Snakemake removes a download before it repeats it.
        given=given_for_download,
    script:
        "../scripts/download.py"


rule download_gdc:
    output:
        counts="resources/downloads/_gdc/{dataset}/counts.tsv.gz",
        samples="resources/downloads/_gdc/{dataset}/samples.tsv",
    log:
        "logs/download_gdc/{dataset}.log",
    benchmark:
        "benchmarks/download_gdc/{dataset}.tsv"
    retries: 3
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(8000),
        runtime=minutes(1440),
        gdc=1,  # the GDC limits connections: profiles say how many of these jobs run at once
    params:
        source=lookup("{dataset}/source", within=DATASETS),
        api=gdc_api,
        cache="resources/downloads/_gdc/_files",
    script:
        "../scripts/download_gdc.py"


rule ask_for_file:
    output:
        "resources/manual/{file}",
    log:
        "logs/ask_for_file/{file}.log",
    benchmark:
        "benchmarks/ask_for_file/{file}.tsv"
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(500),
        runtime=minutes(5),
    script:
        "../scripts/ask_for_file.py"
