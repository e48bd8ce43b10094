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
        seed=CONFIG.synthetic.seed,
        wbc=CONFIG.synthetic.wbc.plain(),
        cam16=CONFIG.synthetic.cam16.plain(),
        prcc=CONFIG.synthetic.prcc.plain(),
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
    check_networks,
    fetch_weights,


rule fetch_weights:
    input:
        script=script_of("fetch_weights"),
        library=library_of("fetch_weights"),
        given=given_weights,
    output:
        weights=f"<resources>/weights/{{backbone}}_{CONFIG.images.size}_{{source}}.pth",
    log:
        f"<logs>/fetch_weights/{{backbone}}_{CONFIG.images.size}_{{source}}.log",
    benchmark:
        f"<benchmarks>/fetch_weights/{{backbone}}_{CONFIG.images.size}_{{source}}.tsv"
    priority: PRIORITY["images"]
    params:
        downloads=lambda wildcards: f"{pathvar('resources')}/downloads",
        model=lambda wildcards: CONFIG.backbones[wildcards.backbone].model,
        weights=lambda wildcards: CONFIG.backbones[wildcards.backbone].weights,
        sha256=lambda wildcards: flag(
            "--sha256", CONFIG.backbones[wildcards.backbone].sha256
        ),
        seed=lambda wildcards: CONFIG.backbones[wildcards.backbone].seed,
        image_size=CONFIG.images.size,
    shell:
        "python {input.script:q}"
        " --backbone {wildcards.backbone}"
        " --model {params.model:q}"
        " --weights={params.weights:q}"
        " {params.sha256}"
        " --seed {params.seed}"
        " --image-size {params.image_size}"
        " --downloads {params.downloads:q}"
        " --output {output.weights:q}"
        " > {log:q} 2>&1"


# All training waits for its verdict, but is not rerun by it (`ancient`); and so for all weights to be there and to fit.
rule check_networks:
    input:
        script=script_of("check_networks"),
        library=library_of("check_networks"),
        weights=[weights_file(name) for name in EXPERIMENT.backbones],
    output:
        table="<results>/check_networks.csv",
        verdict="<results>/networks/verdict.txt",
    log:
        "<logs>/check_networks/check_networks.log",
    benchmark:
        "<benchmarks>/check_networks/check_networks.tsv"
    priority: PRIORITY["images"]
    params:
        networks=as_is(as_json(networks_to_check())),
    shell:
        "python {input.script:q}"
        " --networks {params.networks:q}"
        " --output {output.table:q}"
        " --verdict {output.verdict:q}"
        " > {log:q} 2>&1"


localrules:
    list_runs,


rule list_runs:
    input:
        script=script_of("list_runs"),
        library=library_of("list_runs"),
    output:
        sheet="<results>/runs.csv",
    log:
        "<logs>/list_runs/runs.log",
    benchmark:
        "<benchmarks>/list_runs/runs.tsv"
    container:
        TOOLS_IMAGE
    params:
        grid=as_is(as_json(EXPERIMENT.grid.plain())),
    shell:
        "python {input.script:q}"
        " --grid {params.grid:q}"
        " --sheet {output.sheet:q}"
        " > {log:q} 2>&1"
