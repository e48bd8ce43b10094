"""Cutting a network between two blocks: what comes before is computed once where it is frozen.

The network's own forward pass is traced, with its blocks as units, and its graph split in two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from timm.layers import DropPath, PatchDropout
from torch import Tensor, fx, nn
from torch.nn.modules.dropout import _DropoutNd
from torchvision.ops import StochasticDepth

from fewlabels.core.errors import is_out_of_memory

#: A part of a network: called with a module whose attribute ``body`` is the network, and the part's input.
Part = Callable[[nn.Module, Tensor], Tensor]


class Holder(nn.Module):
    """Stands for the encoder during the trace: its forward pass takes images and nothing else."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, images: Tensor) -> Tensor:
        return self.body(images)


class BlockTracer(fx.Tracer):
    """Looks into the opened modules only."""

    def __init__(self, opened: set[str]) -> None:
        super().__init__()
        self.opened = {f"body.{path}" if path else "body" for path in opened}

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return module_qualified_name not in self.opened


@dataclass(frozen=True)
class Cut:
    """A network in two parts.

    Attributes:
        blocks: how many blocks lie in the first part.
        plain_modules: paths in the network of the first part's modules that belong to no block.
    """

    blocks: int
    prefix: Part
    tail: Part
    plain_modules: tuple[str, ...]


def is_random(module: nn.Module) -> bool:
    """Whether a module draws random numbers in training mode."""
    for part in module.modules():
        match part:
            case _DropoutNd(p=p) | StochasticDepth(p=p) | DropPath(drop_prob=p):
                if p:
                    return True
            case PatchDropout(prob=p) if p:
                return True
    return False


class BlockGraph:
    """A network's forward pass as a graph of its blocks and of what lies between them.

    Attributes:
        blocks: names in the order of their first use.
    """

    def __init__(self, body: nn.Module, graph: fx.Graph, blocks: Sequence[str]) -> None:
        self.body = [body]  # in a list: no submodule of anything
        self.nodes = [node for node in graph.nodes if node.op != "output"]
        self.result = next(node for node in graph.nodes if node.op == "output").args[0]
        owners = {node: self._owner(node, blocks) for node in self.nodes}
        first: dict[str, int] = {}
        for place, node in enumerate(self.nodes):
            first.setdefault(owners[node] or "", place)
        end = len(self.nodes)
        self.blocks = sorted(blocks, key=lambda block: first.get(block, end))
        self.first_use = [first.get(block, end) for block in self.blocks]
        self.owners = owners

    @staticmethod
    def _owner(node: fx.Node, blocks: Sequence[str]) -> str | None:
        if node.op not in ("call_module", "get_attr"):
            return None
        path = str(node.target).removeprefix("body.")
        return next((b for b in blocks if path == b or path.startswith(f"{b}.")), None)

    def _module(self, node: fx.Node) -> str | None:
        """Path of the module without parameters that a node calls."""
        if node.op != "call_module" or self.owners[node]:
            return None
        return str(node.target).removeprefix("body.")

    def cut(self, frozen: int) -> Cut | None:
        """Cut behind the leading ``frozen`` blocks, or behind fewer where one tensor is not all that crosses.

        What follows a block belongs to it, up to the next block or the first dropout.
        """
        for blocks in range(frozen, 0, -1):
            place = self._place(blocks)
            crossing = self._crossing(place)
            if len(crossing) == 1 and crossing[0].op != "placeholder":
                plain = [self._module(node) for node in self.nodes[:place]]
                return Cut(
                    blocks,
                    self._part(self.nodes[:place], None, crossing[0]),
                    self._part(self.nodes[place:], crossing[0], self.result),
                    tuple(path for path in plain if path),
                )
        return None

    def _place(self, blocks: int) -> int:
        """Where the nodes behind the leading blocks begin."""
        end = self.first_use[blocks] if blocks < len(self.blocks) else len(self.nodes)
        place = end
        while place and not self.owners[self.nodes[place - 1]]:
            place -= 1
            path = self._module(self.nodes[place])
            if path and is_random(self.body[0].get_submodule(path)):
                end = place
        return end

    def _overwrites(self, node: fx.Node) -> bool:
        """Whether a node works in place, and would change activations that are kept."""
        path = self._module(node)
        module = self.body[0].get_submodule(path) if path else None
        return bool(getattr(module, "inplace", False) or node.kwargs.get("inplace"))

    def _crossing(self, place: int) -> list[fx.Node]:
        """Computed values from before ``place`` that are used from there on."""
        later = set(self.nodes[place:])
        return [
            node
            for node in self.nodes[:place]
            if node.op != "get_attr"
            and (node is self.result or any(user in later for user in node.users))
        ]

    def _part(self, nodes: Sequence[fx.Node], start: fx.Node | None, result: Any) -> Part:
        """Compile some nodes; ``start``: the value that they are given, None for the network's input."""
        graph = fx.Graph()
        copies: dict[fx.Node, fx.Node] = {}
        if start is not None:
            copies[start] = graph.placeholder("activations")
            if any(self._overwrites(user) for user in start.users):
                copies[start] = graph.call_method("clone", (copies[start],))

        def copy(node: fx.Node) -> fx.Node:
            if node not in copies:  # a parameter that was read before
                copies[node] = graph.node_copy(node, copy)
            return copies[node]

        for node in nodes:
            copy(node)
        graph.output(fx.node.map_arg(result, copy))
        # Only the function is kept, so that parameters are found where the encoder has them now.
        return type(fx.GraphModule(Holder(self.body[0]), graph)).forward


def trace(body: nn.Module, blocks: Sequence[str], opened: set[str]) -> BlockGraph | None:
    """The graph of a network; None where it can't be traced or its own code asks for the training mode."""
    modes = {path: module.training for path, module in body.named_modules()}
    graphs = []
    try:
        for mode in (True, False):
            body.train(mode)
            graphs.append(BlockTracer(opened).trace(Holder(body)))
    except Exception as error:  # tracing runs foreign code on stand-ins: anything may be raised
        if is_out_of_memory(error):
            raise
        return None
    finally:
        for path, module in body.named_modules():
            module.training = modes[path]
    training, evaluation = (graph.python_code("self").src for graph in graphs)
    known = {name for name, _ in body.named_parameters()} | {n for n, _ in body.named_buffers()}
    read = {str(n.target).removeprefix("body.") for n in graphs[0].nodes if n.op == "get_attr"}
    if training != evaluation or not read <= known:  # a constant would stay on its device
        return None
    return BlockGraph(body, graphs[0], blocks)
