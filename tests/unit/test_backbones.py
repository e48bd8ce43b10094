"""Models of both libraries as encoders: their blocks, and cuts that change nothing."""

import copy

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import resnet18

from fewlabels.core.errors import UserError
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.cutting import is_random, trace
from fewlabels.networks.encoder import IMAGENET, has_depthwise_convolutions
from fewlabels.networks.library import build_model, library_normalisation, resize_positions

SMALL = [
    "timm/test_resnet",
    "timm/test_efficientnet",
    "timm/test_convnext",
    "timm/test_vit",
    "timm/vit_tiny_patch16_224",
    "torchvision/resnet18",
    "torchvision/mobilenet_v3_small",
    "torchvision/regnet_y_400mf",
    "torchvision/shufflenet_v2_x0_5",
]
LARGE = [
    "torchvision/efficientnet_b0",
    "torchvision/convnext_tiny",
    "torchvision/vit_b_32",
    "torchvision/swin_t",
    "torchvision/densenet121",
    "timm/swin_tiny_patch4_window7_224",
]
SIZE = 64


def images(count: int = 2, size: int = SIZE) -> Tensor:
    batch = torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))
    return batch.contiguous(memory_format=torch.channels_last)


def plain(encoder: Backbone) -> nn.Module:
    """The library's own model in the encoder's state, uncut."""
    body = copy.deepcopy(encoder.body)
    for ours, theirs in zip(encoder.body.modules(), body.modules(), strict=True):
        theirs.training = ours.training
    return body


def outcome(module: nn.Module, batch: Tensor) -> list[Tensor]:
    """Features, the gradients of open parameters, and all buffers after it."""
    torch.manual_seed(5)
    features = module(batch)
    found = [features.detach()]
    if features.requires_grad:
        features.square().sum().backward()
        found += [p.grad for p in module.parameters() if p.grad is not None]
    return found + list(module.buffers())


