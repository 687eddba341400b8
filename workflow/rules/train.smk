"""Train. Needs: harmonised profiles, held-out donors and what a batch of training sets is. Makes: one model per set, with its loss curve. Can be killed and resumed."""


rule train:
    input:
        profiles="<results>/prepared/harmonised.h5ad",
        donors="<results>/prepared/donors.tsv",
    output:
        models=directory("<results>/models/{experiment}/{generator}/{batch}"),
    log:
        "<logs>/train/{experiment}/{generator}/{batch}.log",
    benchmark:
        "<benchmarks>/train/{experiment}/{generator}/{batch}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=memory(1500, 24),
        runtime=minutes(240),
        gpu=gpus_of_generator,
    params:
        training_sets=sets_of_batch,
        drawn=drawn_of_batch,
        alignments=alignments_of_batch,
        scope=scope_of_experiment,
        kind=kind_of_generator,
        settings=settings_of_generator,
        lengths=lengths_of_batch,
        device=config["training"]["device"],
        checkpoint_minutes=config["training"]["checkpoint_minutes"],
        checkpoints=checkpoints_of_job,
        together=config["training"]["together"],
        seed=config["seed"],
        code=code_of_training,
        members_code=code_of_members,
    script:
        "../scripts/train.py"
