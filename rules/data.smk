# Raw material: synthetic images (demo and tests) and pretrained weights.


rule draw_synthetic_images:
    input:
        script=script_of("draw_synthetic_images"),
        library=library_of("draw_synthetic_images"),
    output:
        manifest="<resources>/synthetic/manifest.csv",
        truth="<resources>/synthetic/prcc_types.csv",
    log:
        "<logs>/draw_synthetic_images/draw_synthetic_images.log",
    benchmark:
        "<benchmarks>/draw_synthetic_images/draw_synthetic_images.tsv"
    container:
        TOOLS_IMAGE
    threads: 8
    resources:
        mem_mb=growing(4000),
        runtime=growing(60),
    params:
        folder=lambda wildcards: data_root(),
        seed=config["synthetic"]["seed"],
        wbc=config["synthetic"]["wbc"],
        cam16=config["synthetic"]["cam16"],
        prcc=config["synthetic"]["prcc"],
    shell:
        "python {input.script:q}"
        " --folder {params.folder:q}"
        " --seed {params.seed}"
        " --wbc-train {params.wbc[train]}"
        " --wbc-val {params.wbc[test]}"
        " --wbc-size {params.wbc[size]}"
        " --balance {params.wbc[balance]}"
        " --cam16-train {params.cam16[train]}"
        " --cam16-val {params.cam16[validation]}"
        " --cam16-test {params.cam16[test]}"
        " --cam16-size {params.cam16[size]}"
        " --prcc {params.prcc[images]}"
        " --prcc-size {params.prcc[size]}"
        " --threads {threads}"
        " --manifest {output.manifest:q}"
        " --truth {output.truth:q}"
        " > {log:q} 2>&1"


localrules:
    fetch_weights,


rule fetch_weights:
    input:
        script=script_of("fetch_weights"),
        library=library_of("fetch_weights"),
        given=given_weights,
    output:
        weights="<resources>/weights/{network}_{source}.pth",
    log:
        "<logs>/fetch_weights/{network}_{source}.log",
    benchmark:
        "<benchmarks>/fetch_weights/{network}_{source}.tsv"
    params:
        downloads=lambda wildcards: f"{pathvar('resources')}/downloads",
        source=lambda wildcards: config["weights"][wildcards.network],
        seed=config["weights"]["seed"],
    shell:
        "python {input.script:q}"
        " --network {wildcards.network}"
        " --source {params.source:q}"
        " --seed {params.seed}"
        " --downloads {params.downloads:q}"
        " --weights {output.weights:q}"
        " > {log:q} 2>&1"
