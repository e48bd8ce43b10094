# What the frozen blocks of the encoders make of the images, once for all runs that share them.


rule cache_features:
    input:
        script=script_of("cache_features"),
        library=library_of("cache_features"),
        checkpoint=lambda wildcards: encoder_file(wildcards.encoder),
        index=cache_index,
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        masked=cache_masked_images,
        masked_table=cache_masked_table,
        subsets=cache_subsets,
        heeded=ancient(HEEDED),
    output:
        features="<results>/feature_cache/{part}/{encoder}_{frozen}_{pixels}_{views}.npy",
        header="<results>/feature_cache/{part}/{encoder}_{frozen}_{pixels}_{views}.json",
        record="<results>/records/feature_cache/{part}/{encoder}_{frozen}_{pixels}_{views}.json",
    log:
        "<logs>/cache_features/{part}/{encoder}_{frozen}_{pixels}_{views}.log",
    benchmark:
        "<benchmarks>/cache_features/{part}/{encoder}_{frozen}_{pixels}_{views}.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        encoder=cache_encoder,
        masked=masked_flag,
        trained=cache_trained,
        images=cache_images_flags,
        budget=cache_budget_flag,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --encoder {params.encoder}"
        " --checkpoint {input.checkpoint:q}"
        " {params.trained}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " {params.masked}"
        " {params.images}"
        " {params.budget}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --features {output.features:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"
