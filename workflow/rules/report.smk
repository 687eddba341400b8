"""Report. Needs: tables, their summaries and synthetic profiles. Makes: verdicts, figures, provenance, one HTML page; a page of all studies."""


rule give_verdicts:
    input:
        collect("<results>/tables/{experiment}.tsv", experiment=config["experiments"]),
    output:
        verdicts="<results>/tables/verdicts.json",
    log:
        "<logs>/verdicts.log",
    benchmark:
        "<benchmarks>/verdicts.tsv"
    localrule: True
    conda:
        "../../envs/base.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 6),
        runtime=minutes(30),
    params:
        config={key: config[key] for key in ("augmentation", "release")},
        code=code_of_verdicts(),
    script:
        "../scripts/give_verdicts.py"


rule draw_figure:
    input:
        unpack(files_of_figure),
    output:
        figure=report(
            "<results>/figures/{figure}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
    log:
        "<logs>/draw_figure/{figure}.log",
    benchmark:
        "<benchmarks>/draw_figure/{figure}.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 6),
        runtime=minutes(30),
    params:
        config={
            key: config[key]
            for key in ("augmentation", "combination", "release", "seed")
        },
        caption=caption_of_figure,
        code=code_of_figure,
    script:
        "../scripts/draw_figure.py"


rule record_provenance:
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
    localrule: True
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 6),
        runtime=minutes(10),
    params:
        config=config,
        code=code_version("core.provenance"),
        generator_code=code_of_generators(),
    script:
        "../scripts/record_provenance.py"


rule write_report:
    input:
        verdicts="<results>/tables/verdicts.json",
        summaries=collect(
            "<results>/tables/{experiment}_summary.tsv",
            experiment=config["experiments"],
        ),
        figures=collect("<results>/figures/{figure}.svg", figure=FIGURES),
        quality=collect("<results>/prepared/quality/{dataset}.json", dataset=DATASETS),
        study="<results>/prepared/quality/_study.json",
        conditions="<results>/prepared/conditions.tsv",
        identity="<results>/prepared/identity.tsv",
        sources="<results>/prepared/sources.tsv",
        signal="<results>/prepared/source_signal.tsv",
        donors="<results>/prepared/donors.tsv",
        genes="<results>/prepared/genes.tsv",
        further=report_files,
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
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000, 6),
        runtime=minutes(30),
    params:
        config=config,
        code=code_of_report(),
        # Not an input: whoever deletes it wants no training again.
        benchmarks=f"benchmarks/{config['study']}",
        further=report_files_by_experiment,
        templates=template_version(),
        docs=str(PROJECT / "docs"),
    script:
        "../scripts/write_report.py"


rule data_page:
    input:
        quality=collect("<results>/prepared/quality/{dataset}.json", dataset=DATASETS),
        study="<results>/prepared/quality/_study.json",
        conditions="<results>/prepared/conditions.tsv",
        identity="<results>/prepared/identity.tsv",
        sources="<results>/prepared/sources.tsv",
        signal="<results>/prepared/source_signal.tsv",
    output:
        page=report(
            "<results>/report/data.html",
            caption="../report/data.rst",
            category="Answers",
            labels={"page": "data"},
        ),
    log:
        "<logs>/data_page.log",
    benchmark:
        "<benchmarks>/data_page.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        title=title_of_study,
        code=code_version("report.data_section", "report.page"),
        templates=template_version(),
    script:
        "../scripts/data_page.py"


rule index_studies:
    output:
        page="results/index.html",
    log:
        "logs/index_studies.log",
    benchmark:
        "benchmarks/index_studies.tsv"
    localrule: True
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=minutes(10),
    params:
        studies=finished_studies(),
        code=code_version("report.studies"),
        templates=template_version(),
    script:
        "../scripts/index_studies.py"
