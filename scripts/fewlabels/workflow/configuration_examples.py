"""What docs/configuration.md begins with: how to change the config, and examples. A test loads each."""

INTRODUCTION = """
# Configuration

Made by `make configuration` from the classes that check the config; edit those, not this page.

`config.yaml` is the whole experiment. Write what you change into a file of your own and add it:
`snakemake --cores 8 --configfile mine.yaml`. Several files are laid over each other in their order
(`--configfile a.yaml b.yaml`), and `--config` over them: `--config 'experiment={replicates: [1]}'`.

- **Maps are merged** key by key, so that a file names only what differs. **Lists and single values are replaced.**
- **`null`** gives a key its default of the table below ("required": there is none), and takes an entry of a map away:
  `datasets: {cam16: null}`, `aliases: {Monocytes: null}`; `aliases: null` empties the map.
- **What is declared and not used is inert**: data sets, backbones and pretraining that no arm of
  `experiment.arms` leads to need no folder, are not audited, not downloaded and stand in no table.
- A misspelt key or value stops the run at once, with one line and the nearest known one.
- `snakemake --cores 1 -n` shows what would run.
"""

#: Title -> overlay of config.yaml.
EXAMPLES = {
    "Your own folders, masks with a suffix": """
# smears/train/images/blast/7.png has its mask in smears/train/masks/blast/7_mask.png
data_root: /data/microscopy
target: smears
datasets:
  smears:
    title: blood smears
    folder: smears
    images: "{split}/images/{class}"
    masks: "{split}/masks/{class}"
    mask_name: "{stem}_mask"
    classes: [blast, lymphocyte, monocyte]
    aliases: {lymphocytes: lymphocyte}
    splits: {train: train, test: held_out}
    group_pattern: '^(?P<slide>[A-Z0-9]+)_'      # tells slides apart; leave it out where names tell nothing
experiment: {arms: [resnet]}                     # needs this folder alone
""",
    "torchvision's ImageFolder layout": """
# cells/train/0/*.png, cells/train/healthy/*.png, cells/test/...; class names may be numbers
target: cells
datasets:
  cells: {folder: cells, images: "{split}/{class}", classes: [0, 1, healthy], splits: {train: train, test: test}}
experiment: {arms: [resnet]}
""",
    "A table": """
# labels.csv (, or ; or tab; as a spreadsheet saves it): path,label,split and, if wanted, mask,slide,field;
# paths are relative to the table
target: biopsies
datasets:
  biopsies:
    table: biopsies/labels.csv
    classes: [benign, malignant]
    splits: {train: training, validation: tuning, test: testing}
experiment: {arms: [resnet]}
""",
    "No test images: hold some out": """
target: cells
datasets:
  cells: {folder: cells, images: "{class}", classes: [a, b], holdout: 0.2}   # drawn by experiment.split_seed
experiment: {arms: [resnet]}
""",
    "A further source of pretraining, without labels": """
datasets:
  kidney: {folder: kidney_images, holdout: 0.1}      # all images in one folder
pretraining:
  kidney_autoencoder:
    method: autoencoder
    dataset: kidney
    channels: [32, 64, 128, 256, 512]
    latent_size: 512
    training: {epochs: 50, batch_size: 32, learning_rate: 0.001}
arms:
  withKidney:
    title: ResNet-18, and an autoencoder of kidney images
    masks: "off"
    encoders:
      - {encoder: imagenet_resnet18, trained: [layer4]}
      - {encoder: kidney_autoencoder, trained: []}
experiment: {arms: [resnet, withKidney]}
""",
    "Another backbone": """
backbones:
  convnext: {model: torchvision/convnext_tiny, weights: default}          # downloaded once
  vit: {model: timm/vit_tiny_patch16_224, weights: /models/my_vit.pth}    # a state dict of your own
arms:
  convnext: {title: ConvNeXt-T, masks: "off", encoders: [{encoder: convnext, trained: all}]}
  vit: {title: ViT-Ti/16 with 2 blocks open, masks: "off", encoders: [{encoder: vit, trained: [blocks.10, blocks.11]}]}
experiment: {arms: [resnet, convnext, vit]}
""",
    "A new arm with settings of its own": """
arms:
  cam16Only:
    title: CAM16 classifier, last stage open, masked copies as further training images
    masks: append
    encoders:
      - {encoder: resnet_cam16, trained: [layer4]}
    training: {learning_rate: 0.0001, class_weights: balanced}
experiment: {arms: [resnet, cam16Only]}
""",
    "Chains: ImageNet, then CAM16, then pRCC": """
pretraining:
  cam16_then_prcc:
    method: supervised
    dataset: prcc
    labels: prcc_cluster_label
    start: resnet_cam16
    trained: [layer3, layer4]
arms:
  chained: {title: ImageNet; CAM16; pRCC, masks: "off", encoders: [{encoder: cam16_then_prcc, trained: [layer4]}]}
experiment: {arms: [resnet, chained]}
""",
    "Images without labels first, the target's among them": """
# Training images alone, and no label of the target: its test images are in no set that is learnt from.
pretraining:
  seen_alike:
    method: contrastive                                  # or masked_images
    datasets: [wbc, cam16, prcc]
    start: imagenet_efficientnet_lite0
    trained: all
    training: {epochs: 20, batch_size: 64, learning_rate: 0.0005}
arms:
  afterAll: {title: images first, masks: "off", encoders: [{encoder: seen_alike, trained: all, batch_norm: frozen}]}
experiment: {arms: [resnet, afterAll]}
""",
    "Enough steps with few labels": """
# At 1 % the 30 epochs of a few images are few steps. The arm lite (real ImageNet weights that need no download)
# has settings of its own.
training: {classification: {min_steps: 300}}
experiment: {arms: [resnet, lite]}
""",
    "So many labels of each class": """
# Runs and files are called 50perclass, 10perclass, ...; beside them all labels, as a bound.
subsets: {fractions: [100], per_class: [50, 10, 5, 1]}
experiment: {arms: [resnet, combinedNet], crossed: {replicates: []}}
""",
    "A quick look, beside other results": """
subsets: {fractions: [10, 1]}
experiment: {arms: [resnet, combinedNet], replicates: [1, 2, 3], crossed: {replicates: []}}
images: {size: 128}
compute: {device: cpu, threads: 2}
pathvars: {results: results/quick}
""",
    "Replace and take away": """
# other classes of the default target; what was set for it goes
datasets:
  wbc: {classes: [granulocyte, agranulocyte], aliases: null, masks: null, group_pattern: null}
  cam16: null
pretraining: {resnet_cam16: null}
arms: {combinedNet: null, combinedNetClustered: null}
table: {reported: null, figures: {figure5: null}}
experiment: {arms: [resnet]}
""",
    "Another test set, and a split by slide": """
experiment: {splits: [given, grouped]}            # adds resnetGrouped, combinedNetGrouped, ...
external: {TestA: {folder: Raabin/TestA, aliases: {Neut: Neutrophil}}}    # <class>/*.jpg below it
""",
}