@pytest.mark.parametrize("model", SMALL + LARGE)
def test_cutting_changes_nothing(model):
    """In training and evaluation, wherever the first open block lies."""
    torch.manual_seed(0)
    encoder = Backbone(model, SIZE)
    blocks = encoder.block_names
    places = range(len(blocks) + 1) if model in SMALL[:4] else (0, 3, len(blocks) // 2, len(blocks))
    for place in places:
        for mode in (True, False):
            encoder.open_blocks(blocks[place:])
            encoder.zero_grad(set_to_none=True)
            encoder.train(mode)
            theirs = plain(encoder)
            found, expected = outcome(encoder, images()), outcome(theirs, images())
            assert found[0].shape == (2, encoder.feature_size)
            assert len(found) == len(expected)
            assert all(map(torch.equal, found, expected)), (place, mode)
            assert encoder.prefix(images()).requires_grad is False


@pytest.mark.parametrize("model", [name for name in SMALL + LARGE if "vit" not in name])
def test_networks_of_convolutions_and_windows_are_cut_behind_every_block(model):
    encoder = Backbone(model, SIZE)
    for place in range(len(encoder.block_names) + 1):
        encoder.open_blocks(encoder.block_names[place:])
        assert encoder.frozen_prefix() == place


@pytest.mark.parametrize(
    ("model", "first", "cuts"),
    [
        # timm's token and positions are added in one step, torchvision's token needs the images' number.
        ("timm/vit_tiny_patch16_224", ["patch_embed", "cls_token", "pos_embed"], [0, 1, 1, 3, 4]),
        (
            "torchvision/vit_b_32",
            ["conv_proj", "class_token", "encoder.pos_embedding"],
            [0, 0, 2, 3, 4],
        ),
    ],
)
def test_a_cut_that_more_than_one_tensor_crosses_moves_forward(model, first, cuts):
    encoder = Backbone(model, SIZE)
    assert list(encoder.block_names[:3]) == first
    found = []
    for place in range(5):
        encoder.open_blocks(encoder.block_names[place:])
        found.append(encoder.frozen_prefix())
    assert found == cuts


def test_a_network_that_asks_for_the_images_size_is_only_kept_whole():
    encoder = Backbone("timm/test_vit", SIZE)
    encoder.open_blocks(encoder.block_names[-1:])
    assert encoder.frozen_prefix() == 0
    batch = images()
    assert encoder.prefix(batch) is batch
    encoder.open_blocks([])
    assert encoder.frozen_prefix() == len(encoder.block_names)
    assert encoder.prefix(batch).shape == (2, encoder.feature_size)


@pytest.mark.parametrize(
    ("model", "some"),
    [
        ("torchvision/resnet18", ["conv1", "bn1", "layer1.0", "layer4.1"]),
        ("timm/resnet18", ["conv1", "bn1", "layer1.0", "layer4.1"]),
        ("torchvision/efficientnet_b0", ["features.0", "features.1.0", "features.8"]),
        ("timm/tf_efficientnet_lite0", ["conv_stem", "bn1", "blocks.0.0", "conv_head", "bn2"]),
        ("torchvision/convnext_tiny", ["features.0", "features.1.0", "classifier.0"]),
        ("timm/test_convnext", ["stem.0", "stages.1.downsample.0", "stages.1.blocks.0", "head"]),
        ("torchvision/densenet121", ["features.conv0", "features.denseblock1"]),
        ("torchvision/vgg11", ["features.0", "features.3", "classifier.0", "classifier.3"]),
    ],
)
def test_blocks_are_named_by_their_paths_in_order_of_use(model, some):
    with torch.device("meta"):
        encoder = Backbone(model, SIZE)
    names = encoder.block_names
    assert [name for name in names if name in some] == some
    owned = {name for name, _ in encoder.body.named_parameters()}
    assert all(any(p == n or p.startswith(f"{n}.") for n in names) for p in owned)


def test_resnet18_is_torchvisions_to_the_bit():
    """Weights, the next random number, a training step in both precisions, and evaluation."""
    torch.manual_seed(3)
    theirs = resnet18(weights=None)
    following = torch.rand(2)
    torch.manual_seed(3)
    encoder = Backbone("torchvision/resnet18")
    assert torch.equal(torch.rand(2), following)
    assert (encoder.feature_size, encoder.head_name) == (512, "fc")
    theirs.fc = nn.Identity()
    theirs.requires_grad_(False)
    encoder.open_blocks(["layer4"])
    theirs.layer4.requires_grad_(True)
    for precision in (torch.float32, torch.bfloat16):
        results = []
        for network in (encoder, theirs):
            network.to(memory_format=torch.channels_last)
            if network is theirs:
                network.eval()
                network.layer4.train()
            else:
                network.train()
            optimizer = torch.optim.AdamW(network.parameters(), fused=True)
            with torch.autocast("cpu", precision, enabled=precision is torch.bfloat16):
                features = network(images(4))
            features.float().square().mean().backward()
            optimizer.step()
            results.append([features, *network.state_dict().values()])
        assert all(map(torch.equal, *results))
    encoder.eval()
    theirs.eval()
    with torch.inference_mode():
        assert torch.equal(encoder(images()), theirs(images()))


def test_what_follows_a_block_belongs_to_it():
    """ResNet's pooling behind its stem makes the kept activations small."""
    encoder = Backbone("torchvision/resnet18", SIZE)
    shapes = []
    for first in ("bn1", "layer1", "layer4.1"):
        encoder.open_blocks([first])
        shapes.append(tuple(encoder.prefix(images()).shape))
    encoder.open_blocks([])
    shapes.append(tuple(encoder.prefix(images()).shape))
    assert shapes == [(2, 64, 32, 32), (2, 64, 16, 16), (2, 512, 2, 2), (2, 512)]


def test_dropout_before_the_last_layer_stays_random_though_all_blocks_are_frozen():
    encoder = Backbone("torchvision/efficientnet_b0", SIZE)
    encoder.train()
    kept = [encoder.prefix(images()) for _ in range(2)]
    assert torch.equal(*kept)
    # It works in place, on a copy of what is kept.
    assert not torch.equal(*(encoder.tail(kept[0]) for _ in range(2)))
    assert torch.equal(*kept)
    encoder.eval()
    assert torch.equal(encoder.tail(kept[0]), kept[0])


def test_dropout_between_frozen_blocks_is_fixed_and_between_open_ones_random():
    encoder = Backbone("timm/vit_tiny_patch16_224", SIZE)
    encoder.body.pos_drop = nn.Dropout(0.5)
    blocks = encoder.block_names
    encoder.open_blocks(blocks[-1:])
    encoder.train()
    assert not encoder.body.pos_drop.training
    encoder.open_blocks("all")
    encoder.train()
    assert encoder.body.pos_drop.training


def test_stochastic_depth_follows_the_training_mode_of_its_block():
    torch.manual_seed(0)
    encoder = Backbone("torchvision/efficientnet_b0", SIZE)
    encoder.body.classifier[0].p = 0.0
    last = "features.7.0"
    depth = encoder.body.get_submodule(last).stochastic_depth
    depth.p = 0.5
    encoder.body.get_submodule(last).use_res_connect = True
    for names, training in ([last], True), (["features.8"], False):
        encoder.open_blocks(names)
        encoder.train()
        assert depth.training is training


def test_a_network_that_branches_on_its_training_mode_is_not_cut():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

        def forward(self, x):
            x = self.first(x)
            return self.second(nn.functional.dropout(x, 0.5, self.training))

    assert trace(Branching(), ["first", "second"], {""}) is None


def test_tracing_leaves_the_modes_of_all_modules():
    body = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).eval())
    trace(body, ["0", "1"], {""})
    assert [module.training for module in body.modules()] == [True, True, False]


