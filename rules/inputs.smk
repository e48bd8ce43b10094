# Inputs and parameters of single rules: the check of networks, the feature cache, pretraining, the leakage audit, evaluation. No rules here.


def architecture_of(name):
    """What an encoder is built of, through the chain that it starts from; for the check of names alone."""
    size = CONFIG.images.size
    if name in CONFIG.backbones:
        return {"model": CONFIG.backbones[name].model, "image_size": size}
    entry = CONFIG.pretraining[name]
    own = entry.architecture()
    return {**own, "image_size": size} if own else architecture_of(entry.start)


def networks_to_check():
    """Every name of a block or a layer that the config gives, with the network that it must be of."""
    entries = []
    for arm in EXPERIMENT.arms.values():
        if arm.split == "grouped":
            continue
        for place, choice in enumerate(arm.recipe.encoders):
            key = f"arms.{arm.name}.encoders.{place}.trained"
            asked = {"trained": choice.trained}
            if arm.recipe.predicted_masks == "channel":
                asked["mask_channel"] = True
            entries.append((key, choice.encoder, choice.encoder, asked))
    for name in dict.fromkeys(DECLARED_AS.values()):
        entry = CONFIG.pretraining[name]
        for asked in ("trained", "node"):
            if asked in type(entry).model_fields:
                key, value = f"pretraining.{name}.{asked}", getattr(entry, asked)
                entries.append((key, name, entry.start, {asked: value}))
    return [
        {"key": key, "name": name, "architecture": architecture_of(start), **asked}
        for key, name, start, asked in entries
    ]


def cache_parts(run):
    """All images in one file, or, where no run trains on all, the test images and each replicate's largest
    subsets apart."""
    parts = ["all"] if "100" in FRACTIONS else ["test", f"replicate{run.subset_seed}"]
    return [part + split_suffix(run.arm) for part in parts]


def cache_index(wildcards):
    return index_of(TARGET, "_grouped" if wildcards.part.endswith("_grouped") else "")


def cache_subsets(wildcards):
    """The subsets of a replicate and split of which all others are parts."""
    part, grouped, _ = wildcards.part.partition("_grouped")
    largest = holding_all(FRACTIONS)
    found = {
        subset_of(run): None
        for run in TABLED
        if f"replicate{run.subset_seed}" == part
        and (run.split == "grouped") == bool(grouped)
        and run.fraction in largest
    }
    return list(found)


def cache_encoder(wildcards):
    """The name that the runs' recipes have for the encoder."""
    return DECLARED_AS.get(wildcards.encoder, wildcards.encoder)


def cache_masked_images(wildcards):
    return masked_images(TARGET, "off" if wildcards.pixels == "plain" else "use")


def cache_masked_table(wildcards):
    return masked_table(TARGET, "off" if wildcards.pixels == "plain" else "use")


def cache_images_flags(wildcards, input):
    """Which images, and in which views: training draws them, test images are taken as they are, or as arms ask for."""
    part = wildcards.part.removesuffix("_grouped")
    wanted = {arm.training.test_views for arm in EXPERIMENT.arms.values()}
    test_views = "all" if part in ("all", "test") and "all" in wanted else "one"
    drawn = wildcards.views.split("+") if part != "test" or test_views == "all" else []
    flags = {
        "--test": part in ("all", "test"),
        "--train": part == "all",
        "--masked-test": part in ("all", "test")
        and wildcards.pixels == "masked"
        and TEST_MASKS == "arm",
        "--flips": "flips" in drawn,
    }
    return " ".join(
        [
            *(name for name, given in flags.items() if given),
            " ".join(["--subsets", *map(shlex.quote, input.subsets)]),
            f"--rotation {'right_angles' if 'turns' in drawn else 'none'}",
            f"--test-views {test_views}",
        ]
    )


def cache_trained(wildcards):
    """The blocks that are open; the file's name lists them."""
    if wildcards.frozen == "all":
        return ""
    names = wildcards.frozen.removeprefix("before-").split("+")
    return " ".join(["--trained", *map(shlex.quote, names)])


def cache_budget_flag(wildcards):
    always = CONFIG.compute.feature_cache == "always"
    return flag("--budget-gb", None if always else CONFIG.compute.feature_cache_gb)


def cached_pixels(masks, part):
    """Whether a part of the cache holds masked copies, too: of test images alone only where these are masked."""
    masked = (
        masks == "replace" and TEST_MASKS == "arm"
        if part.startswith("test")
        else masks != "off"
    )
    return "masked" if masked else "plain"


