# From predictions and histories to the summary and the figures.


# The scripts get the folder and not the files: hundreds of runs would not fit on a command line.
rule evaluate:
    input:
        script=script_of("evaluate"),
        library=library_of("evaluate"),
        index="<results>/images/wbc_index.csv",
        predictions=of_every_run("predictions"),
        histories=of_every_run("history"),
        validation=of_every_run("validation") if SELECTION == "validation" else [],
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
        slide_only="<results>/predictions/slide_only.csv",
        pretrained_predictions=collect(
            "<results>/predictions/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
        pretrained_histories=collect(
            "<results>/history/{model}.csv", model=PRETRAINED_CLASSIFIERS
        ),
    output:
        metrics="<results>/metrics/evaluate.csv",
        confusion="<results>/metrics/confusion.csv",
    log:
        "<logs>/evaluate/evaluate.log",
    benchmark:
        "<benchmarks>/evaluate/evaluate.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        results=results_folder,
        arms=ARMS,
        fractions=FRACTIONS,
        replicates=REPLICATES,
        pretrained=PRETRAINED_CLASSIFIERS,
        external_sets=external_flags,
        selection=SELECTION,
        alpha=config["statistics"]["alpha"],
        bootstrap=config["statistics"]["bootstrap"],
        seed=config["statistics"]["seed"],
        bins=config["statistics"]["bins"],
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --arms {params.arms:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " --pretrained {params.pretrained}"
        " {params.external_sets}"
        " --baseline-predictions slide_only={input.slide_only:q}"
        " --selection {params.selection}"
        " --alpha {params.alpha}"
        " --bootstrap {params.bootstrap}"
        " --seed {params.seed}"
        " --bins {params.bins}"
        " --metrics {output.metrics:q}"
        " --confusion {output.confusion:q}"
        " > {log:q} 2>&1"


rule compare:
    input:
        script=script_of("compare"),
        library=library_of("compare"),
        index="<results>/images/wbc_index.csv",
        predictions=of_every_run("predictions"),
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
    output:
        comparisons="<results>/comparisons.csv",
    log:
        "<logs>/compare/comparisons.log",
    benchmark:
        "<benchmarks>/compare/comparisons.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        results=results_folder,
        arms=ARMS,
        fractions=FRACTIONS,
        replicates=REPLICATES,
        external_sets=external_flags,
        baseline=config["statistics"]["baseline"],
        baseline_of=as_json(baseline_of()),
        alpha=config["statistics"]["alpha"],
        margin=config["statistics"]["margin"],
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --arms {params.arms:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " {params.external_sets}"
        " --baseline {params.baseline:q}"
        " --baseline-of {params.baseline_of:q}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --comparisons {output.comparisons:q}"
        " > {log:q} 2>&1"


rule spread:
    input:
        script=script_of("spread"),
        library=library_of("spread"),
        predictions=of_every_crossed_run("predictions"),
    output:
        spread="<results>/spread.csv",
    log:
        "<logs>/spread/spread.log",
    benchmark:
        "<benchmarks>/spread/spread.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        arms=ARMS,
        fractions=CROSSED_FRACTIONS,
        replicates=CROSSED_REPLICATES,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --arms {params.arms:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " --spread {output.spread:q}"
        " > {log:q} 2>&1"


rule collect_costs:
    input:
        script=script_of("collect_costs"),
        library=library_of("collect_costs"),
        records=of_every_run("records", "json"),
        crossed_records=of_every_crossed_run("records", "json"),
        pretrained_records=collect("<results>/records/{model}.json", model=PRETRAINED),
    output:
        costs="<results>/costs.csv",
    log:
        "<logs>/collect_costs/costs.log",
    benchmark:
        "<benchmarks>/collect_costs/costs.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        benchmarks=benchmarks_folder,
        arms=ARMS,
        fractions=FRACTIONS,
        replicates=REPLICATES,
        crossed_fractions=CROSSED_FRACTIONS,
        crossed_replicates=CROSSED_RUNS,
        pretrained=PRETRAINED,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --benchmarks {params.benchmarks:q}"
        " --arms {params.arms:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " --crossed-fractions {params.crossed_fractions}"
        " --crossed-replicates {params.crossed_replicates}"
        " --pretrained {params.pretrained}"
        " --costs {output.costs:q}"
        " > {log:q} 2>&1"


rule summarize:
    input:
        script=script_of("summarize"),
        library=library_of("summarize"),
        metrics="<results>/metrics/evaluate.csv",
        comparisons="<results>/comparisons.csv",
        spread="<results>/spread.csv",
        costs="<results>/costs.csv",
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
        alpha=config["statistics"]["alpha"],
        margin=config["statistics"]["margin"],
        subsets=config["subsets"]["source"],
        weights=config["weights"]["resnet18"],
        synthetic="--synthetic" if SYNTHETIC else "",
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --comparisons {input.comparisons:q}"
        " --spread {input.spread:q}"
        " --costs {input.costs:q}"
        " --cluster-quality {input.cluster_quality:q}"
        " --reported {params.reported:q}"
        " --titles {params.titles:q}"
        " --decimals {params.decimals}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --subsets {params.subsets}"
        " --weights {params.weights:q}"
        " {params.synthetic}"
        " --summary {output.summary:q}"
        " --readable {output.readable:q}"
        " > {log:q} 2>&1"


rule record_provenance:
    input:
        script=script_of("record_provenance"),
        library=library_of("record_provenance"),
        tables=["<results>/summary.csv", "<results>/comparisons.csv"],
        indexes=collect(
            "<results>/images/{dataset}_index.csv", dataset=[*DATASETS, *EXTERNAL]
        ),
        grouped_index=audited_grouped_index,
    output:
        provenance="<results>/provenance.json",
    log:
        "<logs>/record_provenance/provenance.log",
    benchmark:
        "<benchmarks>/record_provenance/provenance.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        config=as_json(config),
        containers=containers_in_use(),
    shell:
        "python {input.script:q}"
        " --tables {input.tables:q}"
        " --indexes {input.indexes:q} {input.grouped_index:q}"
        " --results {params.results:q}"
        " --config {params.config:q}"
        " --containers {params.containers:q}"
        " --provenance {output.provenance:q}"
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


rule plot_confusion:
    input:
        script=script_of("plot_confusion"),
        library=library_of("plot_confusion"),
        confusion="<results>/metrics/confusion.csv",
    output:
        figure="<results>/figures/confusion/{arm}.png",
    log:
        "<logs>/plot_confusion/{arm}.log",
    benchmark:
        "<benchmarks>/plot_confusion/{arm}.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=confusion_title,
        fractions=FRACTIONS,
        replicates=len(REPLICATES),
        external=EXTERNAL,
    shell:
        "python {input.script:q}"
        " --confusion {input.confusion:q}"
        " --arm {wildcards.arm}"
        " --title {params.title:q}"
        " --fractions {params.fractions}"
        " --replicates {params.replicates}"
        " --external {params.external:q}"
        " --figure {output.figure:q}"
        " > {log:q} 2>&1"


# Last, so that every other step has written its benchmark file.
rule summarize_benchmarks:
    input:
        script=script_of("summarize_benchmarks"),
        library=library_of("summarize_benchmarks"),
        tables=["<results>/summary.csv", "<results>/summary.md"],
        figures=collect("<results>/figures/{figure}.png", figure=FIGURES),
        confusion=collect("<results>/figures/confusion/{arm}.png", arm=ARMS),
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
        benchmarks=benchmarks_folder,
        records=records_folder,
    shell:
        "python {input.script:q}"
        " --benchmarks {params.benchmarks:q}"
        " --records {params.records:q}"
        " --table {output:q}"
        " > {log:q} 2>&1"
