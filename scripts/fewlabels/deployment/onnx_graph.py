"""A trained classifier as one ONNX graph, from the pixels of square images to calibrated probabilities.

All that depends on the checkpoint is inside: normalisation, predicted masks, the views that probabilities are averaged
over, softmax and temperature. Left to the user is what depends on the file: decoding, and making the image square.
"""

import math
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional

from fewlabels.core.errors import UserError, is_out_of_memory
from fewlabels.deployment.trained_model import SeenMasks, TrainedModel
from fewlabels.networks.encoder import Encoder
from fewlabels.networks.heads import TEMPERATURE, NeighboursHead
from fewlabels.networks.unet import UNet
from fewlabels.training.loop import image_set, predict
from fewlabels.training.masked_pixels import MaskView, held_in_memory
from fewlabels.training.runtime import Runtime
from fewlabels.training.segmentation import predict_masks
from fewlabels.training.stored_rows import stored_rows

#: Version of ONNX's operators; onnxruntime reads it from 1.14 on.
OPSET = 18
INPUT, OUTPUT = "images", "probabilities"
#: Probabilities of onnxruntime and of PyTorch, both in float32, may differ by so much.
TOLERANCE = 1e-4
#: And the logarithms of those that a float32 holds.
LOG_TOLERANCE = 1e-2
SMALLEST = 1e-30
#: Sizes of the batches that both are compared on: one image, and another number than the graph was traced with.
COMPARED = (1, 5)
TRACED = 2
#: An ONNX file holds less than 2 GiB; the graph itself takes little beside its weights.
LARGEST = 2**31 - 2**24


class Neighbours(nn.Module):
    """:class:`NeighboursHead` for the exporter: k is known, and TopK takes the place of a sort of all images.

    Of equal similarities ONNX's TopK takes the first, as the stable sort does.
    """

    features: Tensor
    voted: Tensor

    def __init__(self, head: NeighboursHead) -> None:
        super().__init__()
        self.count = int(head.neighbours)
        self.register_buffer("features", head.features)
        self.register_buffer("voted", functional.one_hot(head.labels, head.classes).float())

    def forward(self, features: Tensor) -> Tensor:
        similarity = functional.normalize(features, dim=1) @ self.features.T
        nearest, places = similarity.topk(self.count)
        weights = ((nearest - nearest[:, :1]) / TEMPERATURE).exp()
        votes = (weights[..., None] * self.voted[places]).sum(1) + 1
        return (votes / votes.sum(1, keepdim=True)).log()


def resizing(start: int, end: int, antialias: bool) -> Tensor:
    """Bilinear resizing of one side as a matrix, float (end, start)."""
    unit = torch.eye(start)[None, None]
    return functional.interpolate(unit, (end, start), mode="bilinear", antialias=antialias)[0, 0]


class PredictedMask(nn.Module):
    """What a classifier sees of an image through its predicted mask, float (n, 3, size, size) in 0 ... 1: background
    black, float (n, 3, size, size), or the mask as a fourth channel.

    Resizing is a product of matrices, as ONNX knows no bilinear one that averages when it reduces.
    """

    reduce: Tensor
    enlarge: Tensor

    def __init__(self, masks: SeenMasks, network: UNet, size: int) -> None:
        super().__init__()
        self.use = masks.use
        self.network = network
        inside = min(masks.size, size)
        self.resized = inside != size
        self.register_buffer("reduce", resizing(size, inside, antialias=True))
        self.register_buffer("enlarge", resizing(inside, size, antialias=False))

    def forward(self, images: Tensor) -> Tensor:
        seen = self.reduce @ images @ self.reduce.T if self.resized else images
        logits = self.network(seen)[:, None]
        if self.resized:
            logits = self.enlarge @ logits @ self.enlarge.T
        mask = (logits > 0).float()
        if self.use == "channel":
            return torch.cat([images, mask], 1)
        empty = mask.amax((1, 2, 3), keepdim=True) == 0
        return images * torch.where(empty, 1, mask)


