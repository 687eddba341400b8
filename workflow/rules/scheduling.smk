"""Scheduling. Without Snakemake's limit of new jobs a second, which costs more the more jobs have ended."""


# Where jobs wait, the limit of 100 new jobs a second, which is Snakemake's default, starts a timer after every look at
# them, and every timer ends with another look: timers add up with the jobs that have ended. A limit that was asked for stays.
onstart:
    limiter = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None
