"""The tables of ddnet-ablation: time and memory, bytes moved, quality."""

import statistics

MB = 2**20
TITLES = {"dense": "dense", "shrunk": "half of the filters pruned, network shrunk"}


def show(rows, peers, quality, baseline):
    """`rows`: a dictionary for each of our sides; `peers`: those of the peers by name, the one that the others are held
    against first; `quality`: what each side's trainings gave."""
    show_speed(rows, peers, baseline)
    show_bytes(rows)
    show_quality(rows, quality, baseline)
    for note in notes(rows, baseline):
        print(f"  {note}")


def table(title, heads, lines):
    """Columns as wide as they need to be; the first is text, the others numbers. A line of one word is a heading."""
    columns = [heads, *(line for line in lines if len(line) > 1)]
    widths = [max(len(line[i]) for line in columns) for i in range(len(heads))]
    print(f"\n  {title}")
    for line in (heads, *lines):
        first, *others = line
        cells = "  ".join(text.rjust(width) for text, width in zip(others, widths[1:]))
        print(f"    {first.ljust(widths[0])}  {cells}".rstrip())
    print()


def by_network(rows, line_of):
    lines = []
    for network in dict.fromkeys(row["network"] for row in rows):
        lines.append([TITLES[network]])
        lines += [[f"  {row['variant']}", *line_of(row)] for row in rows if row["network"] == network]
    return lines


def find(rows, network, variant):
    return next(row for row in rows if (row["network"], row["variant"]) == (network, variant))


def show_speed(rows, peers, baseline):
    dense, peer = find(rows, "dense", baseline), next(iter(peers.values()))
    epoch = dense["steps_per_epoch"]

    def line_of(row):
        step, own = row["step_s"], find(rows, row["network"], baseline)
        return [f"{step:.4f} s", f"{epoch * step:.3f} s", *(f"{of['step_s'] / step:.2f}" for of in (own, dense, peer)),
                f"{row['peak_memory'] / MB:.0f} MB"]

    lines = by_network(rows, line_of)
    lines += [["PyTorch in float32, dense"]]
    lines += [[f"  {name}", f"{one['step_s']:.4f} s", f"{epoch * one['step_s']:.3f} s", "",
               *(f"{of['step_s'] / one['step_s']:.2f}" for of in (dense, peer)), f"{one['peak_memory'] / MB:.0f} MB"]
              for name, one in peers.items()]
    table(f"Time (figure 8): medians; an epoch is {epoch} steps; times as fast as",
          ["", "step", "epoch", "its baseline", "dense baseline", next(iter(peers)), "peak memory"], lines)


def show_bytes(rows):
    def line_of(row):
        bytes_ = row["epoch_bytes"]
        each = [bytes_.get(kind) for kind in ("host_to_device", "device_to_host", "device_to_device", "memset")]
        return [*("" if amount is None else f"{amount / MB:.1f} MB" for amount in each), f"{row['staged'] / MB:.1f} MB",
                str(row["captures"]), f"{row['skipped']} of {row['steps']}"]

    table("Bytes moved in an epoch (figure 9a)",
          ["", "host to device", "device to host", "within device", "memset", "staged once", "captures",
           "skipped steps"], by_network(rows, line_of))


def show_quality(rows, quality, baseline):
    def mean(row, key):
        return statistics.mean(one["quality"][key] for one in quality[row["name"]])

    reference = mean(find(rows, "dense", baseline), "ms_ssim")

    def line_of(row):
        each = [one["quality"]["ms_ssim"] for one in quality[row["name"]]]
        return [f"{100 * statistics.mean(each):.2f}", f"{100 * (max(each) - min(each)):.2f}" if len(each) > 1 else "",
                f"{100 * (1 - statistics.mean(each) / reference):+.2f} %", f"{mean(row, 'psnr'):.2f}",
                str(sum(one["skipped"] for one in quality[row["name"]]))]

    seeds = len(next(iter(quality.values())))
    table(f"Quality after a short training (table 2), {seeds} seed{'s' if seeds > 1 else ''}",
          ["", "MS-SSIM, %", "spread", "lost to dense baseline", "PSNR, dB", "skipped steps"],
          by_network(rows, line_of))


def notes(rows, baseline):
    """What did not help, said as it is. An effect is one that all rounds show."""
    for row in (row for row in rows if row["variant"] != baseline):
        own = find(rows, row["network"], baseline)
        each = [theirs / mine for theirs, mine in zip(own["times_s"], row["times_s"])]
        if max(each) < 1:
            yield f"{row['name']} is slower than its baseline: {row['step_s'] / own['step_s']:.2f} times as long a step"
        elif min(each) <= 1:
            yield f"{row['name']} and its baseline cannot be told apart ({min(each):.2f} to {max(each):.2f} in rounds)"
