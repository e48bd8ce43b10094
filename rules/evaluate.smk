# From predictions and histories to the summary and the figures.


# The scripts get the folder and not the files: hundreds of runs would not fit on a command line.
rule evaluate:
    input:
        script=script_of("evaluate"),
        library=library_of("evaluate"),
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
        histories=files_of(TABLED, "history"),
        validation=files_of(TABLED, "validation") if SELECTION == "validation" else [],
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
        pretrained=PRETRAINED_CLASSIFIERS,
        external_sets=external_flags,
        selection=SELECTION,
        training_pool=CONFIG.statistics.training_pool,
        alpha=CONFIG.statistics.alpha,
        bootstrap=CONFIG.statistics.bootstrap,
        seed=CONFIG.statistics.seed,
        bins=CONFIG.statistics.bins,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " --pretrained {params.pretrained}"
        " {params.external_sets}"
        " --baseline-predictions slide_only={input.slide_only:q}"
        " --selection {params.selection}"
        " --training-pool {params.training_pool}"
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
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
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
        external_sets=external_flags,
        alpha=CONFIG.statistics.alpha,
        margin=CONFIG.statistics.margin,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " {params.external_sets}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --comparisons {output.comparisons:q}"
        " > {log:q} 2>&1"


rule count_labels:
    input:
        script=script_of("count_labels"),
        runs="<results>/runs.csv",
        library=library_of("count_labels"),
        subsets=tabled_subsets,
        histories=files_of(TABLED, "history"),
    output:
        labels="<results>/labels.csv",
    log:
        "<logs>/count_labels/labels.log",
    benchmark:
        "<benchmarks>/count_labels/labels.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        results=results_folder,
        given=given_contents,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --given {params.given:q}"
        " --labels {output.labels:q}"
        " > {log:q} 2>&1"


rule label_efficiency:
    input:
        script=script_of("label_efficiency"),
        library=library_of("label_efficiency"),
        index=index_of(TARGET),
        runs="<results>/runs.csv",
        labels="<results>/labels.csv",
        predictions=files_of(TABLED, "predictions"),
        external=external_predictions,
        external_indexes=collect(
            "<results>/images/{external}_index.csv", external=EXTERNAL
        ),
    output:
        efficiency="<results>/label_efficiency.csv",
    log:
        "<logs>/label_efficiency/label_efficiency.log",
    benchmark:
        "<benchmarks>/label_efficiency/label_efficiency.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(4000),
        runtime=growing(30),
    params:
        results=results_folder,
        external_sets=external_flags,
        alpha=CONFIG.statistics.alpha,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --index {input.index:q}"
        " --runs {input.runs:q}"
        " --labels {input.labels:q}"
        " {params.external_sets}"
        " --alpha {params.alpha}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --efficiency {output.efficiency:q}"
        " > {log:q} 2>&1"


rule spread:
    input:
        script=script_of("spread"),
        runs="<results>/runs.csv",
        library=library_of("spread"),
        predictions=files_of(CROSSED, "predictions"),
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
        alpha=CONFIG.statistics.alpha,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --alpha {params.alpha}"
        " --spread {output.spread:q}"
        " > {log:q} 2>&1"


rule collect_costs:
    input:
        script=script_of("collect_costs"),
        runs="<results>/runs.csv",
        library=library_of("collect_costs"),
        records=files_of(TABLED, "records", "json"),
        crossed_records=files_of(CROSSED, "records", "json"),
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
        pretrained=PRETRAINED,
    shell:
        "python {input.script:q}"
        " --results {params.results:q}"
        " --benchmarks {params.benchmarks:q}"
        " --runs {input.runs:q}"
        " --pretrained {params.pretrained}"
        " --costs {output.costs:q}"
        " > {log:q} 2>&1"


