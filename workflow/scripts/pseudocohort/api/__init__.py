"""Python interface: fit, sample, impute, save and load cohorts, with plots; what `import pseudocohort` offers."""
