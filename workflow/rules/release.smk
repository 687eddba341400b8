"""Release. Needs: synthetic profiles and their privacy and fidelity tables. Makes: the bundle, if the gate lets it."""

from pseudocohort.release import inputs as release_inputs


rule release:
    input:
        synthetic=lambda wildcards: release_inputs.synthetic_file(config),
        privacy=lambda wildcards: release_inputs.privacy_files(config),
        profiles="<results>/prepared/harmonised.h5ad",
        models=lambda wildcards: release_inputs.models_folder(config),
        fidelity="<results>/tables/fidelity_summary.tsv",
        members="<results>/plan/members/fidelity.parquet",
        generators="<results>/provenance/generators.tsv",
        machine="<results>/provenance/machine.json",
        software="<results>/provenance/software.tsv",
    output:
        # A folder for each generator: a release that is refused takes no other one away.
        bundle=directory(f"<results>/release/{config['release']['generator']}"),
    log:
        "<logs>/release.log",
    benchmark:
        "<benchmarks>/release.tsv"
    conda:
        "../../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000, 4),
        runtime=minutes(30),
    params:
        study={key: config[key] for key in ("study", "title", "simulated", "seed")},
        release=config["release"],
        kind=generator_registry.kind_of(config, config["release"]["generator"]),
        settings=generator_registry.settings_of(config, config["release"]["generator"]),
        sources=release_inputs.sources(DATASETS, configuration.data_root(config)),
        generator_code=code_version(
            "generators.fit.batch",
            "generators.fit.inference",
            *generator_registry.modules_of(config, config["release"]["generator"]),
        ),
        code=code_version("release.bundle", "release.gate"),
        templates=folder_version(WORKFLOW / "scripts/pseudocohort/release/templates"),
    script:
        "../scripts/release.py"
