"""Reference for tests/safetensors_file.rs: names.json. Needs torch, torchvision, timm (no weights are fetched).

For each network: names and shapes of its state dict, and, from a torch.fx trace, each convolution and linear layer with its
groups and what it reads: the nearest layer, sum ("add"), product ("mul") or concatenation ("cat") before it, with
normalisation, activations, pools and reshapes left out.
"""
import json
import operator
from pathlib import Path

import timm
import torch
import torchvision
from torch import fx, nn

HERE = Path(__file__).parent
JOINS = {
    operator.add: "add", operator.iadd: "add", torch.add: "add", operator.mul: "mul", operator.imul: "mul", torch.mul: "mul",
    torch.cat: "cat",
}


class Tracer(fx.Tracer):
    def is_leaf_module(self, module, name):
        if isinstance(module, (nn.Sequential, nn.ModuleDict, nn.ModuleList)):
            return False
        return module.__module__.startswith("torch.nn") or type(module).__name__ in (
            "BatchNormAct2d", "LayerNorm2d", "LayerNorm", "SelectAdaptivePool2d", "StochasticDepth", "DropPath", "Dropout",
        )


def layers(model):
    graph = Tracer().trace(model)
    modules = dict(model.named_modules())
    source, out = {}, {}
    for node in graph.nodes:
        inputs = [n for n in node.all_input_nodes if n.op != "get_attr" and n in source]
        module = modules.get(node.target) if node.op == "call_module" else None
        if node.op == "placeholder":
            source[node] = "input"
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            out[node.target] = [getattr(module, "groups", 1), source[inputs[0]]]
            source[node] = node.target
        elif node.op in ("call_function", "call_method") and len(inputs) > 1 and JOINS.get(node.target):
            source[node] = JOINS[node.target]
        elif node.target is torch.cat and inputs:
            # One tensor alone is what it was (the first layer of a dense block).
            source[node] = source[inputs[0]]
        elif inputs:
            source[node] = source[inputs[0]]
    return out


networks = {}
for library, make, names in [
    ("torchvision", lambda n: torchvision.models.get_model(n, weights=None),
     ["resnet18", "resnext50_32x4d", "vgg11_bn", "mobilenet_v2", "mobilenet_v3_small", "densenet121", "convnext_tiny"]),
    ("timm", lambda n: timm.create_model(n), ["resnet26d", "seresnet50", "mobilenetv2_100", "efficientnet_b0"]),
]:
    for name in names:
        model = make(name).eval()
        networks[f"{library} {name}"] = {
            "tensors": [[k, list(v.shape)] for k, v in model.state_dict().items() if v.ndim > 0],
            "parameters": sum(p.numel() for p in model.parameters()),
            "layers": layers(model),
        }
        print(library, name, len(networks[f"{library} {name}"]["layers"]))
(HERE / "names.json").write_text(json.dumps(networks, separators=(",", ":")) + "\n")
