"""Reference values by PyTorch: operators.safetensors of crate engine, and training.safetensors beside this file.

    pip install torch numpy safetensors && python make_reference.py

Layout: activations (N, spatial, C), convolution weights (O, taps, C / groups), linear weights (O, F).
All float64 (inputs exact in float32) but labels, int64, and the training inputs, float32. Metadata: JSON, one per case.
Batch norm: eps 1e-5, momentum 0.1, running variance unbiased. Average pooling counts the padding.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import save_file
from torch import nn

HERE = Path(__file__).resolve().parent
CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
ACT = {"identity": lambda x: x, "relu": F.relu, "relu6": F.relu6, "silu": F.silu, "tanh": torch.tanh,
       "sigmoid": torch.sigmoid, "gelu": F.gelu}

tensors, meta = {}, {}


def rand(*shape, scale=1.0):
    """Normal values exact in float32."""
    return (scale * torch.randn(*shape, dtype=torch.float32)).double()


def last(t):
    """Second axis to the end."""
    t = t.detach()
    return np.array((t.movedim(1, -1) if t.ndim > 2 else t).numpy(), order="C")


def case(name, about, **values):
    meta[name] = json.dumps(about)
    tensors.update({f"{name}.{key}": last(t) for key, t in values.items()})


def grads(y, *inputs):
    dy = rand(*y.shape)
    return dy, *torch.autograd.grad(y, inputs, dy)


def conv(name, size, cin, cout, kernel, stride=None, padding=None, dilation=None, groups=1, batch=2):
    d = len(size)
    stride, padding, dilation = stride or [1] * d, padding or [0] * d, dilation or [1] * d
    x = rand(batch, cin, *size).requires_grad_()
    w = rand(cout, cin // groups, *kernel, scale=0.5).requires_grad_()
    y = CONV[d](x, w, None, stride, padding, dilation, groups)
    dy, dx, dw = grads(y, x, w)
    about = {"op": "conv", "stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    case(name, about, x=x, w=w, y=y, dy=dy, dx=dx, dw=dw)


def pool(name, op, size, c, kernel, stride, padding=None, batch=2):
    d = len(size)
    padding = padding or [0] * d
    x = rand(batch, c, *size).requires_grad_()
    y = {"average": AVERAGE, "max": MAX}[op][d](x, kernel, stride, padding)
    dy, dx = grads(y, x)
    case(name, {"op": op, "kernel": kernel, "stride": stride, "padding": padding}, x=x, y=y, dy=dy, dx=dx)


def norm(name, size, c, activation, residual=False, scale=1.0, batch=3):
    x = (rand(batch, c, *size, scale=2.0) + 0.5).float().double().requires_grad_()
    gamma, beta = rand(c, scale=scale).requires_grad_(), rand(c, scale=scale).requires_grad_()
    mean, var = torch.zeros(c).double(), torch.ones(c).double()
    z = F.batch_norm(x, mean, var, gamma, beta, training=True, momentum=0.1, eps=1e-5)
    r = rand(*z.shape).requires_grad_() if residual else None
    z = z + r if residual else z
    y = ACT[activation](z)
    dy, dx, dgamma, dbeta, *dr = grads(y, x, gamma, beta, *([r] if residual else []))
    extra = {"residual": r, "dresidual": dr[0]} if residual else {}
    case(name, {"op": "norm", "activation": activation, "residual": residual}, x=x, gamma=gamma, beta=beta, y=y, dy=dy,
         dx=dx, dgamma=dgamma, dbeta=dbeta, running_mean=mean, running_var=var, **extra)


def operators():
    torch.manual_seed(1)
    conv("conv1.k3", [9], 3, 4, [3], padding=[1])
    conv("conv1.k5.stride2", [12], 3, 5, [5], [2], [2])
    conv("conv1.k2.dilated", [11], 2, 3, [2], dilation=[3])
    conv("conv1.stride_over_kernel", [13], 3, 2, [2], [3], [1])
    conv("conv1.groups2", [10], 4, 6, [3], [2], [1], [2], 2)
    conv("conv1.depthwise", [9], 3, 3, [5], [1], [2], groups=3)
    conv("conv2.k3", [7, 5], 3, 4, [3, 3], padding=[1, 1])
    conv("conv2.k3x2", [6, 9], 3, 5, [3, 2], [2, 1], [1, 0])
    conv("conv2.k5x1.dilated", [13, 6], 2, 3, [5, 1], [1, 2], [2, 0], [2, 1])
    conv("conv2.k1x3", [5, 8], 3, 4, [1, 3], [1, 2], [0, 2], [1, 2])
    conv("conv2.stride2.parity", [8, 7], 3, 4, [3, 3], [2, 2], [1, 1])
    conv("conv2.stride_over_kernel", [11, 8], 3, 2, [2, 1], [3, 2])
    conv("conv2.1x1", [5, 7], 5, 3, [1, 1])
    conv("conv2.1x1.stride2", [7, 8], 3, 5, [1, 1], [2, 2])
    conv("conv2.1x1.groups2", [5, 3], 4, 6, [1, 1], groups=2)
    conv("conv2.groups2", [9, 6], 4, 6, [3, 5], [2, 1], [1, 2], groups=2)
    conv("conv2.depthwise", [7, 6], 5, 5, [3, 3], [1, 1], [1, 1], groups=5)
    conv("conv2.depthwise.stride2", [7, 8], 3, 3, [3, 3], [2, 2], [1, 1], groups=3)
    conv("conv2.depthwise.k3x1", [8, 5], 5, 5, [3, 1], [2, 1], [1, 0], groups=5)
    conv("conv2.depthwise.multiplier2", [9, 7], 3, 6, [3, 2], [2, 1], [2, 1], [2, 1], 3)
    conv("conv2.padding_over_half", [3, 4], 2, 3, [2, 3], [1, 2], [2, 3])
    conv("conv3.k3x2x1", [5, 6, 4], 2, 3, [3, 2, 1], [2, 1, 2], [1, 0, 0])
    conv("conv3.k2x3x5", [4, 7, 9], 2, 3, [2, 3, 5], [1, 2, 2], [1, 1, 2], [2, 1, 1], batch=1)
    conv("conv3.groups2", [3, 5, 4], 4, 6, [1, 3, 2], [1, 2, 1], [0, 1, 1], groups=2, batch=1)
    conv("conv3.depthwise.multiplier2", [5, 4, 3], 3, 6, [3, 3, 2], [2, 1, 1], [1, 1, 1], [1, 1, 2], 3, batch=1)

    pool("average1", "average", [10], 3, [3], [3])
    pool("average2", "average", [7, 9], 3, [2, 3], [2, 3])
    pool("average2.overlap", "average", [7, 6], 5, [3, 2], [2, 1])
    pool("average2.padding", "average", [7, 8], 3, [3, 3], [2, 2], [1, 1])
    pool("average2.stride_over_kernel", "average", [9, 7], 3, [1, 2], [2, 3])
    pool("average3", "average", [5, 4, 7], 2, [2, 1, 3], [2, 2, 2], [1, 0, 1])
    pool("max1", "max", [11], 3, [2], [2])
    pool("max2", "max", [7, 9], 3, [2, 2], [2, 2])
    pool("max2.overlap", "max", [8, 6], 5, [3, 2], [2, 1])
    pool("max2.padding", "max", [7, 8], 3, [3, 3], [2, 2], [1, 1])
    pool("max2.stride_over_kernel", "max", [9, 7], 3, [1, 2], [2, 3])
    pool("max3", "max", [5, 4, 7], 2, [2, 1, 3], [2, 2, 2], [1, 0, 1])

    norm("norm.identity", [5], 3, "identity")
    norm("norm.relu", [4, 5], 5, "relu")
    norm("norm.relu.residual", [3, 5], 4, "relu", residual=True)
    norm("norm.relu6.residual", [5, 3], 5, "relu6", residual=True, scale=5.0)
    norm("norm.identity.residual", [2, 3, 3], 3, "identity", residual=True)
    c = 5
    x, gamma, beta, mean, var = rand(2, c, 3, 4), rand(c), rand(c), rand(c), (rand(c).square() + 0.25).float().double()
    case("norm.eval", {"op": "norm-eval"}, x=x, gamma=gamma, beta=beta, running_mean=mean, running_var=var,
         y=F.batch_norm(x, mean, var, gamma, beta, training=False, eps=1e-5))

    for kind in ("relu", "relu6", "silu", "tanh", "sigmoid", "gelu"):
        x = rand(3, 7, 5, scale=4.0).requires_grad_()
        y = ACT[kind](x)
        dy, dx = grads(y, x)
        case(f"activation.{kind}", {"op": "activation", "kind": kind}, x=x, y=y, dy=dy, dx=dx)

    x, w, b = rand(5, 7).requires_grad_(), rand(3, 7).requires_grad_(), rand(3).requires_grad_()
    y = F.linear(x, w, b)
    dy, dx, dw, db = grads(y, x, w, b)
    case("linear", {"op": "linear"}, x=x, w=w, b=b, y=y, dy=dy, dx=dx, dw=dw, db=db)

    for smoothing in (0.0, 0.1):
        logits, labels = rand(7, 5, scale=3.0).requires_grad_(), torch.randint(0, 5, (7,))
        loss = F.cross_entropy(logits, labels, label_smoothing=smoothing)
        dlogits = torch.autograd.grad(loss, logits)[0]
        case(f"cross_entropy.{smoothing}", {"op": "cross-entropy", "smoothing": smoothing}, logits=logits,
             labels=labels, loss=loss, dlogits=dlogits)

    for groups, c in ((2, 10), (3, 12)):
        x = rand(2, c, 3, 5)
        y = x.reshape(2, groups, c // groups, 3, 5).transpose(1, 2).reshape(x.shape)
        case(f"shuffle.{groups}", {"op": "shuffle", "groups": groups}, x=x, y=y)


class Unit(nn.Module):
    """Convolution and batch norm."""

    def __init__(self, cin, cout, k, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, k, stride, k // 2, bias=False)
        self.norm = nn.BatchNorm2d(cout)

    def forward(self, x):
        return self.norm(self.conv(x))


class Block(nn.Module):
    def __init__(self, cin, r, k, stride):
        super().__init__()
        self.units = nn.ModuleList([Unit(cin, r, 1), Unit(r, r, 3, stride), Unit(r, k, 1)])
        self.shortcut = None if cin == k and stride == 1 else Unit(cin, k, 1, stride)

    def forward(self, x):
        h = self.units[2](F.relu(self.units[1](F.relu(self.units[0](x)))))
        return F.relu(h + (x if self.shortcut is None else self.shortcut(x)))


class Net(nn.Module):
    def __init__(self, stem, blocks, classes):
        super().__init__()
        self.stem = Unit(3, stem, 3)
        self.blocks = nn.Sequential(*[Block(*b) for b in blocks])
        self.head = nn.Linear(blocks[-1][2], classes)

    def forward(self, x):
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


BLOCKS = [(8, 4, 16, 1), (16, 6, 24, 2)]
OPTIMIZERS = {
    "sgd": (torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.05}),
}


def training():
    torch.manual_seed(2)
    net = Net(8, BLOCKS, 10).double()
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 1:
                p.copy_(rand(*p.shape, scale=(2 / p[0].numel()) ** 0.5))
        for m in net.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.weight.copy_(rand(*m.weight.shape, scale=0.1) + 1)
                m.bias.copy_(rand(*m.bias.shape, scale=0.1))
        net.head.bias.copy_(rand(10, scale=0.1))
        for p in net.parameters():
            p.copy_(p.float().double())
    names = {k: k.replace("units.", "").replace("norm.weight", "norm.gamma").replace("norm.bias", "norm.beta")
             for k, _ in net.named_parameters()}
    start = {k: v.clone() for k, v in net.state_dict().items()}
    x, labels = rand(20, 16, 3, 9, 9), torch.randint(0, 10, (20, 16))

    out = {names[k]: last(p) for k, p in net.named_parameters()}
    out["x"] = np.ascontiguousarray(x.movedim(2, -1).float().numpy())
    out["labels"] = labels.numpy()
    for name, (kind, options) in OPTIMIZERS.items():
        net.load_state_dict(start)
        net.train()
        decay, options = options["weight_decay"], {k: v for k, v in options.items() if k != "weight_decay"}
        optimizer = kind([{"params": [p for p in net.parameters() if p.ndim > 1], "weight_decay": decay},
                          {"params": [p for p in net.parameters() if p.ndim == 1], "weight_decay": 0.0}], **options)
        losses = []
        for step in range(20):
            optimizer.zero_grad()
            loss = F.cross_entropy(net(x[step]), labels[step], label_smoothing=0.1)
            loss.backward()
            if step == 0:
                out.update({f"grad.{names[k]}": last(p.grad) for k, p in net.named_parameters()})
            optimizer.step()
            losses.append(loss.item())
        net.eval()
        out[f"losses.{name}"] = np.array(losses)
        with torch.no_grad():
            out[f"logits.{name}"] = last(net(x[-1]))
    about = {name: json.dumps(options) for name, (_, options) in OPTIMIZERS.items()}
    about["network"] = json.dumps({"stem": 8, "blocks": BLOCKS, "classes": 10, "smoothing": 0.1})
    return out, about


if __name__ == "__main__":
    torch.set_num_threads(1)
    operators()
    save_file(tensors, HERE / "../../../engine/tests/data/operators.safetensors", meta)
    out, about = training()
    save_file(out, HERE / "training.safetensors", about)
