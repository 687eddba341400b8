"""Prepare. Needs: ingested profiles. Makes: quality-controlled profiles, pseudo-bulks, held-out donors, one gene space."""


rule quality_control:
    input:
        unpack(line_alias_file),
        profiles="<results>/ingested/{dataset}.h5ad",
        genes=resource("genes.tsv.gz"),
    output:
        profiles="<results>/prepared/quality/{dataset}.h5ad",
        report="<results>/prepared/quality/{dataset}.json",
    log:
        "<logs>/quality_control/{dataset}.log",
    benchmark:
        "<benchmarks>/quality_control/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500, 2),
        runtime=minutes(60),
    params:
        row=dataset_row,
        cell_quality=config["prepare"]["cell_quality"],
        sample_quality=config["prepare"]["sample_quality"],
        gene_duplicates=config["prepare"]["gene_duplicates"],
        seed=config["seed"],
        code=code_version("prepare.quality"),
    script:
        "../scripts/quality_control.py"


rule pseudobulk:
    input:
        profiles="<results>/prepared/quality/{dataset}.h5ad",
    output:
        profiles="<results>/prepared/pseudobulk/{dataset}.h5ad",
    log:
        "<logs>/pseudobulk/{dataset}.log",
    benchmark:
        "<benchmarks>/pseudobulk/{dataset}.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 14),
        runtime=minutes(60),
    params:
        pseudobulk=config["prepare"]["pseudobulk"],
        seed=config["seed"],
        code=code_version("prepare.pseudobulk"),
    script:
        "../scripts/pseudobulk.py"


rule assign_donors:
    input:
        collect("<results>/prepared/quality/{dataset}.h5ad", dataset=DATASETS),
    output:
        donors="<results>/prepared/donors.tsv",
    log:
        "<logs>/assign_donors.log",
    benchmark:
        "<benchmarks>/assign_donors.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 0.2),
        runtime=minutes(30),
    params:
        test_share=config["prepare"]["test_share"],
        seed=config["seed"],
        code=code_version("prepare.donors"),
    script:
        "../scripts/assign_donors.py"


rule harmonise:
    input:
        profiles=[profiles_of_dataset(name) for name in DATASETS],
        donors="<results>/prepared/donors.tsv",
        genes=resource("genes.tsv.gz"),
    output:
        profiles="<results>/prepared/harmonised.h5ad",
        genes="<results>/prepared/genes.tsv",
    log:
        "<logs>/harmonise.log",
    benchmark:
        "<benchmarks>/harmonise.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, 1.2),
        runtime=minutes(60),
    params:
        gene_space=config["prepare"]["gene_space"],
        covariates=config["prepare"]["covariates"],
        sources=config["prepare"]["sources"],
        harmonisation=config["prepare"]["harmonisation"],
        survival=config["prepare"]["survival"],
        code=code_version("prepare.harmonise"),
    script:
        "../scripts/harmonise.py"


rule check_study:
    input:
        profiles=[profiles_of_dataset(name) for name in DATASETS],
        quality=collect("<results>/prepared/quality/{dataset}.json", dataset=DATASETS),
        harmonised="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
    output:
        report="<results>/prepared/quality/_study.json",
        conditions="<results>/prepared/conditions.tsv",
        lines="<results>/prepared/lines.tsv",
        identity="<results>/prepared/identity.tsv",
        sources="<results>/prepared/sources.tsv",
        signal="<results>/prepared/source_signal.tsv",
    log:
        "<logs>/check_study.log",
    benchmark:
        "<benchmarks>/check_study.tsv"
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500, 0.5),
        runtime=minutes(60),
    params:
        seed=config["seed"],
        code=code_version("prepare.study_checks"),
    script:
        "../scripts/check_study.py"
