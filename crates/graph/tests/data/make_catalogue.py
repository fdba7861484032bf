"""Writes catalogue.json: the networks of the catalogue as PyTorch builds and runs them.

    pip install torch==2.15.0 torchvision==0.29.2 && python make_catalogue.py > catalogue.json

Networks come from torchvision where it has them; the others (MobileNetV1, ShuffleNetV1, the 3-D ResNets of Hara et al.) are
written here from their papers. Everything runs on the `meta` device, so nothing is computed or downloaded.

For each network:

    parameters   sum of numel() of all trained parameters
    macs         multiply-accumulates of one input, from forward hooks on convolutions and linear layers
    published    billions of multiply-accumulates in the metadata of torchvision's weights
    operations   how many joins, pools, activations, shuffles and splits of each kind the traced graph has
    other        parameters and macs with 10 classes, of an odd input (97 × 131, or 9 × 61 × 83)
    layers       rows [name, kind, inputs, outputs, kernel, stride, padding, groups, bias, output shape, reads] of convolutions
                 and linear layers, [name, kind, parameters, reads] of normalisations and layer scales; `reads` lists the
                 rows that a layer's input comes from, through operations without parameters (-1: the network's input); it
                 is left out where that is the row before
"""

import json
import operator
from collections import Counter

import torch
import torch.nn.functional as F
import torchvision
from torch import fx, nn


# -------------------------------------------------- networks that torchvision lacks


def unit(inputs, outputs, kernel, stride=1, groups=1):
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class MobileNetV1(nn.Module):
    """Howard et al. 2017 (arXiv:1704.04861), table 1."""

    def __init__(self, num_classes=1000):
        super().__init__()
        rows = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]
        layers, width = [unit(3, 32, 3, 2)], 32
        for outputs, stride in rows:
            layers.append(nn.Sequential(unit(width, width, 3, stride, groups=width), unit(width, outputs, 1)))
            width = outputs
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(width, num_classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.avgpool(self.features(x)), 1))


class Shuffle(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        return torch.channel_shuffle(x, self.groups)


class ShuffleUnit(nn.Module):
    """Zhang et al. 2018 (arXiv:1707.01083), figure 2 (b) and (c)."""

    def __init__(self, inputs, outputs, stride, groups, first_groups):
        super().__init__()
        self.stride = stride
        middle = outputs // 4
        branch = outputs - inputs if stride == 2 else outputs
        self.conv1 = nn.Conv2d(inputs, middle, 1, groups=first_groups, bias=False)
        self.bn1 = nn.BatchNorm2d(middle)
        self.relu1 = nn.ReLU()
        self.shuffle = Shuffle(groups) if groups > 1 else nn.Identity()
        self.conv2 = nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = nn.Conv2d(middle, branch, 1, groups=groups, bias=False)
        self.bn3 = nn.BatchNorm2d(branch)
        self.pool = nn.AvgPool2d(3, 2, 1) if stride == 2 else None
        self.relu = nn.ReLU()

    def forward(self, x):
        y = self.shuffle(self.relu1(self.bn1(self.conv1(x))))
        y = self.bn3(self.conv3(self.bn2(self.conv2(y))))
        y = x + y if self.pool is None else torch.cat([self.pool(x), y], 1)
        return self.relu(y)


class ShuffleNetV1(nn.Module):
    """Zhang et al. 2018, table 1."""

    def __init__(self, groups, num_classes=1000):
        super().__init__()
        width = {1: 144, 2: 200, 3: 240, 4: 272, 8: 384}[groups]
        self.conv1 = unit(3, 24, 3, 2)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        inputs = 24
        for stage, units in ((2, 4), (3, 8), (4, 4)):
            layers = []
            for i in range(units):
                # "we do not apply group convolution on the first pointwise layer" of stage 2
                first = 1 if (stage, i) == (2, 0) else groups
                layers.append(ShuffleUnit(inputs, width, 2 if i == 0 else 1, groups, first))
                inputs = width
            setattr(self, f"stage{stage}", nn.Sequential(*layers))
            width *= 2
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, num_classes, bias=False)  # as the implementation of the authors

    def forward(self, x):
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Residual3d(nn.Module):
    """Basic block or bottleneck of Hara et al. 2018 (arXiv:1711.09577), figure 3, with shortcuts of type B."""

    def __init__(self, inputs, planes, stride, bottleneck):
        super().__init__()
        outputs = 4 * planes if bottleneck else planes
        sizes = [(1, 1), (3, stride), (1, 1)] if bottleneck else [(3, stride), (3, 1)]
        width = inputs
        self.depth = len(sizes)
        for i, (kernel, step) in enumerate(sizes, 1):
            to = outputs if i == self.depth else planes
            setattr(self, f"conv{i}", nn.Conv3d(width, to, kernel, step, kernel // 2, bias=False))
            setattr(self, f"bn{i}", nn.BatchNorm3d(to))
            width = to
        self.relu = nn.ReLU()
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs))

    def forward(self, x):
        y = x
        for i in range(1, self.depth + 1):
            y = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(y))
            y = self.relu(y) if i < self.depth else y
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet3d(nn.Module):
    """Hara et al. 2018, table 1."""

    def __init__(self, blocks, bottleneck, num_classes=400):
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(64)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        inputs = 64
        for stage, count in enumerate(blocks):
            layers = []
            for i in range(count):
                planes = 64 << stage
                layers.append(Residual3d(inputs, planes, 2 if stage and i == 0 else 1, bottleneck))
                inputs = 4 * planes if bottleneck else planes
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.avgpool = nn.AdaptiveAvgPool3d(1)
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