def arm_features(wildcards):
    """What the frozen blocks of an arm's encoders make of its images, computed once."""
    arm = arm_of(wildcards)
    if CONFIG.compute.feature_cache == "off" or arm.training.changes_pixels:
        return []
    if arm.recipe.predicted_masks != "off":
        return []  # every subset has masks, and so pixels, of its own
    views = ["flips"] if arm.training.flips else []
    views += ["turns"] if arm.training.rotation == "right_angles" else []
    names = [
        f"{name}_" + ("before-" + "+".join(choice.trained) if choice.trained else "all")
        for name, choice in zip(encoders_of_run(wildcards), arm.recipe.encoders)
        if choice.trained != "all"
    ]
    return [
        f"<results>/feature_cache/{part}/{name}_{cached_pixels(arm.recipe.masks, part)}_{'+'.join(views) or 'asis'}.npy"
        for name in names
        for part in cache_parts(run_of(wildcards))
    ]


def features_flag(wildcards, input):
    return " ".join(["--features", *map(shlex.quote, input.features)])


def pretraining_inputs(name):
    """The files that a pretraining reads, by the flag of its script that takes them."""
    entry, found = PRETRAINING[name], {}
    datasets = entry.own_datasets()
    if isinstance(entry, OnSeveralSets):
        found["indexes"] = [index_of(dataset) for dataset in datasets]
        found["images"] = [f"<results>/images/{dataset}.npy" for dataset in datasets]
    elif datasets:
        found["index"] = index_of(entry.dataset)
        found["images"] = f"<results>/images/{entry.dataset}.npy"
    if getattr(entry, "masks", "off") != "off":
        found["masked"] = masked_images(entry.dataset, entry.masks)
    for key, gives in entry.starts.items():
        below = getattr(entry, key)
        if below and gives in ("encoder", "backbone"):
            found[key] = encoder_file(below)
        elif below:
            found[key] = pretraining_file(below, gives)
    if isinstance(entry, Cluster):
        types = true_types(dataset_of(CONFIG, DECLARED_AS[name]))
        if types:
            found["true_types"] = as_is(types)
    return found


def pretraining_tables(name):
    """The tables beside the arrays."""
    entry = PRETRAINING[name]
    tables = [f"<results>/images/{dataset}.csv" for dataset in entry.own_datasets()]
    if getattr(entry, "masks", "off") != "off":
        tables.append(masked_table(entry.dataset, entry.masks))
    return tables


def pretraining_outputs(name):
    return {
        output: pretraining_file(name, output) for output in PRETRAINING[name].files
    }


def pretraining_options(name):
    """The settings of a pretraining, as words of a command line."""
    entry = PRETRAINING[name]
    words = entry.options()
    if isinstance(entry, Supervised) and not entry.labels:
        words += ["--classes", as_json(CONFIG.datasets[entry.dataset].classes)]
    if isinstance(entry, OnSeveralSets):
        words += several_sets_options(entry)
    if isinstance(entry, Trained):
        settings = PRETRAINING_SETTINGS[name].plain(*entry.ignores)
        words += ["--training", as_json(settings), "--seed", entry.seed]
        words += ["--resize", CONFIG.images.resize]
        words += ["--unfinished", unfinished_state(name)]
    if entry.runs_network:
        compute = CONFIG.compute
        words += ["--device", compute.device, "--precision", compute.precision]
        words += ["--threads", compute.threads]
    return " ".join(shlex.quote(str(word)) for word in words)


def several_sets_options(entry):
    """Classes of the sets whose labels may be used: never of the target. And whose the pseudo-labels are."""
    classes = {
        dataset: CONFIG.datasets[dataset].classes
        for dataset in entry.own_datasets()
        if dataset != TARGET and CONFIG.datasets[dataset].classes
    }
    words = ["--classes", as_json(classes)]
    labels = getattr(entry, "labels", None)
    if labels:
        words += ["--labelled", dataset_of(CONFIG, DECLARED_AS[labels])]
    return words


def pretraining_files(name):
    """A function that gives the flags of a pretraining's files."""
    read, written = pretraining_inputs(name), pretraining_outputs(name)

    def flags(wildcards, input, output):
        paths = [(key, input[key]) for key in read]
        paths += [(key, output[key]) for key in written]
        return " ".join(
            files_flag(f"--{key.replace('_', '-')}", path) for key, path in paths
        )

    return flags


def files_flag(name, paths):
    """The flag of one file, or of a list of files."""
    if isinstance(paths, str):
        return flag(name, paths)
    return " ".join([name, *map(shlex.quote, paths)])


