"""The ONNX graph of a classifier: onnxruntime makes of it what the workflow predicts, for every kind of network."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from builders import REPOSITORY, SIDE
from torch import nn
from torchvision.models.vgg import VGG, make_layers

from fewlabels.core.errors import UserError
from fewlabels.deployment import onnx_graph
from fewlabels.deployment.trained_model import SeenMasks, TrainedModel
from fewlabels.networks import backbones
from fewlabels.networks.autoencoder import ConvolutionalEncoder
from fewlabels.networks.backbones import Backbone
from fewlabels.networks.classifier import Classifier
from fewlabels.networks.encoder import Encoder, Normalisation
from fewlabels.networks.heads import LogisticHead, NeighboursHead
from fewlabels.networks.mask_channel import add_mask_channel
from fewlabels.networks.unet import UNet

CLASSES = ("a", "b", "c")
#: Latent features of :func:`small_encoder`.
LATENT = 6


def small_encoder(std: float = 0.2) -> ConvolutionalEncoder:
    normalisation = Normalisation((0.3, 0.5, 0.7), (std, 0.3, 0.4))
    return ConvolutionalEncoder([4, 8], LATENT, SIDE, normalisation)


def model_of(*encoders: Encoder, head: nn.Module | None = None, **changes: object) -> TrainedModel:
    """A classifier as if it had been loaded from ``model.pt``; its encoders are frozen."""
    for encoder in encoders:
        encoder.open_blocks([])
    named = {f"encoder{place}": encoder for place, encoder in enumerate(encoders)}
    network = Classifier(named, len(CLASSES), head).eval()
    model = TrainedModel(
        path=Path("model.pt"),
        name="model",
        network=network,
        classes=CLASSES,
        size=SIDE,
        resize="stretch",
        normalisations={name: encoder.normalisation for name, encoder in named.items()},
        intensities=None,
        views=(0,),
        masks=None,
        masked_tests=False,
        temperature=0.7,
        calibration="",
        arm=None,
        target=None,
        fraction=None,
        replicate=None,
        metadata={},
    )
    return replace(model, **changes)


def tiny_vgg(*_: object, **__: object) -> nn.Module:
    """torchvision's VGG with few channels: it averages maps to 7 x 7, whatever the image's size."""
    network = VGG(make_layers([4, "M", 8, "M", 8, "M"], batch_norm=False))
    network.classifier = nn.Sequential(
        nn.Linear(8 * 49, 8), nn.ReLU(True), nn.Dropout(), nn.Linear(8, 1000)
    )
    return network


class Threshold(nn.Module):
    """A network of masks that is exported quickly: one convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Conv2d(3, 1, 1)
        nn.init.zeros_(self.head.bias)

    def forward(self, images):
        return self.head(images - 0.5).squeeze(1)


@pytest.fixture(autouse=True)
def _drawn_alike():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def exported() -> tuple[TrainedModel, onnx.ModelProto]:
    torch.manual_seed(0)
    model = model_of(small_encoder())
    return model, onnx_graph.make_graph(model)


@pytest.mark.parametrize(
    "name",
    ["test_resnet", "test_efficientnet", "test_vit", "test_convnext"],
)
def test_networks_of_timm(name):
    model = model_of(Backbone(f"timm/{name}", SIDE), views=(0, 5))
    graph = onnx_graph.make_graph(model).SerializeToString()
    assert onnx_graph.check_parity(model, graph) < 1e-5


def test_vgg(monkeypatch):
    monkeypatch.setattr(backbones, "build_model", tiny_vgg)
    model = model_of(Backbone("torchvision/vgg16", SIDE))
    graph = onnx_graph.make_graph(model).SerializeToString()
    assert onnx_graph.check_parity(model, graph) < 1e-5


