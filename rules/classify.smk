# The target's classifiers: one run per arm, fraction and replicate.


rule train_classifier:
    input:
        script=script_of("train_classifier"),
        library=library_of("train_classifier"),
        index=arm_index,
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        masked=arm_masked_images,
        masked_table=arm_masked_table,
        subset=run_subset,
        encoder_checkpoints=encoder_checkpoints,
        features=arm_features,
        heeded=ancient(HEEDED),
    output:
        checkpoint=f"<results>/models/{RUN}.pt",
        history=f"<results>/history/{RUN}.csv",
        predictions=f"<results>/predictions/{RUN}.csv",
        validation=validation_output(),
        record=f"<results>/records/{RUN}.json",
    log:
        f"<logs>/train_classifier/{RUN}.log",
    benchmark:
        f"<benchmarks>/train_classifier/{RUN}.tsv"
    priority: most_images_first
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(480),
    params:
        masked=masked_flag,
        mask_use=arm_masks,
        test_masks=arm_test_masks,
        encoders=arm_encoders,
        features=features_flag,
        classes=as_is(as_json(CONFIG.datasets[TARGET].classes)),
        training=arm_training,
        held_out=validation_output_flag,
        seed=initialisation_seed,
        resize=CONFIG.images.resize,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " {params.masked}"
        " --mask-use {params.mask_use}"
        " --test-masks {params.test_masks}"
        " --subset {input.subset:q}"
        " --encoders {params.encoders:q}"
        " --encoder-checkpoints {input.encoder_checkpoints:q}"
        " {params.features}"
        " --classes {params.classes:q}"
        " --training {params.training:q}"
        " --seed {params.seed}"
        " --resize {params.resize}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --checkpoint {output.checkpoint:q}"
        " --history {output.history:q}"
        " --predictions {output.predictions:q}"
        " {params.held_out}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"


rule predict_external:
    input:
        script=script_of("predict_external"),
        library=library_of("predict_external"),
        checkpoint=f"<results>/models/{RUN}.pt",
        index="<results>/images/{external}_index.csv",
        images="<results>/images/{external}.npy",
        table="<results>/images/{external}.csv",
        heeded=ancient(HEEDED),
    output:
        predictions=f"<results>/predictions/{RUN}_on_{{external}}.csv",
    log:
        f"<logs>/predict_external/{RUN}_on_{{external}}.log",
    benchmark:
        f"<benchmarks>/predict_external/{RUN}_on_{{external}}.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --checkpoint {input.checkpoint:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --predictions {output.predictions:q}"
        " > {log:q} 2>&1"
