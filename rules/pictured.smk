# Inputs and parameters of what the report shows of images. No rules here.
from fewlabels.pretraining.settings import Autoencoder


def seen_masked_arms():
    """Arms whose test images are masked where they are trained on masked ones."""
    if TEST_MASKS != "arm":
        return []
    return [arm for arm in EXPERIMENT.arms.values() if arm.recipe.masks == "replace"]


def seen_masked_images(wildcards):
    return masked_images(TARGET, "use" if seen_masked_arms() else "off")


def seen_masked_table(wildcards):
    return masked_table(TARGET, "use" if seen_masked_arms() else "off")


def seen_through(run):
    """Whether a run sees images through predicted masks."""
    return EXPERIMENT.arms[run.arm].recipe.predicted_masks != "off"


def seen_predicted_files(ending):
    """A file of the predicted masks of all runs of the table, each once."""
    runs = filter(seen_through, TABLED)
    return list(dict.fromkeys(predicted_masks_of(run, ending) for run in runs))


def seen_predicted_masks(wildcards):
    return seen_predicted_files(".npy")


def seen_predicted_tables(wildcards):
    return seen_predicted_files(".csv")


def seen_predicted_masks_flags(wildcards, input):
    """Which run sees images through which masks."""
    path_of = dict(zip(seen_predicted_files(".npy"), input.predicted_masks))
    return " ".join(
        f"--predicted-masks {run.arm} {run.fraction} {run.replicate} "
        + shlex.quote(path_of[predicted_masks_of(run, ".npy")])
        for run in filter(seen_through, TABLED)
    )


def pictured(method):
    """The pretrainings of a method: of those that are made once per replicate, the first."""
    first = {}
    for name, entry in PRETRAINING.items():
        if isinstance(entry, method):
            first.setdefault(DECLARED_AS[name], name)
    return list(first.values())


def pictured_files():
    """The files of clusters and reconstructions that the report shows; lists, as there may be none."""
    clusters = pictured(Cluster)
    return {
        "cluster_labels": [pretraining_file(name, "labels") for name in clusters],
        "cluster_features": [
            pretraining_file(PRETRAINING[name].features, "features")
            for name in clusters
        ],
        "reconstructions": [
            pretraining_file(name, "reconstructions") for name in pictured(Autoencoder)
        ],
    }


def clusters_flags(wildcards, input):
    """Name, data set and files of every clustering."""
    names = pictured(Cluster)
    return " ".join(
        " ".join(
            ["--clusters", name, dataset_of(CONFIG, DECLARED_AS[name])]
            + [shlex.quote(labels), shlex.quote(features)]
        )
        for name, labels, features in zip(
            names, input.cluster_labels, input.cluster_features
        )
    )


def reconstructions_flags(wildcards, input):
    """Name and picture of every autoencoder."""
    names = pictured(Autoencoder)
    return " ".join(
        f"--reconstructions {name} {shlex.quote(path)}"
        for name, path in zip(names, input.reconstructions)
    )