rule summarize:
    input:
        script=script_of("summarize"),
        library=library_of("summarize"),
        metrics="<results>/metrics/evaluate.csv",
        comparisons="<results>/comparisons.csv",
        label_efficiency="<results>/label_efficiency.csv",
        labels="<results>/labels.csv",
        spread="<results>/spread.csv",
        costs="<results>/costs.csv",
        cluster_quality=cluster_qualities,
        leakage="<results>/leakage/check_leakage.csv",
        data="<results>/data.md",
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
        reported=as_is(as_json(reported_numbers(CONFIG, EXPERIMENT))),
        titles=as_is(
            as_json({name: arm.title for name, arm in EXPERIMENT.arms.items()})
        ),
        decimals=CONFIG.table.decimals,
        alpha=CONFIG.statistics.alpha,
        margin=CONFIG.statistics.margin,
        primary=CONFIG.statistics.primary,
        training_pool=CONFIG.statistics.training_pool,
        subsets=CONFIG.subsets.source,
        pretraining_seeds=CONFIG.experiment.pretraining_seeds,
        test_masks=TEST_MASKS,
        target_title=as_is(CONFIG.datasets[TARGET].title or TARGET),
        tables=as_is(as_json(tables_of_pretrained())),
        starts=as_is(as_json(starts())),
        synthetic="--synthetic" if SYNTHETIC else "",
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --comparisons {input.comparisons:q}"
        " --label-efficiency {input.label_efficiency:q}"
        " --labels {input.labels:q}"
        " --spread {input.spread:q}"
        " --costs {input.costs:q}"
        " --leakage {input.leakage:q}"
        " --data {input.data:q}"
        " --target-title={params.target_title:q}"
        " --tables {params.tables:q}"
        " --starts {params.starts:q}"
        " --reported {params.reported:q}"
        " --titles {params.titles:q}"
        " --decimals {params.decimals}"
        " --alpha {params.alpha}"
        " --margin {params.margin}"
        " --primary {params.primary}"
        " --training-pool {params.training_pool}"
        " --subsets {params.subsets}"
        " --pretraining-seeds {params.pretraining_seeds}"
        " --test-masks {params.test_masks}"
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
        grouped_index=grouped_index,
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
        config=whole_config,
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
        runs="<results>/runs.csv",
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
        results=results_folder,
        arm=figure_arm,
    shell:
        "python {input.script:q}"
        " --title={params.title:q}"
        " --results {params.results:q}"
        " --runs {input.runs:q}"
        " --arm {params.arm}"
        " --figure {output.figure:q}"
        " > {log:q} 2>&1"


rule plot_label_efficiency:
    input:
        script=script_of("plot_label_efficiency"),
        runs="<results>/runs.csv",
        library=library_of("plot_label_efficiency"),
        metrics="<results>/metrics/evaluate.csv",
        labels="<results>/labels.csv",
    output:
        figure="<results>/figures/label_efficiency.png",
        vector="<results>/figures/label_efficiency.svg",
    log:
        "<logs>/plot_label_efficiency/label_efficiency.log",
    benchmark:
        "<benchmarks>/plot_label_efficiency/label_efficiency.tsv"
    container:
        TOOLS_IMAGE
    resources:
        mem_mb=growing(2000),
        runtime=growing(15),
    params:
        title=as_is(CONFIG.datasets[TARGET].title or TARGET),
        reported=as_is(as_json(reported_numbers(CONFIG, EXPERIMENT))),
        primary=CONFIG.statistics.primary,
        alpha=CONFIG.statistics.alpha,
    shell:
        "python {input.script:q}"
        " --metrics {input.metrics:q}"
        " --labels {input.labels:q}"
        " --runs {input.runs:q}"
        " --title={params.title:q}"
        " --reported {params.reported:q}"
        " --primary {params.primary}"
        " --alpha {params.alpha}"
        " --figure {output.figure:q}"
        " --vector {output.vector:q}"
        " > {log:q} 2>&1"


rule plot_confusion:
    input:
        script=script_of("plot_confusion"),
        runs="<results>/runs.csv",
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
        external=EXTERNAL,
    shell:
        "python {input.script:q}"
        " --confusion {input.confusion:q}"
        " --runs {input.runs:q}"
        " --arm {wildcards.arm}"
        " --title={params.title:q}"
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
        label_efficiency=LABEL_EFFICIENCY_FIGURES,
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
