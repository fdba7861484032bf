"""Training throughput on the processor, float32: PyTorch, the better of its two memory formats, alone or beside convstat-train.

    python benches/train_torch.py --block bottleneck|depthwise|cp [--steps 10] [--threads T]
    python benches/train_torch.py --against THROUGHPUT --write docs/performance.md
"""

import argparse
import json
import os
import subprocess
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv(cin, cout, kernel=(1, 1), stride=(1, 1), groups=1):
    return nn.Conv2d(cin, cout, kernel, stride, [k // 2 for k in kernel], groups=groups, bias=False)


class Bottleneck(nn.Module):
    def __init__(self, cin, r, k, s):
        super().__init__()
        self.convs = nn.ModuleList([conv(cin, r), conv(r, r, (3, 3), (s, s)), conv(r, k)])
        self.norms = nn.ModuleList([nn.BatchNorm2d(r), nn.BatchNorm2d(r), nn.BatchNorm2d(k)])
        plain = cin == k and s == 1
        self.shortcut = None if plain else nn.Sequential(conv(cin, k, stride=(s, s)), nn.BatchNorm2d(k))

    def forward(self, x):
        h = F.relu(self.norms[0](self.convs[0](x)), inplace=True)
        h = F.relu(self.norms[1](self.convs[1](h)), inplace=True)
        h = self.norms[2](self.convs[2](h))
        return F.relu(h + (x if self.shortcut is None else self.shortcut(x)), inplace=True)


def depthwise(cin, r, k, s):
    """Depthwise 3 x 3 and 1 x 1, each with batch norm and ReLU (MobileNetV1)."""
    return nn.Sequential(conv(cin, cin, (3, 3), (s, s), cin), nn.BatchNorm2d(cin), nn.ReLU(True),
                         conv(cin, k), nn.BatchNorm2d(k), nn.ReLU(True))


class Cp(nn.Module):
    """1 x 1, depthwise 3 x 1, depthwise 1 x 3, 1 x 1, batch norm; shortcut as in the bottleneck."""

    def __init__(self, cin, r, k, s):
        super().__init__()
        self.main = nn.Sequential(conv(cin, r), conv(r, r, (3, 1), (s, 1), r), conv(r, r, (1, 3), (1, s), r),
                                  conv(r, k), nn.BatchNorm2d(k))
        plain = cin == k and s == 1
        self.shortcut = None if plain else nn.Sequential(conv(cin, k, stride=(s, s)), nn.BatchNorm2d(k))

    def forward(self, x):
        return F.relu(self.main(x) + (x if self.shortcut is None else self.shortcut(x)), inplace=True)


def network(block, width, n=3):
    layers, cin = [conv(3, width, (3, 3)), nn.BatchNorm2d(width), nn.ReLU(True)], width
    for stage in range(3):
        for i in range(n):
            r = width << stage
            layers.append(block(cin, r, 4 * r, 2 if stage > 0 and i == 0 else 1))
            cin = 4 * r
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(cin, 10))


def throughput(a, memory_format):
    torch.manual_seed(0)
    net = network(BLOCKS[a.block], a.width).to(memory_format=memory_format)
    x = torch.randn(a.batch, 3, 32, 32).to(memory_format=memory_format)
    y = torch.arange(a.batch) % 10
    optimizer = torch.optim.SGD(net.parameters(), 0.05, 0.9)
    for step in range(a.warm + a.steps):
        if step == a.warm:
            start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
    return a.steps * a.batch / (time.perf_counter() - start)


BLOCKS = {"bottleneck": Bottleneck, "depthwise": depthwise, "cp": Cp}

HEADING = "## Training on processors: images a second\n"


def ours(program, block, steps):
    lines = subprocess.run([program, "--networks", str(steps)], env=dict(os.environ, NETWORK=block), check=True,
                           capture_output=True, text=True).stdout
    return json.loads(lines)


def against(a):
    """Both programs in turn, three times each; the best of each counts."""
    rows = []
    for block in BLOCKS:
        a.block = block
        pairs = [(ours(a.against, block, a.steps), rival(a)) for _ in range(3)]
        own, torch_ = (max(p[i]["images_per_second"] for p in pairs) for i in (0, 1))
        assert pairs[0][0]["parameters"] == pairs[0][1]["parameters"], "the networks differ"
        rows.append((block, pairs[0][0]["parameters"], pairs[0][0]["macs"], own, torch_))
        print(f"{block}: {own:.0f} images/s, PyTorch {torch_:.0f}, ratio {own / torch_:.2f}", flush=True)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
    text = [
        HEADING,
        f"Measured {time.strftime('%Y-%m-%d')} on {cpu}, {a.threads} threads; PyTorch {torch.__version__}, the better of its two memory "
        "formats; batch 128, 32×32×3, width 16, three stages of three blocks, SGD with momentum, forward, backward and step; in turn "
        "in one run, the best of three.",
        "",
        "| network | parameters | MACs | convstat-train | PyTorch | ratio | GFLOP/s of convstat-train |",
        "|---|---|---|---|---|---|---|",
    ]
    for block, parameters, macs, own, torch_ in rows:
        text.append(f"| {block} | {parameters} | {macs} | {own:.0f} | {torch_:.0f} | **{own / torch_:.2f}** | {6e-9 * macs * own:.0f} |")
    before, rest = open(a.write).read().split(HEADING)
    rest = rest.split("<!-- end -->", 1)[1]
    open(a.write, "w").write(before + "\n".join(text) + "\n<!-- end -->" + rest)


def rival(a):
    best = max(throughput(a, f) for f in (torch.contiguous_format, torch.channels_last))
    parameters = sum(p.numel() for p in network(BLOCKS[a.block], a.width).parameters())
    return {"network": a.block, "images_per_second": round(best, 1), "parameters": parameters}


if __name__ == "__main__":
    p = argparse.ArgumentParser()
    p.add_argument("--block", choices=list(BLOCKS))
    p.add_argument("--width", type=int, default=16)
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--warm", type=int, default=3)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--against", help="program of crates/train/benches/throughput.rs")
    p.add_argument("--write", help="file whose table is replaced")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.against:
        against(a)
    else:
        print(json.dumps(rival(a)))
