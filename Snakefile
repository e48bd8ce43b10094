from snakemake.utils import min_version

min_version("9.27")


configfile: "config.yaml"


# The software of every rule; used with --use-apptainer.
container: config["containers"]["torch"]


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/images.smk"
include: "rules/pretrain.smk"
include: "rules/classify.smk"
include: "rules/evaluate.smk"


rule all:
    default_target: True
    input:
        "<results>/summary.csv",
        "<results>/summary.md",
        collect("<results>/figures/{figure}.png", figure=FIGURES),
        collect("<results>/masked/{dataset}_contact_sheet.png", dataset=LABELLED),
