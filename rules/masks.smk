# What masks runs use: given ones, and those that a network predicts. No rules here.


def masked_images(dataset, use):
    """The masked images, only where they are used: else a change of masks must not rerun the model."""
    return f"<results>/masked/{dataset}.npy" if use != "off" else []


def masked_table(dataset, use):
    return f"<results>/masked/{dataset}.csv" if use != "off" else []


def arm_masks(wildcards):
    return arm_of(wildcards).recipe.masks


def arm_classifier(wildcards):
    return arm_of(wildcards).recipe.classifier


def arm_test_masks(wildcards):
    """Of arms whose training images are replaced; those of others have no effect, and rerun nothing."""
    return TEST_MASKS if arm_masks(wildcards) == "replace" else "off"


def arm_masked_images(wildcards):
    return masked_images(TARGET, arm_masks(wildcards))


def arm_masked_table(wildcards):
    return masked_table(TARGET, arm_masks(wildcards))


def predicted_masks_of(run, ending):
    """A file of the masks that are predicted from those of a run's subset, if its arm uses them."""
    if EXPERIMENT.arms[run.arm].recipe.predicted_masks == "off":
        return []
    stem = Path(subset_of(run)).stem
    return f"<results>/predicted_masks/replicate{run.subset_seed}/{stem}{ending}"


def arm_predicted_masks(wildcards):
    return predicted_masks_of(run_of(wildcards), ".npy")


def arm_predicted_table(wildcards):
    return predicted_masks_of(run_of(wildcards), ".csv")


def arm_mask_network(wildcards):
    return predicted_masks_of(run_of(wildcards), ".pt")


def predicted_masks_flags(wildcards, input):
    """The margin of arms that crop alone: it has no effect on others, and reruns them not."""
    how = arm_of(wildcards).recipe.predicted_masks
    if how == "off":
        return ""
    flags = [
        flag("--predicted-masks", input.predicted_masks),
        flag("--predicted-mask-use", how),
    ]
    if how == "crop":
        flags.append(flag("--crop-margin", str(CONFIG.masks.predicted.crop_margin)))
    return " ".join(flags)


def mask_network_flag(wildcards, input):
    return flag("--mask-network", input.mask_network)


def masked_flag(wildcards, input):
    return flag("--masked", input.masked)


def mask_trainings():
    """Names of the trainings of networks of masks, below the results, of each subset once."""
    stems = filter(None, (predicted_masks_of(run, "") for run in RUNS))
    return [stem.removeprefix("<results>/") for stem in dict.fromkeys(stems)]


def mask_records(wildcards):
    """What the networks of masks took."""
    return [f"<results>/records/{name}.json" for name in mask_trainings()]


def mask_records_flag(wildcards, input):
    if not input.mask_records:
        return ""
    return " ".join(["--mask-records", *map(shlex.quote, input.mask_records)])


def mask_scores(wildcards):
    """How good the predicted masks of the given split are, of each subset once."""
    found = {
        file: None
        for run in TABLED
        if run.split == "given" and (file := predicted_masks_of(run, "_scores.csv"))
    }
    return list(found)


def mask_scores_flags(wildcards, input):
    """Arms that use predicted masks, and those files; or nothing."""
    arms = [
        arm.name
        for arm in EXPERIMENT.arms.values()
        if arm.recipe.predicted_masks != "off"
    ]
    if not arms:
        return ""
    scores = " ".join(map(shlex.quote, input.mask_scores))
    return f"--mask-scores {scores} --predicted-mask-arms {' '.join(arms)}"