class ClassifierGraph(nn.Module):
    """Probabilities, float32 (n, classes), of pixels, uint8 RGB (n, size, size, 3) as Pillow gives them.

    Several views are one larger batch, so that the graph holds the network once.

    Args:
        model: all blocks of its encoders are opened, so that no part of them is compiled.
    """

    def __init__(self, model: TrainedModel) -> None:
        super().__init__()
        encoders = model.network.named_encoders()
        for encoder in encoders.values():
            encoder.open_blocks("all")
        self.encoders = nn.ModuleList(encoders.values())
        for place, encoder in enumerate(encoders.values()):
            for kind in ("mean", "std"):
                colours = torch.tensor(getattr(encoder.normalisation, kind))[:, None, None]
                self.register_buffer(f"{kind}{place}", colours)
        head = model.network.head
        self.head = Neighbours(head) if isinstance(head, NeighboursHead) else head
        seen = model.masks
        self.masks = (
            PredictedMask(seen, seen.network, model.size) if seen and seen.network else None
        )
        self.views = model.views
        self.temperature = model.temperature or 1.0

    def _features(self, place: int, encoder: Encoder, images: Tensor) -> Tensor:
        mean, std = self.get_buffer(f"mean{place}"), self.get_buffer(f"std{place}")
        colours = (images[:, :3] - mean) / std
        # A fourth channel is a mask.
        return encoder.tail(
            colours if images.shape[1] == 3 else torch.cat([colours, images[:, 3:]], 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2).float() / 255
        if self.masks is not None:
            pixels = self.masks(pixels)
        count = len(self.views)
        if self.views != (0,):
            pixels = torch.cat([seen_in(pixels, view) for view in self.views])
        encoders = enumerate(cast(Iterable[Encoder], self.encoders))
        features = torch.cat([self._features(n, encoder, pixels) for n, encoder in encoders], 1)
        if isinstance(self.head, nn.Linear):
            # Not its own forward pass, which leaves a lower precision that is not used here.
            logits = functional.linear(features, self.head.weight, self.head.bias)
        else:
            logits = self.head(features)
        logits = logits.log_softmax(1)
        if count > 1:
            logits = logits.unflatten(0, (count, -1)).logsumexp(0) - math.log(count)
        return (logits / self.temperature).softmax(1)


def seen_in(images: Tensor, view: int) -> Tensor:
    """Square images (n, c, size, size) in one view; see :func:`fewlabels.training.augmentation.draw_views`."""
    flipped = images.flip(-1) if view >= 4 else images
    return torch.rot90(flipped, view % 4, (-2, -1)) if view % 4 else flipped


def check_exportable(model: TrainedModel) -> None:
    """Refuse what no ONNX file can do.

    Raises:
        UserError: says what, and what to use in its place.
    """
    if model.masks and model.masks.use == "crop":
        raise UserError(
            f"{model.path} sees images cropped to the largest piece of a predicted mask, which an ONNX graph can't "
            "find: use scripts/predict.py"
        )
    if model.masks and model.masks.network is None:
        raise UserError(
            f"{model.masks.source} does not exist, and {model.path} sees images through the masks that it predicts: "
            "give it as --mask-network"
        )
    size = sum(value.nbytes for value in model.network.state_dict().values())
    if size > LARGEST:
        raise UserError(
            f"{model.path} has {size / 2**30:.1f} GiB of weights, and an ONNX file holds less than 2: "
            "use scripts/predict.py"
        )


def make_graph(model: TrainedModel) -> onnx.ModelProto:
    """Export a classifier, in memory.

    Raises:
        UserError: :func:`check_exportable`, or PyTorch's exporter can't.
    """
    check_exportable(model)
    graph = ClassifierGraph(model).eval()
    shape = (TRACED, model.size, model.size, 3)
    try:
        with torch.no_grad():
            program = torch.onnx.export(
                graph,
                (torch.zeros(shape, dtype=torch.uint8),),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                dynamo=True,
                verbose=False,
            )
    except Exception as error:  # it runs a network's own code on stand-ins: anything may be raised
        if is_out_of_memory(error):
            raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{model.path} can't be exported to ONNX ({type(error).__name__}: {reason}): use scripts/predict.py"
        ) from error
    if program is None:
        raise UserError(f"{model.path} can't be exported to ONNX: use scripts/predict.py")
    proto = program.model_proto
    _forget_source(proto)
    return proto


