from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/states.smk"
include: "rules/masks.smk"
include: "rules/inputs.smk"
include: "rules/predicting.smk"
include: "rules/page_inputs.smk"
include: "rules/pictured.smk"
include: "rules/machine.smk"
include: "rules/run.smk"


# The software of every rule that names no other; used with --use-apptainer.
container: TORCH_IMAGE


include: "rules/data.smk"
include: "rules/images.smk"
include: "rules/pretrain.smk"
include: "rules/feature_cache.smk"
include: "rules/predicted_masks.smk"
include: "rules/classify.smk"
include: "rules/leakage.smk"
include: "rules/evaluate.smk"
include: "rules/export.smk"
include: "rules/pictures.smk"
include: "rules/report.smk"
include: "rules/containers.smk"


onstart:
    begin_run()


onsuccess:
    end_run()


onerror:
    fail_run()


rule all:
    default_target: True
    input:
        "<results>/report.html",
        "<results>/summary.csv",
        "<results>/summary.md",
        "<results>/comparisons.csv",
        "<results>/labels.csv",
        "<results>/label_efficiency.csv",
        "<results>/label_errors.csv",
        "<results>/spread.csv",
        "<results>/costs.csv",
        "<results>/provenance.json",
        "<results>/benchmarks.csv",
        LABEL_EFFICIENCY_FIGURES,
        collect("<results>/figures/{figure}.png", figure=FIGURES),
        collect("<results>/figures/confusion/{arm}.png", arm=ARMS),
        "<results>/data.md",
        "<results>/leakage/leakage.md",
        "<results>/leakage/slide_only.csv",
        collect("<results>/masked/{dataset}_contact_sheet.png", dataset=MASKED),
        "<results>/images/check_datasets.csv",
        HEEDED,
        state_files("heeded.txt"),