def true_types(dataset):
    if SYNTHETIC and is_drawn(dataset) and not CONFIG.datasets[dataset].classes:
        return "<resources>/synthetic/prcc_types.csv"
    return CONFIG.datasets[dataset].true_types


def tables_of_pretrained():
    """The tables behind the first: one per pretrained classifier."""
    return [
        {
            "name": name,
            "title": PRETRAINING[name].title or name,
            "quality": (
                None
                if PRETRAINING[name].labels is None
                else cluster_quality(PRETRAINING[name].labels)
            ),
        }
        for name in PRETRAINED_CLASSIFIERS
    ]


def cluster_quality(name):
    path = PRETRAINING[name].files["quality"].format(name=name)
    return f"{pathvar('results')}/{path}"


def cluster_qualities(wildcards):
    tables = tables_of_pretrained()
    return [table["quality"] for table in tables if table["quality"]]


def starts():
    return {name: CONFIG.backbones[name].weights for name in EXPERIMENT.backbones}


def licences():
    declared = {name: CONFIG.backbones[name].licence for name in EXPERIMENT.backbones}
    return {name: licence for name, licence in declared.items() if licence}


def arm_title(wildcards):
    return EXPERIMENT.arms[wildcards.arm].title


def arm_licences(wildcards):
    """Of the weights that an arm's encoders come from, through their whole chains; empty where none is declared."""
    found = set().union(
        *(
            backbones_behind(CONFIG, choice.encoder)
            for choice in arm_of(wildcards).recipe.encoders
        )
    )
    declared = {name: CONFIG.backbones[name] for name in sorted(found)}
    return as_json(
        {
            name: backbone.licence
            or ("none, random weights" if backbone.weights == "random" else "")
            for name, backbone in declared.items()
        }
    )


def leakage_policy(wildcards):
    kinds = ("bytes", "pixels", "near_duplicates", "slide", "field")
    return as_json({kind: getattr(CONFIG.leakage, kind) for kind in kinds})


def grouped_index(wildcards):
    grouped = "grouped" in CONFIG.experiment.splits
    return index_of(TARGET, "_grouped") if grouped else []


def audited_grouped_index(wildcards):
    """Of the state that the target is in: it is published after the audit."""
    grouped = "grouped" in CONFIG.experiment.splits
    return state_of(TARGET, "grouped_index.csv") if grouped else []


def heeded_of_place(wildcards):
    """A published index has been judged before."""
    if wildcards.place.startswith("states/"):
        return ancient(f"<results>/images/{wildcards.place}heeded.txt")
    return []


def grouped_index_flag(wildcards, input):
    return flag("--grouped-index", input.grouped_index)


def figure_arm(wildcards):
    return CONFIG.table.figures[wildcards.figure]


def arm_with_title(arm):
    return f"{arm}, {EXPERIMENT.arms[arm].title}"


def figure_title(wildcards):
    name = re.sub(r"^figure(\d+)$", r"Figure \1", wildcards.figure)
    return f"{name}: {arm_with_title(figure_arm(wildcards))}"


def confusion_title(wildcards):
    return arm_with_title(wildcards.arm)


def figure_histories(wildcards):
    arm = figure_arm(wildcards)
    return [f"<results>/{run.path('history')}" for run in TABLED if run.arm == arm]


def files_of(runs, folder, ending="csv"):
    return [f"<results>/{run.path(folder, ending)}" for run in runs]


def tabled_subsets(wildcards):
    """The lists of training images of all runs of the table, each once."""
    return list(dict.fromkeys(map(subset_of, TABLED)))


def results_folder(wildcards):
    return pathvar("results")


def records_folder(wildcards):
    return f"{pathvar('results')}/records"


def benchmarks_folder(wildcards):
    return pathvar("benchmarks").replace("<results>", pathvar("results"))


def external_predictions(wildcards):
    return [
        f"<results>/{run.path('predictions', test_set=external)}"
        for run in TABLED
        for external in EXTERNAL
    ]


def external_flags(wildcards, input):
    """External test sets and their indexes, or nothing."""
    if not EXTERNAL:
        return ""
    indexes = " ".join(map(shlex.quote, input.external_indexes))
    return f"--external {' '.join(EXTERNAL)} --external-indexes {indexes}"


def whole_config(wildcards):
    """As JSON. A function, as patterns of folders hold braces that Snakemake would fill in."""
    return as_json(config)


def containers_in_use():
    if DeploymentMethod.APPTAINER not in workflow.deployment_settings.deployment_method:
        return []
    return [TOOLS_IMAGE, TORCH_IMAGE]