OWN = {"mobilenet_v1": MobileNetV1}
OWN |= {f"shufflenet_v1_g{g}": lambda g=g, **k: ShuffleNetV1(g, **k) for g in (1, 2, 3, 4, 8)}
DEPTHS = {18: [2, 2, 2, 2], 34: [3, 4, 6, 3], 50: [3, 4, 6, 3], 101: [3, 4, 23, 3], 152: [3, 8, 36, 3], 200: [3, 24, 36, 3]}
OWN |= {f"resnet3d_{d}": lambda d=d, **k: ResNet3d(DEPTHS[d], d >= 50, **k) for d in DEPTHS}

TORCHVISION = """
alexnet vgg11 vgg11_bn vgg13 vgg13_bn vgg16 vgg16_bn vgg19 vgg19_bn squeezenet1_0 squeezenet1_1
resnet18 resnet34 resnet50 resnet101 resnet152 resnext50_32x4d resnext101_32x8d resnext101_64x4d
wide_resnet50_2 wide_resnet101_2 densenet121 densenet161 densenet169 densenet201
mobilenet_v2 mobilenet_v3_large mobilenet_v3_small
shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0
efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5 efficientnet_b6 efficientnet_b7
convnext_tiny convnext_small convnext_base convnext_large r3d_18 mc3_18 r2plus1d_18
""".split()

# Sizes that differ from 224 × 224, as the weights' metadata were measured.
SIZES = {
    "efficientnet_b1": 240,
    "efficientnet_b2": 288,
    "efficientnet_b3": 300,
    "efficientnet_b4": 380,
    "efficientnet_b5": 456,
    "efficientnet_b6": 528,
    "efficientnet_b7": 600,
}

# Of these the layers are left out of the file, to keep it small: deeper or wider than another network of the same code.
TOTALS_ONLY = """
vgg11 vgg13 vgg13_bn vgg19 vgg19_bn vgg11_bn resnet101 resnet152 resnext101_32x8d resnext101_64x4d wide_resnet101_2
densenet161 densenet169 densenet201 efficientnet_b1 efficientnet_b2 efficientnet_b3 efficientnet_b4 efficientnet_b5
efficientnet_b6 efficientnet_b7 convnext_small convnext_base convnext_large resnet3d_101 resnet3d_152 resnet3d_200
""".split()

# -------------------------------------------------- tracing


class Tracer(fx.Tracer):
    """Modules without children are single operations, whatever package they come from."""

    def is_leaf_module(self, module, name):
        return not any(True for _ in module.children())


FUNCTIONS = {
    operator.add: "add",
    operator.iadd: "add",
    operator.mul: "multiply",
    torch.cat: "concat",
    torch.relu: "relu",
    F.relu: "relu",
    F.adaptive_avg_pool2d: "average",
    torch.transpose: "shuffle",
}
POOLS = {nn.MaxPool2d: "max", nn.MaxPool3d: "max", nn.AvgPool2d: "average"}
POOLS |= {nn.AdaptiveAvgPool2d: "average", nn.AdaptiveAvgPool3d: "average"}
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid, nn.Sigmoid)
CONVS = (nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm2d, nn.BatchNorm3d, nn.LayerNorm)


def build(name, **keys):
    with torch.device("meta"):
        net = OWN[name](**keys) if name in OWN else torchvision.models.get_model(name, **keys)
    return net.eval()


