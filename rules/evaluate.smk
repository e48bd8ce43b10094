# From predictions and histories to the summary and the figures.


rule evaluate:
    input:
        script=script_of("evaluate"),
        library=library_of("evaluate"),
        predictions=collect(
            "<results>/predictions/replicate{replicate}/{arm}_wbc_{fraction}.csv",
            arm=ARMS,
            fraction=FRACTIONS,
            replicate=REPLICATES,
        ),
        histories=collect(
            "<results>/history/replicate{replicate}/{arm}_wbc_{fraction}.csv",
            arm=ARMS,
            fraction=FRACTIONS,
            replicate=REPLICATES,
        ),
        pretrained_predictions=collect(
            "<results>/predictions/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
        pretrained_histories=collect(
            "<results>/history/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
    output:
        metrics="<results>/metrics/evaluate.csv",
    log:
        "<logs>/evaluate/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate/evaluate.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        # The folder and not the files: hundreds of runs would not fit on a command line.
        results=results_folder,
        arms=ARMS,
        fractions=FRACTIONS,
        replicates=REPLICATES,
        pretrained=PRETRAINED_CLASSIFIERS,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --arms {params.arms:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " --pretrained {params.pretrained}"
        " --metrics {output.metrics:q}"
        " > {log:q} 2>&1"


rule summarize:
    input:
        script=script_of("summarize"),
        library=library_of("summarize"),
        metrics="<results>/metrics/evaluate.csv",
        cluster_quality="<results>/clusters/prcc_cluster_quality.csv",
    output:
        summary="<results>/summary.csv",
        readable="<results>/summary.md",
    log:
        "<logs>/summarize/summary.log",
    benchmark:
        "<benchmarks>/summarize/summary.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        reported=as_json(config["table"]["reported"]),
        titles=as_json({arm: config["arms"][arm]["title"] for arm in ARMS}),
        decimals=config["table"]["decimals"],
        subsets=config["subsets"]["source"],
        weights=config["weights"]["resnet18"],
        synthetic="--synthetic" if SYNTHETIC else "",
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --cluster-quality {input.cluster_quality:q}"
        " --reported {params.reported:q}"
        " --titles {params.titles:q}"
        " --decimals {params.decimals}"
        " --subsets {params.subsets}"
        " --weights {params.weights:q}"
        " {params.synthetic}"
        " --summary {output.summary:q}"
        " --readable {output.readable:q}"
        " > {log:q} 2>&1"


rule plot_curves:
    input:
        script=script_of("plot_curves"),
        library=library_of("plot_curves"),
        histories=figure_histories,
    output:
        figure="<results>/figures/{figure}.png",
    log:
        "<logs>/plot_curves/{figure}.log",
    benchmark:
        "<benchmarks>/plot_curves/{figure}.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=figure_title,
        fractions=figure_fractions,
    shell:
        "python {input.script:q}"
        " --title {params.title:q}"
        " --fractions {params.fractions}"
        " --histories {input.histories:q}"
        " --figure {output.figure:q}"
        " > {log:q} 2>&1"


# Last, so that every other step has written its benchmark file.
rule summarize_benchmarks:
    input:
        script=script_of("summarize_benchmarks"),
        library=library_of("summarize_benchmarks"),
        tables=["<results>/summary.csv", "<results>/summary.md"],
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
    output:
        "<results>/benchmarks.csv",
    log:
        "<logs>/summarize_benchmarks/summarize_benchmarks.log",
    benchmark:
        "<benchmarks>/summarize_benchmarks/summarize_benchmarks.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        benchmarks=lambda wildcards: folder_below_results("benchmarks"),
        records=lambda wildcards: f"{pathvar('results')}/records",
    shell:
        "python {input.script:q}"
        " --benchmarks {params.benchmarks:q}"
        " --records {params.records:q}"
        " --table {output:q}"
        " > {log:q} 2>&1"
