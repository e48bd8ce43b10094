"""What Snakemake's own process needs: the config, plans of a run, containers, what it misses of Snakemake and SLURM."""