def _forget_source(proto: onnx.ModelProto) -> None:
    """Take out what the exporter notes of the source code: paths of this machine, in every node."""
    graphs = [proto.graph, *proto.functions]
    del proto.graph.metadata_props[:]
    for graph in graphs:
        for node in graph.node:
            node.doc_string = ""
            del node.metadata_props[:]
        for value in graph.value_info:
            del value.metadata_props[:]
    for values in (proto.graph.input, proto.graph.output, proto.graph.initializer):
        for value in values:
            del value.metadata_props[:]


def describe(proto: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    """Put metadata into a graph, in place of any that it has."""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, dict(metadata))


def trial_images(size: int, count: int) -> np.ndarray:
    """Images to compare two implementations on, uint8 (count, size, size, 3): a colour gradient each, with noise."""
    generator = np.random.default_rng(0)
    ramp = np.linspace(0, 1, size)
    rows, columns = ramp[:, None, None], ramp[None, :, None]
    corners = generator.uniform(0, 255, (count, 3, 1, 1, 3))
    plain = corners[:, 0] * rows + corners[:, 1] * columns + corners[:, 2] * (1 - rows)
    noise = generator.normal(0, 20, (count, size, size, 3))
    return np.clip(plain + noise, 0, 255).astype(np.uint8)


def predicted_by_torch(model: TrainedModel, images: np.ndarray) -> np.ndarray:
    """Probabilities as the workflow itself predicts them, on the CPU in float32: float (n, classes).

    Args:
        images: uint8 (n, size, size, 3).
    """
    runtime = Runtime(torch.device("cpu"), torch.float32, torch.get_num_threads())
    pixels = stored_rows([images], range(len(images)), runtime.device)
    if model.masks and model.masks.network is not None:
        names = [str(place) for place in range(len(images))]
        masks = predict_masks(model.masks.network, images, model.masks.size, runtime)
        view = MaskView(held_in_memory(names, masks), model.masks.use, model.masks.crop_margin)
        pixels = view.of(pixels, names)
    no_labels = np.zeros(len(images), dtype=np.int64)
    shown = image_set(pixels, no_labels, runtime, views=model.views)
    logits = predict(model.network, shown, runtime).log_softmax(1)
    return (logits / (model.temperature or 1.0)).softmax(1).numpy()


def predicted_by_onnx(content: bytes, images: np.ndarray, threads: int = 1) -> np.ndarray:
    """Probabilities by onnxruntime, on the CPU: float32 (n, classes).

    Args:
        content: of an ONNX file.
        images: uint8 (n, size, size, 3).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run([OUTPUT], {INPUT: images})[0]


def check_parity(model: TrainedModel, content: bytes) -> float:
    """Compare an exported file with the workflow's own predictions, in batches of several sizes.

    Where the network is sure, all probabilities are nearly 0 or 1, whatever its weights: their logarithms are compared,
    too.

    Returns:
        The largest difference of any probability.

    Raises:
        UserError: it is above :data:`TOLERANCE`, or that of a logarithm above :data:`LOG_TOLERANCE`, or no number.
    """
    images = np.split(trial_images(model.size, sum(COMPARED)), np.cumsum(COMPARED)[:-1])
    found = np.concatenate([predicted_by_onnx(content, batch) for batch in images])
    expected = np.concatenate([predicted_by_torch(model, batch) for batch in images])
    difference = float(np.abs(found - expected).max())
    of_logarithms = float(np.abs(_logarithms(found) - _logarithms(expected)).max())
    for what, value, allowed in (
        ("probabilities", difference, TOLERANCE),
        ("logarithms of probabilities", of_logarithms, LOG_TOLERANCE),
    ):
        if not value <= allowed:  # no number is not, either
            raise UserError(
                f"{model.path}: {what} of the ONNX graph differ by {value:.2g} from PyTorch's, more than "
                f"{allowed:g}: use scripts/predict.py, and report the network"
            )
    return difference


def _logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(probabilities, SMALLEST))