def run(net, sizes):
    """Output shapes of layers, and multiply-accumulates."""
    shapes, macs = {}, 0

    def hook(path):
        def record(module, _, out):
            nonlocal macs
            assert path not in shapes, "a layer used twice"
            shapes[path] = list(out.shape[1:])
            if isinstance(module, CONVS):
                macs += out.numel() * module.weight.numel() // module.out_channels
            else:
                macs += out.numel() * module.in_features

        return record

    for path, module in net.named_modules():
        if isinstance(module, (*CONVS, nn.Linear)):
            module.register_forward_hook(hook(path))
    net(torch.zeros([1, 3, *sizes], device="meta"))
    return shapes, macs


def size(net):
    return sum(p.numel() for p in net.parameters() if p.requires_grad)


def describe(name):
    net, other = build(name), build(name, num_classes=10)
    video = any(isinstance(m, nn.Conv3d) for m in net.modules())
    shapes, macs = run(net, [16, 112, 112] if video else [SIZES.get(name, 224)] * 2)
    _, other_macs = run(other, [9, 61, 83] if video else [97, 131])
    rows, operations = trace(build(name), shapes)
    entry = {
        "parameters": size(net),
        "macs": macs,
        "other": [size(other), other_macs],
        "operations": dict(sorted(operations.items())),
    }
    assert sum(parameters(net, row[0]) for row in rows) == entry["parameters"]
    if name not in OWN:
        entry["published"] = torchvision.models.get_model_weights(name).DEFAULT.meta["_ops"]
    if name not in TOTALS_ONLY:
        entry["layers"] = rows
    return entry


def parameters(net, path):
    found = dict(net.named_parameters())
    return sum(p.numel() for key, p in found.items() if key == path or key.rpartition(".")[0] == path)


def trace(net, shapes):
    """Rows of layers and counts of operations, from the traced graph."""
    modules = dict(net.named_modules())
    rows, operations, source = [], Counter(), {}
    for node in Tracer().trace(net).nodes:
        reads = sorted({row for i in node.all_input_nodes for row in source[i]})
        source[node] = reads
        row = None
        if node.op == "placeholder":
            source[node] = [-1]
        elif node.op == "call_module":
            module = modules[node.target]
            if isinstance(module, (*CONVS, nn.Linear)):
                row = layer(node.target, module, shapes[node.target])
            elif isinstance(module, NORMS):
                kind = "layer" if isinstance(module, nn.LayerNorm) else "batch"
                row = [node.target, kind, parameters(net, node.target)]
            elif type(module) in POOLS:
                operations[POOLS[type(module)]] += 1
            elif isinstance(module, Shuffle):
                operations["shuffle"] += 1
            elif isinstance(module, ACTIVATIONS):
                operations[type(module).__name__.lower()] += 1
        elif node.op == "call_function" and node.target in FUNCTIONS:
            kind = FUNCTIONS[node.target]
            scale = [i for i in node.all_input_nodes if i.op == "get_attr"]
            if kind == "multiply" and scale:
                row = [scale[0].target, "scale", parameters(net, scale[0].target)]
            elif kind != "concat" or len(node.all_input_nodes) > 1:
                operations[kind] += 1
        elif node.op == "call_method" and node.target == "mean":
            operations["average"] += 1
        elif node.op == "call_method" and node.target == "chunk":
            operations["split"] += 2
        if row:
            source[node] = [len(rows)]
            rows.append(row if reads == [len(rows) - 1] else [*row, reads])
    return rows, operations


def layer(path, module, shape):
    if isinstance(module, CONVS):
        kernel, stride, padding = (list(v) for v in (module.kernel_size, module.stride, module.padding))
        assert set(module.dilation) == {1}
        inputs, outputs, groups, kind = module.in_channels, module.out_channels, module.groups, "conv"
    else:
        inputs, outputs, groups, kind = module.in_features, module.out_features, 1, "linear"
        kernel, stride, padding = [], [], []
        if len(shape) == 3:
            # A linear layer on the last mode of a map of channels last is a pointwise convolution of channels first.
            kind, kernel, stride, padding = "conv", [1, 1], [1, 1], [0, 0]
            shape = [shape[2], *shape[:2]]
    bias = int(module.bias is not None)
    return [path, kind, inputs, outputs, kernel, stride, padding, groups, bias, shape]


entries = {name: describe(name) for name in [*TORCHVISION, *OWN]}
lines = []
for name, entry in entries.items():
    layers = entry.pop("layers", None)
    text = json.dumps(entry, separators=(",", ":"))
    if layers:
        table = ",\n".join(json.dumps(row, separators=(",", ":")) for row in layers)
        text = f'{text[:-1]},"layers":[\n{table}]}}'
    lines.append(f'"{name}":{text}')
print("{" + f'"torch":"{torch.__version__}","torchvision":"{torchvision.__version__}","networks":{{')
print(",\n".join(lines) + "}}")