def test_a_kept_graph_uses_the_encoders_present_parameters():
    """After a move to another device or a copy, nothing old is left."""
    encoder = Backbone("timm/vit_tiny_patch16_224", SIZE)
    encoder.open_blocks(["blocks.11"])
    twin = copy.deepcopy(encoder).double()
    batch = images().double()
    assert twin(batch).dtype == torch.float64
    torch.testing.assert_close(twin.eval()(batch), plain(twin)(batch), rtol=0, atol=0)
    with torch.no_grad():
        twin.body.cls_token.zero_()
    assert encoder.body.cls_token.abs().sum() > 0
    whole = Backbone("timm/test_vit", SIZE)  # not traced
    assert copy.deepcopy(whole).double()(batch).dtype == torch.float64


@pytest.mark.parametrize(("batch_norm", "moves"), [("trained", {"layer4.1"}), ("frozen", set())])
def test_batchnorm_of_open_blocks_can_be_frozen(batch_norm, moves):
    encoder = Backbone("torchvision/resnet18", SIZE)
    encoder.open_blocks(["layer4.1"], batch_norm)
    encoder.train()
    before = {name: value.clone() for name, value in encoder.body.named_buffers()}
    weight = encoder.body.layer4[1].bn1.weight
    encoder(images()).sum().backward()
    changed = {n for n, v in encoder.body.named_buffers() if not torch.equal(v, before[n])}
    assert {".".join(name.split(".")[:2]) for name in changed} == moves
    assert weight.grad is not None
    with pytest.raises(UserError, match="batch_norm is 'off'"):
        encoder.open_blocks([], "off")


def test_parameters_that_are_blocks_are_opened_and_frozen():
    encoder = Backbone("timm/vit_tiny_patch16_224", SIZE)
    encoder.open_blocks(["pos_embed", "blocks.1"])
    open_ones = {name for name, p in encoder.body.named_parameters() if p.requires_grad}
    assert "pos_embed" in open_ones
    assert {name.partition(".")[0] for name in open_ones} == {"pos_embed", "blocks"}
    assert all(n == "pos_embed" or n.startswith("blocks.1.") for n in open_ones)


