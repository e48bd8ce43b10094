# What the frozen blocks of the encoders make of the images, once for all runs that share them.


rule compute_activations:
    input:
        script=script_of("compute_activations"),
        library=library_of("compute_activations"),
        checkpoint=lambda wildcards: ENCODER_FILES[wildcards.encoder],
        index=activations_index,
        images="<results>/images/wbc.npy",
        ids="<results>/images/wbc_ids.csv",
        masked=activations_masked_images,
        masked_ids=activations_masked_ids,
        subset=activations_subset,
        leakage=ancient("<results>/leakage/check_leakage.csv"),
    output:
        activations="<results>/activations/{part}/{encoder}_{block}_{pixels}.npy",
        header="<results>/activations/{part}/{encoder}_{block}_{pixels}.json",
        record="<results>/records/activations/{part}/{encoder}_{block}_{pixels}.json",
    log:
        "<logs>/compute_activations/{part}/{encoder}_{block}_{pixels}.log",
    benchmark:
        "<benchmarks>/compute_activations/{part}/{encoder}_{block}_{pixels}.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        masked=masked_flags,
        images=activations_images_flags,
        budget=activations_budget_flag,
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --encoder {wildcards.encoder}"
        " --checkpoint {input.checkpoint:q}"
        " --last-block {wildcards.block}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " {params.masked}"
        " {params.images}"
        " {params.budget}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --activations {output.activations:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"
