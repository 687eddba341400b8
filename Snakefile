"""Entry point: the workflow lives in workflow/Snakefile."""


include: "workflow/Snakefile"


# An include alone would leave no default target, and a plain `snakemake` would do nothing.
workflow.default_target = "all"
