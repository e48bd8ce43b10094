# Pretraining, once, with a seed of its own.


rule train_cam16:
    input:
        script=script_of("train_cam16"),
        library=library_of("train_cam16"),
        index="<results>/images/cam16_index.csv",
        images="<results>/images/cam16.npy",
        ids="<results>/images/cam16_ids.csv",
        masked=masked_images("cam16", config["pretraining"]["cam16"]["masks"]),
        masked_ids=masked_ids("cam16", config["pretraining"]["cam16"]["masks"]),
        weights=weights_file("resnet18"),
        leakage=ancient("<results>/leakage/check_leakage.csv"),
    output:
        checkpoint="<results>/models/resnet_cam16.pt",
        history="<results>/history/resnet_cam16.csv",
        predictions="<results>/predictions/resnet_cam16.csv",
        record="<results>/records/resnet_cam16.json",
    log:
        "<logs>/train_cam16/resnet_cam16.log",
    benchmark:
        "<benchmarks>/train_cam16/resnet_cam16.tsv"
    priority: PRIORITY["cam16"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        masked=masked_flags,
        mask_use=config["pretraining"]["cam16"]["masks"],
        trained=config["pretraining"]["cam16"]["trained"],
        classes=config["datasets"]["cam16"]["classes"],
        training=as_json(config["pretraining"]["cam16"]["training"]),
        seed=config["pretraining"]["seed"],
        resize=config["images"]["resize"],
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --index {input.index:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " {params.masked}"
        " --mask-use {params.mask_use}"
        " --weights {input.weights:q}"
        " --trained {params.trained:q}"
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
        " --record {output.record:q}"
        " > {log:q} 2>&1"


rule prcc_features:
    input:
        script=script_of("prcc_features"),
        library=library_of("prcc_features"),
        images="<results>/images/prcc.npy",
        ids="<results>/images/prcc_ids.csv",
        weights=weights_file("vgg16"),
        leakage=ancient("<results>/leakage/check_leakage.csv"),
    output:
        features="<results>/features/prcc_feature.csv",
        record="<results>/records/prcc_feature.json",
    log:
        "<logs>/prcc_features/prcc_feature.log",
    benchmark:
        "<benchmarks>/prcc_features/prcc_feature.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(120),
    params:
        layer=config["pretraining"]["prcc_features"]["layer"],
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " --weights {input.weights:q}"
        " --layer {params.layer}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --features {output.features:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"


rule prcc_clusters:
    input:
        script=script_of("prcc_clusters"),
        library=library_of("prcc_clusters"),
        features="<results>/features/prcc_feature.csv",
        true_types=true_types,
    output:
        labels="<results>/clusters/prcc_cluster_label.csv",
        quality="<results>/clusters/prcc_cluster_quality.csv",
        scatter="<results>/clusters/prcc_cluster_scatter.png",
    log:
        "<logs>/prcc_clusters/prcc_cluster_label.log",
    benchmark:
        "<benchmarks>/prcc_clusters/prcc_cluster_label.tsv"
    priority: PRIORITY["pretraining"]
    container:
        TOOLS_IMAGE
    threads: THREADS
    resources:
        mem_mb=growing(8000),
        runtime=growing(60),
    params:
        pca_dimensions=config["pretraining"]["prcc_clusters"]["pca_dimensions"],
        clusters=config["pretraining"]["prcc_clusters"]["clusters"],
        seed=config["pretraining"]["seed"],
        true_types=true_types_flag,
        compute_threads=THREADS,
    shell:
        "OMP_NUM_THREADS={params.compute_threads} OPENBLAS_NUM_THREADS={params.compute_threads}"
        " python {input.script:q}"
        " --features {input.features:q}"
        " --pca-dimensions {params.pca_dimensions}"
        " --clusters {params.clusters}"
        " --seed {params.seed}"
        " {params.true_types}"
        " --labels {output.labels:q}"
        " --quality {output.quality:q}"
        " --scatter {output.scatter:q}"
        " > {log:q} 2>&1"


rule train_prcc_clustered:
    input:
        script=script_of("train_prcc_clustered"),
        library=library_of("train_prcc_clustered"),
        images="<results>/images/prcc.npy",
        ids="<results>/images/prcc_ids.csv",
        labels="<results>/clusters/prcc_cluster_label.csv",
        weights=weights_file("resnet18"),
    output:
        checkpoint="<results>/models/pRCC_clustered_resnet.pt",
        history="<results>/history/pRCC_clustered_resnet.csv",
        predictions="<results>/predictions/pRCC_clustered_resnet.csv",
        record="<results>/records/pRCC_clustered_resnet.json",
    log:
        "<logs>/train_prcc_clustered/pRCC_clustered_resnet.log",
    benchmark:
        "<benchmarks>/train_prcc_clustered/pRCC_clustered_resnet.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        trained=config["pretraining"]["prcc_clustered"]["trained"],
        test_share=config["pretraining"]["prcc_clustered"]["test_share"],
        training=as_json(config["pretraining"]["prcc_clustered"]["training"]),
        seed=config["pretraining"]["seed"],
        resize=config["images"]["resize"],
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " --labels {input.labels:q}"
        " --weights {input.weights:q}"
        " --trained {params.trained:q}"
        " --test-share {params.test_share}"
        " --training {params.training:q}"
        " --seed {params.seed}"
        " --resize {params.resize}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --checkpoint {output.checkpoint:q}"
        " --history {output.history:q}"
        " --predictions {output.predictions:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"


rule train_prcc_autoencoder:
    input:
        script=script_of("train_prcc_autoencoder"),
        library=library_of("train_prcc_autoencoder"),
        images="<results>/images/prcc.npy",
        ids="<results>/images/prcc_ids.csv",
        leakage=ancient("<results>/leakage/check_leakage.csv"),
    output:
        checkpoint="<results>/models/pRCC_autoencoder.pt",
        history="<results>/history/pRCC_autoencoder.csv",
        reconstructions="<results>/figures/pRCC_autoencoder_reconstructions.png",
        record="<results>/records/pRCC_autoencoder.json",
    log:
        "<logs>/train_prcc_autoencoder/pRCC_autoencoder.log",
    benchmark:
        "<benchmarks>/train_prcc_autoencoder/pRCC_autoencoder.tsv"
    priority: PRIORITY["pretraining"]
    threads: THREADS
    resources:
        gpu=GPU,
        mem_mb=growing(8000),
        runtime=growing(240),
    params:
        channels=config["pretraining"]["prcc_autoencoder"]["channels"],
        latent_size=config["pretraining"]["prcc_autoencoder"]["latent_size"],
        test_share=config["pretraining"]["prcc_autoencoder"]["test_share"],
        training=as_json(config["pretraining"]["prcc_autoencoder"]["training"]),
        seed=config["pretraining"]["seed"],
        resize=config["images"]["resize"],
        device=config["compute"]["device"],
        precision=config["compute"]["precision"],
        compute_threads=THREADS,
    shell:
        "python {input.script:q}"
        " --images {input.images:q}"
        " --ids {input.ids:q}"
        " --channels {params.channels}"
        " --latent-size {params.latent_size}"
        " --test-share {params.test_share}"
        " --training {params.training:q}"
        " --seed {params.seed}"
        " --resize {params.resize}"
        " --device {params.device}"
        " --precision {params.precision}"
        " --threads {params.compute_threads}"
        " --checkpoint {output.checkpoint:q}"
        " --history {output.history:q}"
        " --reconstructions {output.reconstructions:q}"
        " --record {output.record:q}"
        " > {log:q} 2>&1"