def test_several_encoders_each_with_a_normalisation_of_its_own():
    model = model_of(small_encoder(0.2), small_encoder(0.05), views=tuple(range(8)))
    graph = onnx_graph.make_graph(model).SerializeToString()
    assert onnx_graph.check_parity(model, graph) < 1e-5
    # Each of them counts, and so does every view.
    swapped = model_of(*reversed(list(model.network.named_encoders().values())), views=model.views)
    swapped.network.head.load_state_dict(model.network.head.state_dict())
    with pytest.raises(UserError, match="differ by"):
        onnx_graph.check_parity(swapped, graph)
    with pytest.raises(UserError, match="differ by"):
        onnx_graph.check_parity(replace(model, views=(0, 1, 2, 3)), graph)


@pytest.mark.parametrize("kind", ["logistic", "neighbours"])
def test_light_classifiers(kind):
    features, labels = torch.randn(9, LATENT), torch.arange(9) % 3
    head = LogisticHead(LATENT, 3) if kind == "logistic" else NeighboursHead(features, labels, 4, 3)
    model = model_of(small_encoder(), head=head, views=(0, 4))
    graph = onnx_graph.make_graph(model).SerializeToString()
    assert onnx_graph.check_parity(model, graph) < 1e-5


def test_of_equally_near_images_the_first_counts():
    """As many neighbours are alike as there are images, and fewer are asked for."""
    features = torch.ones(6, LATENT)
    head = NeighboursHead(features, torch.tensor([2, 2, 0, 0, 1, 1]), 2, 3)
    model = model_of(small_encoder(), head=head, temperature=None)
    graph = onnx_graph.make_graph(model).SerializeToString()
    images = onnx_graph.trial_images(SIDE, 2)
    # Two votes for the last class, and one for each by Laplace.
    np.testing.assert_allclose(
        onnx_graph.predicted_by_onnx(graph, images), [[0.2, 0.2, 0.6]] * 2, atol=1e-6
    )


@pytest.mark.parametrize(
    ("make_network", "use", "size"),
    [(lambda: UNet(8), "replace", 16), (Threshold, "channel", SIDE), (Threshold, "channel", 64)],
)
def test_predicted_masks_are_inside(make_network, use, size):
    """Those of a network that works at another size than the images have, too."""
    network = make_network().eval()
    masks = SeenMasks(use, 0.0, network, size, Path("masks.pt"))
    encoder = small_encoder()
    if use == "channel":
        add_mask_channel(encoder)
        with torch.no_grad():
            first = encoder.get_submodule("conv1.0")
            first.weight[:, 3] = 1.0
    model = model_of(encoder, masks=masks, views=(0, 1))
    inside = onnx_graph.make_graph(model)
    graph = inside.SerializeToString()
    assert onnx_graph.check_parity(model, graph) < 1e-5
    # Other masks make other probabilities: of the whole image, say.
    with torch.no_grad():
        network.head.bias.fill_(1000.0)
    with pytest.raises(UserError, match="differ by"):
        onnx_graph.check_parity(model, graph)


def test_an_image_without_foreground_stays_as_it_is():
    network = Threshold().eval()
    with torch.no_grad():
        network.head.weight.zero_()
        network.head.bias.fill_(-1.0)
    masks = SeenMasks("replace", 0.0, network, SIDE, Path("masks.pt"))
    model = model_of(small_encoder(), masks=masks)
    graph = onnx_graph.make_graph(model).SerializeToString()
    images = onnx_graph.trial_images(SIDE, 2)
    expected = onnx_graph.predicted_by_torch(replace(model, masks=None), images)
    np.testing.assert_allclose(onnx_graph.predicted_by_onnx(graph, images), expected, atol=1e-5)


def test_what_a_graph_cannot_do_is_one_line():
    network = Threshold().eval()
    cropped = SeenMasks("crop", 0.1, network, SIDE, Path("masks.pt"))
    with pytest.raises(
        UserError, match=r"model\.pt sees images cropped .* use scripts/predict\.py"
    ):
        onnx_graph.make_graph(model_of(small_encoder(), masks=cropped))
    lost = SeenMasks("replace", 0.0, None, 0, Path("masks.pt"))
    with pytest.raises(UserError, match=r"masks\.pt does not exist.* --mask-network"):
        onnx_graph.make_graph(model_of(small_encoder(), masks=lost))


