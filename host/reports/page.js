// Reads out, hides, zooms, sorts and saves what the page already shows.
(() => {
  const rows = new Map(JSON.parse(document.getElementById("rows").textContent).map((row) => [row.label, row]));
  const charts = [...document.querySelectorAll("svg[data-plot]")];
  const hidden = new Set();
  const zooms = new Map(); // svg -> what is seen of the plot, in its pixels: {left, right, top, bottom}

  // What is seen of a plot

  const seen = (svg, axes) =>
    zooms.get(svg) ?? { left: axes.left, right: axes.left + axes.width, top: axes.top, bottom: axes.top + axes.height };
  // From the plot's own pixels to where they are seen.
  const shownX = (axes, view, pixel) => axes.left + (axes.width * (pixel - view.left)) / (view.right - view.left);
  const shownY = (axes, view, pixel) => axes.top + (axes.height * (pixel - view.top)) / (view.bottom - view.top);
  const ownX = (axes, view, pixel) => view.left + ((pixel - axes.left) * (view.right - view.left)) / axes.width;
  const ownY = (axes, view, pixel) => view.top + ((pixel - axes.top) * (view.bottom - view.top)) / axes.height;

  // Zoom

  const element = (svg, name, attributes) => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const drawTicks = (svg, axes, view) => {
    const grid = svg.querySelector(".grid");
    const texts = svg.querySelector(".ticks");
    grid.replaceChildren();
    texts.replaceChildren();
    const text = (x, y, anchor, content) => {
      const made = element(svg, "text", { x, y, "text-anchor": anchor });
      made.textContent = content;
      texts.append(made);
    };
    const bottom = axes.top + axes.height;
    const right = axes.left + axes.width;
    const across = [axes.x.value(view.left), axes.x.value(view.right)];
    for (const [value, content] of ticksOf(...across, axes.x.form, axes.x.log, 5)) {
      const x = shownX(axes, view, axes.x.pixel(value));
      grid.append(element(svg, "path", { d: `M${x} ${axes.top}V${bottom}` }));
      text(Math.min(x, right + 12 - 3.1 * content.length), bottom + 15, "middle", content);
    }
    const up = [axes.y.value(view.bottom), axes.y.value(view.top)];
    for (const [value, content] of ticksOf(...up, axes.y.form, axes.y.log, 5)) {
      const y = shownY(axes, view, axes.y.pixel(value));
      grid.append(element(svg, "path", { d: `M${axes.left} ${y}H${right}` }));
      text(axes.left - 6, y + 4, "end", content);
    }
  };
  const originals = new Map(); // svg -> its grid and ticks
  const zoom = (svg, view) => {
    const grid = svg.querySelector(".grid");
    const texts = svg.querySelector(".ticks");
    if (!originals.has(svg)) originals.set(svg, [[...grid.childNodes], [...texts.childNodes]]);
    const plot = svg.querySelector(".plot");
    const names = svg.querySelector(".words");
    if (names) names.style.display = view ? "none" : "";
    if (!view) {
      zooms.delete(svg);
      plot.removeAttribute("transform");
      const [lines, numbers] = originals.get(svg);
      grid.replaceChildren(...lines);
      texts.replaceChildren(...numbers);
      return;
    }
    zooms.set(svg, view);
    const axes = axesOf(svg);
    const sx = axes.width / (view.right - view.left);
    const sy = axes.height / (view.bottom - view.top);
    plot.setAttribute("transform", `matrix(${sx} 0 0 ${sy} ${axes.left - sx * view.left} ${axes.top - sy * view.top})`);
    drawTicks(svg, axes, view);
  };

  // Read-out at the pointer

  const readout = document.createElement("div");
  readout.id = "readout";
  readout.hidden = true;
  document.body.append(readout);
  const keys = { step: "step", epoch: "epochs", bytes_wire: "bytes_wire", seconds: "seconds" };

  /** The numbers of a line: [x, y] of each evaluation that has both. */
  const numbersOf = (line, axes) => {
    const row = rows.get(line.dataset.row);
    const xs = row?.[keys[line.dataset.x]];
    const ys = row?.[line.dataset.column];
    if (!xs || !ys) return [];
    const fits = (value, axis) => value !== null && (!axis.log || value > 0);
    return xs.map((x, i) => [x, ys[i]]).filter(([x, y]) => fits(x, axes.x) && fits(y, axes.y));
  };
  const nearest = (svg, axes, view, x) => {
    const found = [];
    for (const line of svg.querySelectorAll("polyline")) {
      if (hidden.has(line.dataset.row)) continue;
      let best = null;
      for (const [px, py] of numbersOf(line, axes)) {
        const at = shownX(axes, view, axes.x.pixel(px));
        if (!best || Math.abs(at - x) < Math.abs(best.at - x)) best = { at, x: px, y: py };
      }
      if (best && Math.abs(best.at - x) < 30) found.push({ line, ...best });
    }
    return found.sort((a, b) => b.y - a.y);
  };
  const showReadout = (svg, axes, found, event) => {
    const closest = found.reduce((a, b) => (Math.abs(b.at - event.own) < Math.abs(a.at - event.own) ? b : a));
    const title = document.createElement("div");
    title.textContent = `${svg.dataset.x} ${exact(axes.x.form, closest.x)}`;
    const table = document.createElement("table");
    const most = 24;
    for (const { line, y } of found.slice(0, most)) {
      const tr = table.insertRow();
      const sample = element(svg, "svg", { viewBox: "0 0 30 8", class: "sample" });
      const stroke = line.getAttribute("stroke-dasharray") ?? "";
      sample.append(element(svg, "path", {
        d: "M0 4h30", stroke: line.getAttribute("stroke"), "stroke-dasharray": stroke, "stroke-width": 2, fill: "none",
      }));
      tr.insertCell().append(sample);
      tr.insertCell().textContent = line.dataset.row;
      tr.insertCell().textContent = exact(axes.y.form, y);
    }
    readout.replaceChildren(title, table);
    if (found.length > most) readout.append(`and ${found.length - most} more`);
    readout.hidden = false;
    const box = readout.getBoundingClientRect();
    const x = event.clientX + 16 + box.width > innerWidth ? event.clientX - 16 - box.width : event.clientX + 16;
    readout.style.left = `${Math.max(4, x)}px`;
    readout.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - box.height - 4))}px`;
  };
  const clear = (svg) => {
    readout.hidden = true;
    svg.querySelector(".pointer")?.remove();
  };
  const point = (svg, event) => {
    const axes = axesOf(svg);
    const view = seen(svg, axes);
    svg.querySelector(".pointer")?.remove();
    const inside =
      event.own >= axes.left - 4 && event.own <= axes.left + axes.width + 4 &&
      event.ownY >= axes.top - 4 && event.ownY <= axes.top + axes.height + 4;
    const found = inside ? nearest(svg, axes, view, event.own) : [];
    if (found.length === 0) return clear(svg);
    const marks = element(svg, "g", { class: "pointer", "pointer-events": "none" });
    const at = found.reduce((a, b) => (Math.abs(b.at - event.own) < Math.abs(a.at - event.own) ? b : a)).at;
    marks.append(element(svg, "path", {
      d: `M${at} ${axes.top}V${axes.top + axes.height}`, stroke: "currentColor", "stroke-opacity": 0.4,
    }));
    for (const { line, at: x, y } of found) {
      const cy = shownY(axes, view, axes.y.pixel(y));
      if (cy < axes.top - 1 || cy > axes.top + axes.height + 1) continue;
      marks.append(element(svg, "circle", { cx: x, cy, r: 3, fill: line.getAttribute("stroke") }));
    }
    svg.append(marks);
    return showReadout(svg, axes, found, event);
  };

  // The pointer: pointing reads out, dragging zooms, a double click shows all again

  const located = (svg, event) => {
    const box = svg.getBoundingClientRect();
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    const scale = Math.min(box.width / width, box.height / height); // it may be narrower than its element
    return {
      own: (event.clientX - box.left - (box.width - scale * width) / 2) / scale,
      ownY: (event.clientY - box.top - (box.height - scale * height) / 2) / scale,
      clientX: event.clientX,
      clientY: event.clientY,
    };
  };
  for (const svg of charts) {
    let drag = null;
    const corners = (to) => {
      const axes = axesOf(svg);
      const x = [drag.own, to.own].map((v) => Math.min(Math.max(v, axes.left), axes.left + axes.width));
      const y = [drag.ownY, to.ownY].map((v) => Math.min(Math.max(v, axes.top), axes.top + axes.height));
      const flat = Math.abs(y[1] - y[0]) < 8; // along the axis: all of its height
      return {
        left: Math.min(...x), right: Math.max(...x),
        top: flat ? axes.top : Math.min(...y), bottom: flat ? axes.top + axes.height : Math.max(...y),
      };
    };
    const end = () => {
      svg.querySelector(".selection")?.remove();
      drag = null;
    };
    svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "touch" || event.button !== 0) return;
      drag = located(svg, event);
      svg.setPointerCapture(event.pointerId);
    });
    svg.addEventListener("pointermove", (event) => {
      const at = located(svg, event);
      if (!drag) return point(svg, at);
      clear(svg);
      svg.querySelector(".selection")?.remove();
      const { left, right, top, bottom } = corners(at);
      return svg.append(element(svg, "rect", {
        class: "selection", x: left, y: top, width: right - left, height: bottom - top,
        fill: "currentColor", "fill-opacity": 0.12,
      }));
    });
    svg.addEventListener("pointerup", (event) => {
      if (!drag) return;
      const axes = axesOf(svg);
      const view = seen(svg, axes);
      const chosen = corners(located(svg, event));
      end();
      if (chosen.right - chosen.left < 8) return;
      zoom(svg, {
        left: ownX(axes, view, chosen.left), right: ownX(axes, view, chosen.right),
        top: ownY(axes, view, chosen.top), bottom: ownY(axes, view, chosen.bottom),
      });
    });
    svg.addEventListener("pointercancel", end);
    svg.addEventListener("pointerleave", () => clear(svg));
    svg.addEventListener("dblclick", () => zoom(svg, null));
  }

  // Legends

  const buttons = [...document.querySelectorAll(".rows button[data-row]")];
  const showRows = () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(!hidden.has(button.dataset.row)));
    for (const drawn of document.querySelectorAll("figure svg [data-row]"))
      drawn.style.display = hidden.has(drawn.dataset.row) ? "none" : "";
  };
  for (const button of buttons) {
    const label = button.dataset.row;
    button.addEventListener("click", () => {
      if (!hidden.delete(label)) hidden.add(label);
      showRows();
    });
    button.addEventListener("dblclick", () => {
      const others = buttons.map((other) => other.dataset.row).filter((other) => other !== label);
      const isAlone = !hidden.has(label) && others.every((other) => hidden.has(other));
      hidden.clear();
      if (!isAlone) for (const other of others) hidden.add(other);
      showRows();
    });
  }

  // Tools of a chart: its axis, and files

  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const csvOf = (svg) => {
    const lines = [...svg.querySelectorAll("polyline")].filter((line) => !hidden.has(line.dataset.row));
    const columns = [...new Set(lines.map((line) => line.dataset.column))];
    const text = [["row", "step", ...(svg.dataset.x === "step" ? [] : [svg.dataset.x]), ...columns].join(",")];
    for (const label of new Set(lines.map((line) => line.dataset.row))) {
      const row = rows.get(label);
      row.step.forEach((step, i) => {
        const x = svg.dataset.x === "step" ? [] : [row[keys[svg.dataset.x]]?.[i] ?? ""];
        text.push([quoted(label), step, ...x, ...columns.map((column) => row[column]?.[i] ?? "")].join(","));
      });
    }
    return `${text.join("\n")}\n`;
  };
  const svgOf = (svg) => {
    const copy = svg.cloneNode(true);
    copy.querySelector(".pointer")?.remove();
    for (const drawn of [...copy.querySelectorAll("[data-row]")]) if (hidden.has(drawn.dataset.row)) drawn.remove();
    const [, , width] = svg.getAttribute("viewBox").split(" ");
    const height = svg.dataset.height;
    const whole = { viewBox: `0 0 ${width} ${height}`, width, height, color: "#1c2126", "font-family": "sans-serif" };
    for (const [key, value] of Object.entries(whole)) copy.setAttribute(key, value);
    copy.prepend(element(svg, "rect", { width: "100%", height: "100%", fill: "#fff" }));
    return new XMLSerializer().serializeToString(copy);
  };
  const button = (text, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", action);
    return made;
  };
  const axisNames = { step: "steps", epoch: "epochs", bytes_wire: "bytes", seconds: "seconds" };
  const choose = (axis) => {
    for (const figure of document.querySelectorAll("figure")) {
      const variants = [...figure.querySelectorAll(".variant")];
      if (!variants.some((variant) => variant.dataset.axis === axis)) continue;
      for (const variant of variants) variant.hidden = variant.dataset.axis !== axis;
      for (const made of figure.querySelectorAll(".tools button[data-axis]"))
        made.setAttribute("aria-pressed", String(made.dataset.axis === axis));
    }
  };
  for (const figure of document.querySelectorAll("figure")) {
    const shown = () => figure.querySelector(".variant:not([hidden]) > svg");
    const variants = [...figure.querySelectorAll(".variant")];
    const tools = document.createElement("div");
    tools.className = "tools";
    if (variants.length > 1) {
      for (const { dataset } of variants) {
        const made = button(axisNames[dataset.axis], () => choose(dataset.axis));
        made.dataset.axis = dataset.axis;
        tools.append(made);
      }
    }
    const space = document.createElement("span");
    space.className = "space";
    tools.append(space);
    if (figure.querySelector("polyline"))
      tools.append(button("CSV", () => save(`${shown().dataset.name}.csv`, "text/csv", csvOf(shown()))));
    tools.append(button("SVG", () => save(`${shown().dataset.name}.svg`, "image/svg+xml", svgOf(shown()))));
    figure.prepend(tools);
  }
  choose("step");

  // Tables

  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (tr) => tr.cells[column].dataset.value;
        const compare = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x !== undefined && y !== undefined) return Number(x) - Number(y);
          if (x !== undefined || y !== undefined) return x === undefined ? 1 : -1;
          return a.cells[column].textContent.localeCompare(b.cells[column].textContent);
        };
        const sorted = [...table.tBodies[0].rows].sort(compare);
        table.tBodies[0].append(...(down ? sorted.reverse() : sorted));
      };
      head.tabIndex = 0;
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        sort();
      });
    });
  }
})();
