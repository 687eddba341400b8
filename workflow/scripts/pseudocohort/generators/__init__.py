"""Stage: generators."""
