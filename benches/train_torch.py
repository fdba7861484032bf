"""Training throughput: PyTorch, alone or beside convstat-train, on the processor in float32 or on a GPU.

    python benches/train_torch.py --block bottleneck|depthwise|cp [--steps 10] [--threads T]
    python benches/train_torch.py --against THROUGHPUT --write docs/src/performance.md [--device cuda]
"""

import argparse
import json
import os
import subprocess
import time

import torch
import torch.nn.functional as F
from torch import nn

from page import replace


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


def throughput(a, memory_format, autocast=False, graph=False):
    torch.manual_seed(0)
    net = network(BLOCKS[a.block], a.width).to(a.device, memory_format=memory_format)
    x = torch.randn(a.batch, 3, 32, 32, device=a.device).to(memory_format=memory_format)
    y = torch.arange(a.batch, device=a.device) % 10
    optimizer = torch.optim.SGD(net.parameters(), 0.05, 0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(a.device, torch.bfloat16, enabled=autocast):
            loss = F.cross_entropy(net(x).float(), y)
        loss.backward()
        optimizer.step()

    wait = torch.cuda.synchronize if a.device == "cuda" else lambda: None
    if graph:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(10):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        recorded = torch.cuda.CUDAGraph()
        optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(recorded):
            step()
        step = recorded.replay
    for _ in range(a.warm):
        step()
    wait()
    start = time.perf_counter()
    for _ in range(a.steps):
        step()
    wait()
    return a.steps * a.batch / (time.perf_counter() - start)


BLOCKS = {"bottleneck": Bottleneck, "depthwise": depthwise, "cp": Cp}

PROCESSOR = "## Training on processors: images a second"
GPU = "## Training on a GPU: images a second"


def ours(a, *options):
    command = [a.against, "--networks", str(a.steps), "--block", a.block, "--width", str(a.width), *options]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def against(a):
    """Both programs in turn, three times each; the best of each counts."""
    rows = []
    for a.block in BLOCKS:
        pairs = [(ours(a), rival(a)) for _ in range(3)]
        own, torch_ = (max(p[i]["images_per_second"] for p in pairs) for i in (0, 1))
        assert pairs[0][0]["parameters"] == pairs[0][1]["parameters"], "the networks differ"
        rows.append((a.block, pairs[0][0]["parameters"], pairs[0][0]["macs"], own, torch_))
        print(f"{a.block}: {own:.0f} images/s, PyTorch {torch_:.0f}, ratio {own / torch_:.2f}", flush=True)
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
    text = [
        f"Measured {time.strftime('%Y-%m-%d')} on {cpu}, {a.threads} threads; PyTorch {torch.__version__} in the better of its two memory "
        "formats. Batches of 128, images of 32×32×3, width 16, three stages of three blocks, SGD with momentum. A step is forward, "
        "backward and update. Both in turn in one run, the best of three.",
        "",
        "| network | parameters | MACs | convstat-train | PyTorch | ratio | GFLOP/s of convstat-train |",
        "|---|---|---|---|---|---|---|",
    ]
    for block, parameters, macs, own, torch_ in rows:
        text.append(f"| {block} | {parameters} | {macs} | {own:.0f} | {torch_:.0f} | **{own / torch_:.2f}** | {6e-9 * macs * own:.0f} |")
    replace(a.write, PROCESSOR, text)


def rival(a):
    best = max(throughput(a, f) for f in (torch.contiguous_format, torch.channels_last))
    parameters = sum(p.numel() for p in network(BLOCKS[a.block], a.width).parameters())
    return {"network": a.block, "images_per_second": round(best, 1), "parameters": parameters}


def on_gpu(a):
    """Every way of both programs in turn, twice each; the best of each counts."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    table, device = [], ""
    for a.width, blocks in ((64, BLOCKS), (16, ["bottleneck"])):
        for a.block in blocks:
            own, torch_ = {}, {}
            for _ in range(2):
                for precision in ("tf32", "bf16"):
                    for way in ("direct", "graph"):
                        options = ["--device", "cuda", "--precision", precision] + (["--direct"] if way == "direct" else [])
                        found = ours(a, *options)
                        device = found["device"]
                        key = precision, way
                        own[key] = max(own.get(key, 0), found["images_per_second"])
                        rate = throughput(a, torch.channels_last, precision == "bf16", way == "graph")
                        torch_[key] = max(torch_.get(key, 0), rate)
            assert found["parameters"] == sum(p.numel() for p in network(BLOCKS[a.block], a.width).parameters())
            for key in own:
                ratio = own[key] / torch_[key]
                print(f"{a.block} width {a.width} {' '.join(key)}: {own[key]:.0f} images/s, PyTorch {torch_[key]:.0f}, ratio {ratio:.2f}", flush=True)
                table.append(f"| {a.block} | {a.width} | {' | '.join(key)} | {own[key]:.0f} | {torch_[key]:.0f} | **{ratio:.2f}** |")
    text = [
        f"Measured {time.strftime('%Y-%m-%d')} on {device.split(' (')[0]}; PyTorch {torch.__version__}, channels last, its choice of "
        "algorithms by trial. Batches of 128, images of 32×32×3, three stages of three blocks, SGD with momentum. A step is forward, "
        "backward and update, by direct launches or as one CUDA graph. Both in turn in one run, the better of two.",
        "",
        "| network | width | precision | launches | convstat-train | PyTorch | ratio |",
        "|---|---|---|---|---|---|---|",
        *table,
    ]
    print("\n".join(text))
    if a.write:
        replace(a.write, GPU, text)


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
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.device == "cuda":
        on_gpu(a)
    elif a.against:
        against(a)
    else:
        print(json.dumps(rival(a)))
