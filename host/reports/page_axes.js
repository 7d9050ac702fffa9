"use strict";
// Numbers and axes as the program writes them: what page.js needs to read out and to zoom.

// Numbers, as the program writes them

const plain = (value, step) => {
  const size = Math.max(Math.abs(value), Math.abs(step));
  if (value === 0) return "0";
  if (size >= 1e6 || size < 1e-3) return String(Number(value.toPrecision(3)).toExponential()).replace("e+", "e");
  return value.toFixed(Math.min(20, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))));
};
const bytes = (value, digits) => {
  const units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
  let unit = 0;
  while (Math.abs(value) >= 999.5 && unit + 1 < units.length) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(digits))} ${units[unit]}`;
};
const words = (form, value, step) => {
  if (form === "percent") return `${plain(100 * value, 100 * step)} %`;
  return form === "bytes" ? bytes(value, 3) : plain(value, step);
};
const exact = (form, value) => {
  if (form === "percent") return `${(100 * value).toFixed(2)} %`;
  if (form === "bytes") return bytes(value, 4);
  return String(Number.isInteger(value) ? value : Number(value.toPrecision(5)));
};

// Axes

const axesOf = (svg) => {
  const [left, top, width, height] = svg.dataset.plot.split(" ").map(Number);
  const [x0, x1, y0, y1] = svg.dataset.range.split(" ").map(Number);
  const forms = svg.dataset.forms.split(" ");
  const logs = svg.dataset.logs.split(" ").map((word) => word === "1");
  const along = (low, high, log, begin, length) => ({
    pixel: (value) =>
      begin + (length * (log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low))),
    value: (pixel) => {
      const part = (pixel - begin) / length;
      return log ? low * (high / low) ** part : low + part * (high - low);
    },
  });
  return {
    left, top, width, height,
    x: { ...along(x0, x1, logs[0], left, width), form: forms[0], log: logs[0] },
    y: { ...along(y0, y1, logs[1], top + height, -height), form: forms[1], log: logs[1] },
  };
};

const roundStep = (step) => {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => step <= candidate * (1 + 1e-9));
};
const ticksOf = (low, high, form, log, wanted) => {
  const ticks = [];
  const decades = Math.log10(high / low);
  if (log && decades > 1) {
    const every = Math.max(1, Math.ceil(decades / (wanted + 1)));
    for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power += 1) {
      const value = 10 ** power;
      ticks.push([value, power % every === 0 ? words(form, value, value) : ""]);
    }
    return ticks;
  }
  const step = roundStep((high - low) / wanted);
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1)
    ticks.push([k * step, words(form, k * step, step)]);
  return ticks;
};
