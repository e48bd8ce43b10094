# What the report page takes from the config. No rules here.

#: Templates are no modules, so that library_of does not find them.
PAGE_TEMPLATES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for path in REPOSITORY.glob("scripts/fewlabels/reporting/page/templates/*")
)


def summary_settings():
    """The settings of the summary, by their names."""
    return {
        "alpha": CONFIG.statistics.alpha,
        "decimals": CONFIG.table.decimals,
        "licences": licences(),
        "margin": CONFIG.statistics.margin,
        "predicted_mask_arms": [
            arm.name
            for arm in EXPERIMENT.arms.values()
            if arm.recipe.predicted_masks != "off"
        ],
        "pretraining_seeds": CONFIG.experiment.pretraining_seeds,
        "primary": CONFIG.statistics.primary,
        "reported": reported_numbers(CONFIG, EXPERIMENT),
        "starts": starts(),
        "subsets": CONFIG.subsets.source,
        "synthetic": SYNTHETIC,
        "target_title": CONFIG.datasets[TARGET].title or TARGET,
        "test_masks": TEST_MASKS,
        "titles": {name: arm.title for name, arm in EXPERIMENT.arms.items()},
        "training_pool": CONFIG.statistics.training_pool,
        "transductive": transductive_arms(CONFIG, EXPERIMENT.recipes),
    }


def recipes():
    """What each arm is, with all settings of its training."""
    return {
        name: arm.recipe.plain() | {"training": arm.training.plain()}
        for name, arm in EXPERIMENT.arms.items()
    }


def data_set_files(*endings):
    """The published files of all data sets that end so."""
    return [
        f"<results>/images/{dataset}_{ending}"
        for ending in endings
        for dataset in [*DATASETS, *EXTERNAL]
    ]


def shown(path, caption, category, **labels):
    """An output that `snakemake --report` shows, with its caption from report/."""
    return report(
        path, caption=f"../report/{caption}.rst", category=category, labels=labels
    )
