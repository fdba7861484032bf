// Values of points at hand, columns that sort, files to save. Without it the page is complete: points have titles.
(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Distance within which a pointer means a point, pixels.
  const REACH = 28;

  function points(plot) {
    const overlay = plot.querySelector(".marks");
    const tip = plot.querySelector(".tip");
    const marks = all("circle", overlay);
    let current = -1;
    marks.forEach((mark, i) => {
      // Its title would show beside the tip.
      const title = mark.querySelector("title");
      mark.dataset.values = title.textContent;
      mark.setAttribute("aria-label", title.textContent.replaceAll("\n", ", "));
      title.remove();
      mark.setAttribute("tabindex", i === 0 ? "0" : "-1");
      mark.addEventListener("focus", () => show(i));
      mark.addEventListener("blur", hide);
    });
    const place = (mark) => {
      const box = mark.getBoundingClientRect();
      return [box.left + box.width / 2, box.top + box.height / 2];
    };

    function show(i) {
      if (i === current) return;
      hide();
      current = i;
      const mark = marks[i];
      mark.classList.add("on");
      tip.replaceChildren(...mark.dataset.values.split("\n").map((line) => {
        const row = document.createElement("div");
        row.textContent = line;
        return row;
      }));
      tip.hidden = false;
      const [x, y] = place(mark);
      const frame = plot.getBoundingClientRect();
      const view = plot.parentElement.getBoundingClientRect();
      const left = Math.max(view.left, Math.min(x + 12, view.right - tip.offsetWidth - 2)) - frame.left;
      const below = y - frame.top + 14;
      const above = y - frame.top - tip.offsetHeight - 12;
      tip.style.left = `${left}px`;
      tip.style.top = `${above >= 0 ? above : below}px`;
    }

    function hide() {
      if (current >= 0) marks[current].classList.remove("on");
      current = -1;
      tip.hidden = true;
    }

    function nearest(event) {
      let best = -1;
      let least = REACH;
      marks.forEach((mark, i) => {
        const [x, y] = place(mark);
        const distance = Math.hypot(x - event.clientX, y - event.clientY);
        if (distance < least) [best, least] = [i, distance];
      });
      if (best >= 0) show(best);
      else if (!overlay.contains(document.activeElement)) hide();
    }

    overlay.addEventListener("pointermove", nearest);
    overlay.addEventListener("pointerdown", nearest);
    overlay.addEventListener("pointerleave", hide);
    overlay.addEventListener("keydown", (event) => {
      const at = marks.indexOf(document.activeElement);
      const last = marks.length - 1;
      const to = {
        ArrowRight: Math.min(at + 1, last), ArrowDown: Math.min(at + 1, last),
        ArrowLeft: Math.max(at - 1, 0), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last,
      }[event.key];
      if (event.key === "Escape") hide();
      if (at < 0 || to === undefined) return;
      event.preventDefault();
      marks[at].setAttribute("tabindex", "-1");
      marks[to].setAttribute("tabindex", "0");
      marks[to].focus();
    });
  }

  function sortable(table) {
    const body = table.tBodies[0];
    const heads = all("thead th", table);
    const value = (row, i) => {
      const cell = row.cells[i];
      if (cell.dataset.v === undefined) return cell.textContent;
      return cell.dataset.v === "" ? NaN : Number(cell.dataset.v);
    };
    heads.forEach((head, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
        const compare = (a, b) => {
          const [x, y] = [value(a, i), value(b, i)];
          if (typeof x === "string" || typeof y === "string") return sign * String(x).localeCompare(String(y));
          // What is not a number comes last, in both directions.
          if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
          // Infinities of one sign are equal; their difference is not a number.
          return x === y ? 0 : sign * (x < y ? -1 : 1);
        };
        body.append(...Array.from(body.rows).sort(compare));
      });
    });
  }

  function save(button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const drawing = button.closest("figure").querySelector(".drawing");
      const text = new XMLSerializer().serializeToString(drawing);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
      link.download = button.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
  }

  all(".plot").filter((plot) => plot.querySelector(".marks circle")).forEach(points);
  all("table.sortable").forEach(sortable);
  all("button.save").forEach(save);
  // On paper nothing can be opened: all but the comparisons of checks that passed.
  const closed = () => all("details:not([open])").filter((d) => !d.closest(".check.pass"));
  let opened = [];
  addEventListener("beforeprint", () => { opened = closed(); opened.forEach((d) => { d.open = true; }); });
  addEventListener("afterprint", () => opened.forEach((d) => { d.open = false; }));
})();
