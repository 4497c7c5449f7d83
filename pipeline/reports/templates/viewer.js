"use strict";
(() => {
  const data = JSON.parse(document.getElementById("viewer-data").textContent);
  const viewer = document.getElementById("viewer");
  const slider = document.getElementById("slice");
  const said = document.getElementById("said");
  const opacity = document.getElementById("opacity");
  const last = data.axial.gray.length - 1;
  const LINE = [240, 228, 66];
  const KEPT = 80;
  // Each way of drawing keeps an opacity of its own: what suits a thin line hides all under a fill.
  const state = {
    slice: data.start, window: data.window, overlay: "contour", opacity: { contour: 1, filled: 0.4, off: 0 },
    hidden: new Set(), lungs: true,
  };

  // Pictures to numbers. Of each slice only the codes of its HU are kept, and what is marked.
  const kept = new Map();
  const scratch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  async function values(kind, text, width, height) {
    const picture = new Image();
    picture.src = `data:image/${kind};base64,${text}`;
    await picture.decode();
    scratch.canvas.width = width;
    scratch.canvas.height = height;
    scratch.drawImage(picture, 0, 0, width, height);
    const pixels = scratch.getImageData(0, 0, width, height).data;
    const found = new Uint8Array(width * height);
    for (let at = 0; at < found.length; at += 1) found[at] = pixels[4 * at];
    return found;
  }

  async function decode(name, index) {
    const view = data[name];
    const [width, height] = view.size;
    const codes = await values("jpeg", view.gray[index], width, height);
    if (!view.marks[index]) return { width, height, codes, labels: null, lungs: null };
    const marks = await values("png", view.marks[index], width, 2 * height);
    return { width, height, codes, labels: marks.subarray(0, width * height), lungs: marks.subarray(width * height) };
  }

  function plane(name, index) {
    const key = `${name}${index}`;
    const present = kept.get(key) || decode(name, index);
    kept.delete(key);
    kept.set(key, present);
    if (kept.size > KEPT) kept.delete(kept.keys().next().value);
    return present;
  }

  // Gray of each code under a HU window.
  function shades(name) {
    const [low, high] = data.windows[name];
    const grays = new Uint8ClampedArray(256);
    for (let code = 0; code < 256; code += 1) {
      let row = 1;
      while (row < data.knots.length - 1 && code > data.knots[row][1]) row += 1;
      const [[hu0, code0], [hu1, code1]] = [data.knots[row - 1], data.knots[row]];
      const hu = hu0 + ((hu1 - hu0) * (code - code0)) / (code1 - code0);
      grays[code] = (255 * (hu - low)) / (high - low);
    }
    return grays;
  }

  function isEdge(values, at, x, y, width, height) {
    const value = values[at];
    return (x > 0 && values[at - 1] !== value) || (x < width - 1 && values[at + 1] !== value)
      || (y > 0 && values[at - width] !== value) || (y < height - 1 && values[at + width] !== value);
  }

  function paint(canvas, plane, line = null, overlay = state.overlay) {
    const { width, height, codes, labels, lungs } = plane;
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    const pixels = image.data;
    const grays = shades(state.window);
    const colours = new Map(data.classes.map((one) => [one.value, one.colour]));
    const strength = state.opacity[overlay];
    for (let y = 0, at = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1, at += 1) {
        const gray = grays[codes[at]];
        let colour = null;
        let share = 0;
        if (labels && overlay !== "off") {
          const label = labels[at];
          if (lungs[at] && state.lungs && isEdge(lungs, at, x, y, width, height)) [colour, share] = [data.outline, 0.8];
          if (label && !state.hidden.has(label) && colours.has(label)
            && (overlay === "filled" || isEdge(labels, at, x, y, width, height))) {
            [colour, share] = [colours.get(label), strength];
          }
        }
        if (y === line && x % 6 < 4) [colour, share] = [LINE, 0.9];
        for (let channel = 0; channel < 3; channel += 1) {
          pixels[4 * at + channel] = colour ? gray * (1 - share) + colour[channel] * share : gray;
        }
        pixels[4 * at + 3] = 255;
      }
    }
    context.putImageData(image, 0, 0);
  }

  // Height in an overview: its rows run from head to feet.
  const fromHead = (index) => (data.headwards === 1 ? last - index : index);
  const rowOf = (index, height) => Math.min(height - 1, Math.floor(((fromHead(index) + 0.5) / (last + 1)) * height));

  async function drawAxial() {
    const index = state.slice;
    const found = await plane("axial", index);
    if (index !== state.slice) return;
    const canvas = document.getElementById("axial");
    paint(canvas, found);
    canvas.dataset.slice = index;
    for (const next of [index + 1, index - 1]) if (next >= 0 && next <= last) plane("axial", next);
  }

  async function drawOverviews() {
    for (const name of ["coronal", "sagittal"]) {
      const found = await plane(name, 0);
      paint(document.getElementById(name), found, rowOf(state.slice, found.height));
    }
  }

  async function drawStrip() {
    // A line of one pixel is lost in a small picture.
    const overlay = state.overlay === "contour" ? "filled" : state.overlay;
    for (const button of viewer.querySelectorAll(".strip button")) {
      const found = await plane("axial", Number(button.dataset.slice));
      paint(button.querySelector("canvas"), found, null, overlay);
    }
    viewer.dataset.ready = "true";
  }

  function tell() {
    const index = state.slice;
    const height = data.heights ? `, ${data.heights[index].toFixed(1).replace("-", "−")} mm` : "";
    const text = `Slice ${index} of 0 to ${last}${height}: ${data.captions[index]}`;
    said.textContent = text;
    slider.value = index;
    slider.setAttribute("aria-valuetext", text);
    document.getElementById("axial").setAttribute("aria-label", `Axial. ${text}`);
    for (const button of viewer.querySelectorAll(".strip button")) {
      button.setAttribute("aria-current", String(Number(button.dataset.slice) === index));
    }
    for (const chart of document.querySelectorAll("svg[data-slices]")) {
      const { left, right, slices } = chart.dataset;
      const x = Number(left) + ((right - left) * index) / Math.max(1, slices);
      for (const end of ["x1", "x2"]) chart.querySelector(".cursor").setAttribute(end, x);
    }
  }

  function go(index) {
    state.slice = Math.max(0, Math.min(last, Math.round(index)));
    tell();
    drawAxial();
    drawOverviews();
  }

  function redraw() {
    drawAxial();
    drawOverviews();
    drawStrip();
  }

  function choose(name, value) {
    const radio = viewer.querySelector(`input[name="${name}"][value="${value}"]`);
    if (!radio) return;
    radio.checked = true;
    state[name] = value;
    if (name === "overlay") {
      opacity.value = 100 * state.opacity[value];
      opacity.disabled = value === "off";
      document.getElementById("opacity-said").textContent = `${opacity.value} %`;
    }
    redraw();
  }

  const up = data.headwards;
  const steps = {
    ArrowUp: up, ArrowDown: -up, ArrowRight: 1, ArrowLeft: -1, PageUp: 10 * up, PageDown: -10 * up,
    Home: -Infinity, End: Infinity,
  };
  const names = Object.keys(data.windows);
  const keys = {
    w: () => choose("window", names[(names.indexOf(state.window) + 1) % names.length]),
    c: () => choose("overlay", "contour"), f: () => choose("overlay", "filled"), o: () => choose("overlay", "off"),
  };
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) go(state.slice + steps[event.key]);
    else if (event.key.toLowerCase() in keys) keys[event.key.toLowerCase()]();
    else return;
    event.preventDefault();
  }

  const axial = document.getElementById("axial");
  axial.addEventListener("keydown", onKey);
  slider.addEventListener("keydown", onKey);
  slider.addEventListener("input", () => go(Number(slider.value)));
  // The wheel turns slices only once the slice has the focus: else it scrolls the page.
  axial.addEventListener("wheel", (event) => {
    if (document.activeElement !== axial) return;
    event.preventDefault();
    go(state.slice - up * Math.sign(event.deltaY));
  }, { passive: false });
  for (const name of ["coronal", "sagittal"]) {
    document.getElementById(name).addEventListener("click", (event) => {
      const row = Math.floor((event.offsetY / event.target.clientHeight) * (last + 1));
      go(data.headwards === 1 ? last - row : row);
    });
  }
  for (const chart of document.querySelectorAll("svg[data-slices]")) {
    chart.addEventListener("click", (event) => {
      const box = chart.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
      const { left, right, slices } = chart.dataset;
      go(((x - left) / (right - left)) * slices);
    });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-slice]:not(canvas)");
    if (link) go(Number(link.dataset.slice));
  });
  viewer.addEventListener("change", (event) => {
    const { name, value, id, checked } = event.target;
    if (name === "window" || name === "overlay") choose(name, value);
    else if (name === "class") { state.hidden[checked ? "delete" : "add"](Number(value)); redraw(); }
    else if (id === "lungs") { state.lungs = checked; redraw(); }
  });
  if (opacity) {
    opacity.addEventListener("input", () => {
      state.opacity[state.overlay] = opacity.value / 100;
      document.getElementById("opacity-said").textContent = `${opacity.value} %`;
      redraw();
    });
  }

  go(state.slice);
  drawStrip();
})();
