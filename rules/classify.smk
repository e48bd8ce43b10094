# The target's classifiers: one run per arm, fraction and replicate.


rule train_classifier:
    input:
        script=script_of("train_classifier"),
        library=library_of("train_classifier"),
        index=arm_index,
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        reading=f"<results>/images/{TARGET}_reading.json",
        masked=arm_masked_images,
        masked_table=arm_masked_table,
        predicted_masks=arm_predicted_masks,
        predicted_table=arm_predicted_table,
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
        predicted_masks=predicted_masks_flags,
        encoders=arm_encoders,
        features=features_flag,
        classes=as_is(as_json(CONFIG.datasets[TARGET].classes)),
        classifier=arm_classifier,
        unlabelled=arm_unlabelled,
        run=run_facts,
        training=arm_training,
        held_out=validation_output_flag,
        seed=initialisation_seed,
        unfinished=unfinished_state(RUN),
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
        " {params.predicted_masks}"
        " --subset {input.subset:q}"
        " --encoders {params.encoders:q}"
        " --encoder-checkpoints {input.encoder_checkpoints:q}"
        " {params.features}"
        " --classes {params.classes:q}"
        " --classifier {params.classifier}"
        " {params.unlabelled}"
        " --run {params.run:q}"
        " --reading {input.reading:q}"
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
        " --unfinished {params.unfinished:q}"
        " > {log:q} 2>&1"


rule predict_external:
    input:
        script=script_of("predict_external"),
        library=library_of("predict_external"),
        checkpoint=f"<results>/models/{RUN}.pt",
        index="<results>/images/{external}_index.csv",
        images="<results>/images/{external}.npy",
        table="<results>/images/{external}.csv",
        mask_network=arm_mask_network,
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
        mask_network=mask_network_flag,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --checkpoint {input.checkpoint:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " {params.mask_network}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --predictions {output.predictions:q}"
        " > {log:q} 2>&1"


# Only on request: snakemake --cores 2 results/determinism.json
rule check_determinism:
    input:
        script=script_of("check_determinism"),
        library=library_of("check_determinism"),
        trainer=script_of("train_classifier"),
        trainer_library=library_of("train_classifier"),
        index=lambda wildcards: arm_index(BASELINE_RUN),
        images=f"<results>/images/{TARGET}.npy",
        table=f"<results>/images/{TARGET}.csv",
        encoder_checkpoints=lambda wildcards: encoder_checkpoints(BASELINE_RUN),
        heeded=ancient(HEEDED),
    output:
        report="<results>/determinism.json",
    log:
        "<logs>/check_determinism/check_determinism.log",
    benchmark:
        "<benchmarks>/check_determinism/check_determinism.tsv"
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        encoders=lambda wildcards: arm_encoders(BASELINE_RUN),
        classes=as_is(as_json(CONFIG.datasets[TARGET].classes)),
        training=lambda wildcards: arm_training(BASELINE_RUN),
        seed=BASELINE_RUN.initialisation_seed,
        resize=CONFIG.images.resize,
        device=CONFIG.compute.device,
        precision=CONFIG.compute.precision,
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --encoders {params.encoders:q}"
        " --encoder-checkpoints {input.encoder_checkpoints:q}"
        " --classes {params.classes:q}"
        " --training {params.training:q}"
        " --seed {params.seed}"
        " --resize {params.resize}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --report {output.report:q}"
        " > {log:q} 2>&1"
