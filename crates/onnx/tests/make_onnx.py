"""Makes ONNX files with PyTorch and what PyTorch says of them, for tests/onnx_files.rs.

    python make_onnx.py small DIR    the small files of tests/data/onnx (torch, onnx)
    python make_onnx.py big DIR      torchvision's networks with random weights, by both exporters (torch, torchvision, onnxscript)

Each line of DIR/expected.tsv: file, trained parameters (sum of p.numel()), multiply-accumulates of convolutions and linear
layers (hooks; none where a network calls linear as a function), number of convolutions, all multiply-accumulates (half of
what PyTorch's FlopCounterMode counts; none for recurrent layers, which it doesn't know), input.
"""

import os
import sys
import warnings

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

warnings.filterwarnings("ignore")
# The fused attention of inference is one that the counter doesn't know.
torch.backends.mha.set_fastpath_enabled(False)


def count(model, x):
    """Parameters, multiply-accumulates and number of convolutions, as PyTorch's modules tell."""
    macs, convolutions = 0, 0

    def hook(module, inputs, output):
        nonlocal macs, convolutions
        if isinstance(module, nn.Linear):
            macs += output.numel() * module.in_features
        else:
            convolutions += 1
            moved = inputs[0] if module.transposed else output
            channels = module.out_channels if module.transposed else module.in_channels
            macs += moved.numel() * channels // module.groups * module.weight[0, 0].numel()

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
    hooks = [m.register_forward_hook(hook) for m in model.modules() if isinstance(m, kinds)]
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        model(x)
    for h in hooks:
        h.remove()
    if any(isinstance(m, nn.MultiheadAttention) or "Attention" in type(m).__name__ for m in model.modules()):
        macs = ""
    recurrent = any(isinstance(m, nn.RNNBase) for m in model.modules())
    return sum(p.numel() for p in model.parameters()), macs, convolutions, "" if recurrent else flops.get_total_flops() // 2


def export(model, x, path, *, dynamo=False, opset=17, keep=True, symbolic=False, wide=False):
    model.eval()
    options = {}
    if symbolic:
        axes = {0: "batch"}
        if wide:
            axes |= {2: "height", 3: "width"}
        options["dynamic_axes"] = {"x": axes}
    if dynamo:
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, input_names=["x"], verbose=False, optimize=not keep)
        return
    torch.onnx.export(
        model, (x,), path, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"],
        training=torch.onnx.TrainingMode.PRESERVE if keep else torch.onnx.TrainingMode.EVAL,
        do_constant_folding=not keep, **options)


class Shuffle(nn.Module):
    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).contiguous().view(n, c, h, w)


class Residual(nn.Module):
    """A bottleneck, a depthwise block with squeeze and excitation, a shuffle."""

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4), nn.ReLU(),
                               nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False), nn.BatchNorm2d(4), nn.ReLU6(),
                               nn.Conv2d(4, 8, 1), nn.BatchNorm2d(8))
        self.squeeze = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 2, 1), nn.SiLU(), nn.Conv2d(2, 8, 1), nn.Sigmoid())
        self.shuffle = Shuffle(2)
        self.stem = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stem(x)
        y = self.a(x)
        y = y * self.squeeze(y)
        x = self.shuffle(nn.functional.hardswish(x + y))
        return self.head(nn.functional.gelu(x.mean((2, 3))))


class Sequence(nn.Module):
    """Layer norm, a linear layer on three modes, attention, an LSTM."""

    def __init__(self):
        super().__init__()
        self.place = nn.Parameter(torch.randn(1, 6, 8))
        self.norm = nn.LayerNorm(8)
        self.up = nn.Linear(8, 12)
        self.down = nn.Linear(12, 8, bias=False)
        self.lstm = nn.LSTM(8, 4, batch_first=True, bidirectional=True)

    def forward(self, x):
        x = x + self.place
        x = x + self.down(nn.functional.gelu(self.up(self.norm(x))))
        x = torch.softmax(x @ x.transpose(1, 2), dim=-1) @ x
        return self.lstm(x)[0]


