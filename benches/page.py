"""Tables of a page: what stands between a heading and `<!-- end -->` is written by a benchmark."""

END = "<!-- end -->"


def replace(path, heading, lines):
    with open(path) as page:
        before, rest = page.read().split(f"{heading}\n")
    with open(path, "w") as page:
        page.write(f"{before}{heading}\n\n" + "\n".join(lines) + f"\n{END}" + rest.split(END, 1)[1])
