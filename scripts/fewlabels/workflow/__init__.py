"""What Snakemake's own process needs: the config, the run sheet, containers, patches of its planner."""