class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv3d(3, 4, (3, 3, 3), padding=1), nn.GroupNorm(2, 4), nn.PReLU(4),
                                 nn.MaxPool3d(2), nn.Conv3d(4, 6, (3, 1, 1), dilation=(2, 1, 1), padding=(2, 0, 0)),
                                 nn.ConvTranspose3d(6, 3, 2, stride=2), nn.Mish(), nn.Flatten(), nn.LazyLinear(2))

    def forward(self, x):
        return self.net(x)


def small(folder, write):
    torch.manual_seed(20201122)
    image = torch.randn(1, 3, 32, 32)
    write("residual.onnx", Residual(), image)
    write("residual-opset9.onnx", Residual(), image, opset=9)
    write("residual-symbolic.onnx", Residual(), torch.randn(1, 3, 224, 224), symbolic=True, wide=True)
    write("residual-dynamo.onnx", Residual(), image, dynamo=True)
    write("sequence.onnx", Sequence(), torch.randn(1, 6, 8))
    write("sequence-opset11.onnx", Sequence(), torch.randn(1, 6, 8), opset=11)
    volume = Volume()
    volume(torch.randn(1, 3, 4, 8, 8))
    write("volume.onnx", volume, torch.randn(1, 3, 4, 8, 8))


def big(folder, write):
    from torchvision import models
    image = torch.randn(1, 3, 224, 224)
    video = torch.randn(1, 3, 16, 112, 112)
    names = sys.argv[3:] or ["resnet18", "resnet50", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_large",
                             "shufflenet_v2_x1_0", "efficientnet_b0", "densenet121", "squeezenet1_1", "vgg16", "alexnet",
                             "convnext_tiny", "r3d_18", "r2plus1d_18", "regnet_y_400mf", "vit_b_16", "swin_t"]
    for name in names:
        torch.manual_seed(1)
        is_video = name in ("r3d_18", "r2plus1d_18")
        model = (getattr(models.video, name) if is_video else getattr(models, name))(weights=None)
        x = video if is_video else image
        write(f"{name}.onnx", model, x)
        write(f"{name}-folded.onnx", model, x, keep=False, opset=13, folded=True)
        write(f"{name}-dynamo.onnx", model, x, dynamo=True)
        write(f"{name}-dynamo-folded.onnx", model, x, dynamo=True, keep=False, folded=True)
        print(name, flush=True)


def strip(path):
    """Takes out stack traces and other remarks of the exporter."""
    import onnx
    model = onnx.load(path)
    graphs = [model.graph, *model.functions]
    for graph in graphs:
        for part in [graph, *graph.node, *graph.value_info, *getattr(graph, "initializer", [])]:
            for field in ("metadata_props", "doc_string"):
                if hasattr(part, field):
                    part.ClearField(field)
    model.ClearField("metadata_props")
    used, calls = set(), [model.graph]
    named = {(f.domain, f.name): f for f in model.functions}
    while calls:
        for node in calls.pop().node:
            key = (node.domain, node.op_type)
            if key in named and key not in used:
                used.add(key)
                calls.append(named[key])
    kept = [f for f in model.functions if (f.domain, f.name) in used]
    del model.functions[:]
    model.functions.extend(kept)
    onnx.save(model, path)


def main():
    folder = sys.argv[2]
    os.makedirs(folder, exist_ok=True)
    lines = []

    def write(file, model, x, folded=False, **options):
        model.eval()
        # Exporters merge tensors of the same entries, as the ones and zeros of fresh normalisations are.
        with torch.no_grad():
            for tensor in [*model.parameters(), *model.buffers()]:
                if tensor.is_floating_point():
                    tensor.uniform_(0.5, 1.5)
        parameters, macs, convolutions, flops = count(model, x)
        path = os.path.join(folder, file)
        try:
            export(model, x, path, **options)
        except Exception as error:  # An exporter that refuses a network says nothing about the reader.
            print(file, "not exported:", str(error).splitlines()[:1], flush=True)
            return
        if sys.argv[1] == "small":
            strip(path)
        # A batch norm that the export folds into its convolution is a bias: its scale is in the weights then.
        counts = ["" if folded else parameters, macs, convolutions, flops, "x".join(map(str, x.shape))]
        lines.append("\t".join([file, *map(str, counts)]))
        with open(os.path.join(folder, "expected.tsv"), "w") as out:
            out.write("\n".join(lines) + "\n")

    {"small": small, "big": big}[sys.argv[1]](folder, write)


main()