def test_too_large_a_model_is_one_line(monkeypatch):
    monkeypatch.setattr(onnx_graph, "LARGEST", 1000)
    with pytest.raises(UserError, match=r"model\.pt has .* GiB of weights"):
        onnx_graph.make_graph(model_of(small_encoder()))


def test_what_the_exporter_refuses_is_one_line(monkeypatch):
    class Unknown(ConvolutionalEncoder):
        def tail(self, activations):
            raise RuntimeError("no such\noperator")

    encoder = Unknown([4, 8], LATENT, SIDE)
    with pytest.raises(UserError, match=r"model\.pt can't be exported to ONNX") as told:
        onnx_graph.make_graph(model_of(encoder))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_batches_of_any_size(exported, count):
    model, proto = exported
    images = onnx_graph.trial_images(SIDE, count)
    found = onnx_graph.predicted_by_onnx(proto.SerializeToString(), images)
    assert found.shape == (count, len(CLASSES))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(found, onnx_graph.predicted_by_torch(model, images), atol=1e-6)


def test_normalisation_and_temperature_are_inside(exported):
    """By hand, from the pixels on."""
    model, proto = exported
    (encoder,) = model.network.named_encoders().values()
    images = onnx_graph.trial_images(SIDE, 3)
    colours = (images / 255 - np.array([0.3, 0.5, 0.7])) / np.array([0.2, 0.3, 0.4])
    with torch.no_grad():
        features = encoder(torch.from_numpy(colours.astype(np.float32)).permute(0, 3, 1, 2))
        expected = (model.network.head(features) / 0.7).softmax(1).numpy()
    found = onnx_graph.predicted_by_onnx(proto.SerializeToString(), images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_file_says_what_it_is(exported):
    _, proto = exported
    onnx.checker.check_model(proto, full_check=True)
    assert [entry.version for entry in proto.opset_import if not entry.domain] == [onnx_graph.OPSET]
    (images,), (probabilities,) = proto.graph.input, proto.graph.output
    assert (images.name, images.type.tensor_type.elem_type) == ("images", onnx.TensorProto.UINT8)
    sides = images.type.tensor_type.shape.dim
    assert sides[0].dim_param
    assert [side.dim_value for side in sides[1:]] == [SIDE, SIDE, 3]
    assert probabilities.name == "probabilities"


def test_no_path_of_this_machine_is_in_it(exported):
    content = exported[1].SerializeToString()
    assert str(REPOSITORY).encode() not in content
    assert b".py" not in content


def test_other_weights_are_noticed(exported):
    """The comparison is able to fail: by a weight that is a little off, and by probabilities that are no numbers."""
    model, proto = exported
    content = proto.SerializeToString()
    assert onnx_graph.check_parity(model, content) < 1e-6
    (encoder,) = model.network.named_encoders().values()
    kept = encoder.latent.weight.detach().clone()
    for change in (1.01, float("nan")):
        try:
            with torch.no_grad():
                encoder.latent.weight.mul_(change)
            with pytest.raises(UserError, match=r"model\.pt: probabilities .* differ by"):
                onnx_graph.check_parity(model, content)
        finally:
            with torch.no_grad():
                encoder.latent.weight.copy_(kept)


def test_other_weights_are_noticed_where_all_answers_are_sure():
    """Probabilities are 0 and 1 to eight digits, before and after."""
    model = model_of(small_encoder(), temperature=1.0)
    with torch.no_grad():
        model.network.head.weight.mul_(0.01)
        model.network.head.bias.copy_(torch.tensor([0.0, 20.0, 45.0]))
    content = onnx_graph.make_graph(model).SerializeToString()
    assert onnx_graph.check_parity(model, content) <= onnx_graph.TOLERANCE
    with pytest.raises(UserError, match=r"logarithms of probabilities .* differ by"):
        onnx_graph.check_parity(replace(model, temperature=1.01), content)