@pytest.mark.parametrize(
    ("model", "size", "told"),
    [
        ("resnet18", SIZE, "write torchvision/<name> or timm/<name>"),
        ("torchvision/resnet81", SIZE, r"did you mean 'torchvision/resnet18'\?"),
        ("torchvision/raft_large", SIZE, "unknown model 'torchvision/raft_large'"),
        ("timm/tf_efficentnet_lite0", SIZE, r"did you mean 'timm/tf_efficientnet_lite0'\?"),
        ("timm/qqqqqqqq", SIZE, r"see timm's list_models\(\)"),
        ("timm/resnet18.no_such_tag", SIZE, "unknown model 'timm/resnet18.no_such_tag'"),
        ("torchvision/squeezenet1_0", SIZE, "does not end in one linear layer"),
        ("timm/deit_tiny_distilled_patch16_224", SIZE, "does not end in one linear layer"),
        ("torchvision/vit_b_32", 50, "can't be built for images of 50 pixels"),
        ("torchvision/maxvit_t", SIZE, "can't be built for images of 64 pixels"),
    ],
)
def test_a_model_that_cannot_be_used_is_one_line(model, size, told):
    with torch.device("meta"), pytest.raises(UserError, match=told) as caught:
        Backbone(model, size)
    assert "\n" not in str(caught.value)


def test_normalisation_is_that_of_the_weights():
    assert library_normalisation("torchvision/resnet18") == IMAGENET
    assert library_normalisation("timm/resnet18") == IMAGENET
    assert library_normalisation("timm/vit_tiny_patch16_224").mean == (0.5, 0.5, 0.5)
    encoder = Backbone("timm/test_vit", SIZE)
    white = encoder.normalise(torch.ones(1, 3, 4, 4))
    expected = [(1 - m) / s for m, s in zip(*encoder.normalisation.plain().values(), strict=True)]
    torch.testing.assert_close(white[0, :, 0, 0], torch.tensor(expected))
    assert white.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("model", "key"),
    [("timm/vit_tiny_patch16_224", "pos_embed"), ("torchvision/vit_b_32", "encoder.pos_embedding")],
)
def test_position_embeddings_are_interpolated_to_the_images(model, key):
    large, small = build_model(model, 96), build_model(model, 64)
    state = dict(large.state_dict())
    resized = resize_positions(small, state, 64)
    small.load_state_dict(resized)
    tokens = (64 // (16 if "timm" in model else 32)) ** 2 + 1
    assert resized[key].shape[1] == tokens
    assert torch.equal(resized[key][:, 0], state[key][:, 0]), "the class token's stays"
    same = resize_positions(large, state, 96)
    assert torch.equal(same[key], state[key])


def test_depthwise_convolutions_are_found():
    with torch.device("meta"):
        assert has_depthwise_convolutions(timm.create_model("test_efficientnet"))
        assert not has_depthwise_convolutions(torchvision.models.resnet18())
    grey = nn.Conv2d(1, 4, 3, groups=1)
    assert not has_depthwise_convolutions(grey)


@pytest.mark.parametrize(
    ("module", "random"),
    [
        (nn.Dropout(0.1), True),
        (nn.Dropout(0.0), False),
        (nn.Sequential(nn.ReLU(), nn.Dropout2d(0.2)), True),
        (torchvision.ops.StochasticDepth(0.1, "row"), True),
        (timm.layers.DropPath(0.1), True),
        (timm.layers.DropPath(0.0), False),
        (nn.ReLU(), False),
    ],
)
def test_modules_that_draw_random_numbers_are_told_from_others(module, random):
    assert is_random(module) is random
