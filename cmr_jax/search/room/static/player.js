// Moving pictures: all views of a page beat together, at the heart's own rate.

import { element, frames, spoken } from "/api.js";

export class Clock {
  constructor(beat_ms) {
    this.beat_ms = beat_ms;
    this.at = 0; // of the cycle, 0 to 1
    this.playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.listeners = [];
    this.last = null;
    this.stopped = false;
    requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    if (this.stopped) return;
    if (this.playing && this.last !== null) this.go(this.at + (now - this.last) / this.beat_ms);
    this.last = now;
    requestAnimationFrame((next) => this.tick(next));
  }

  go(at) {
    this.at = ((at % 1) + 1) % 1;
    for (const listener of this.listeners) listener(this.at);
  }
}

// Window and level, of grey values 0 to 255, shared by the views of an exam.
export class Greys {
  constructor() {
    this.listeners = [];
    this.set(255, 127.5);
  }

  set(width, level) {
    this.width = Math.min(Math.max(width, 2), 510);
    this.level = Math.min(Math.max(level, 0), 255);
    this.table = Uint8ClampedArray.from({ length: 256 }, (_, v) => ((v - this.level) / this.width + 0.5) * 255);
    for (const listener of this.listeners) listener();
  }
}

export class View {
  constructor(exam, stack, clock, greys) {
    Object.assign(this, { exam, stack, clock, greys });
    this.slice = Math.floor(stack.slices / 2);
    this.loaded = new Map();
    this.canvas = element("canvas", { role: "img", tabindex: "0", "aria-label": this.title() });
    this.slider = stack.slices > 1
      ? element("input", { type: "range", min: 0, max: stack.slices - 1, value: this.slice, "aria-label": `slice of ${this.title()}` })
      : null;
    this.words = element("span", {});
    this.figure = element("figure", { "data-stack": stack.number }, this.canvas,
      element("figcaption", {}, element("span", {}, this.title()), this.words, this.slider));
    this.slider?.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("pointermove", (event) => this.drag(event));
    clock.listeners.push(() => this.draw());
    greys.listeners.push(() => this.draw(true));
    this.show(this.slice);
  }

  title() {
    return `${spoken(this.stack.view)}, ${this.stack.sequence === "OTHER" ? "another kind" : spoken(this.stack.sequence)}`;
  }

  async show(slice) {
    this.slice = Math.min(Math.max(slice, 0), this.stack.slices - 1);
    if (this.slider) this.slider.value = this.slice;
    this.words.textContent = this.stack.slices > 1 ? `slice ${this.slice + 1} of ${this.stack.slices}` : "";
    const wanted = this.slice;
    if (!this.loaded.has(wanted)) {
      try {
        this.loaded.set(wanted, await frames(this.exam, this.stack.number, wanted));
      } catch (error) {
        this.words.textContent = error.message;
        return;
      }
    }
    this.drawn = null;
    this.draw();
  }

  draw(anew = false) {
    const video = this.loaded.get(this.slice);
    if (!video) return;
    const t = Math.min(Math.floor(this.clock.at * video.time), video.time - 1);
    if (!anew && this.drawn === t) return;
    this.drawn = t;
    const { rows, columns, pixels } = video;
    if (this.canvas.width !== columns || this.canvas.height !== rows) Object.assign(this.canvas, { width: columns, height: rows });
    const context = this.canvas.getContext("2d");
    const image = context.createImageData(columns, rows);
    const first = t * rows * columns;
    for (let i = 0; i < rows * columns; i++) {
      const grey = this.greys.table[pixels[first + i]];
      image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = grey;
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    this.canvas.dataset.phase = t;
    this.canvas.dataset.slice = this.slice;
  }

  key(event) {
    const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(this.slice + step);
  }

  drag(event) {
    if (event.buttons !== 1) return;
    this.greys.set(this.greys.width + 2 * event.movementX, this.greys.level - event.movementY);
  }
}

export function controls(clock, greys) {
  const play = element("button", { type: "button", id: "play", "aria-pressed": String(clock.playing) }, clock.playing ? "Pause" : "Play");
  const toggle = () => {
    clock.playing = !clock.playing;
    play.textContent = clock.playing ? "Pause" : "Play";
    play.setAttribute("aria-pressed", String(clock.playing));
  };
  play.addEventListener("click", toggle);
  const phase = element("input", { type: "range", id: "phase", min: 0, max: 0.999, step: 0.001, value: 0 });
  phase.addEventListener("input", () => { if (clock.playing) toggle(); clock.go(Number(phase.value)); });
  clock.listeners.push((at) => { phase.value = at; });
  const width = element("input", { type: "range", id: "window", min: 2, max: 510, value: greys.width });
  const level = element("input", { type: "range", id: "level", min: 0, max: 255, value: greys.level });
  const change = () => greys.set(Number(width.value), Number(level.value));
  width.addEventListener("input", change);
  level.addEventListener("input", change);
  greys.listeners.push(() => { width.value = greys.width; level.value = greys.level; });
  const reset = element("button", { type: "button", onclick: () => greys.set(255, 127.5) }, "Reset greys");
  const shown = element("div", { class: "controls", role: "group", "aria-label": "Player" }, play,
    element("label", {}, "phase", phase), element("label", {}, "window", width), element("label", {}, "level", level), reset);
  const key = (event) => {
    const act = {
      " ": toggle,
      ArrowLeft: () => { if (clock.playing) toggle(); clock.go(clock.at - 0.04); },
      ArrowRight: () => { if (clock.playing) toggle(); clock.go(clock.at + 0.04); },
      "[": () => greys.set(greys.width - 16, greys.level),
      "]": () => greys.set(greys.width + 16, greys.level),
      "-": () => greys.set(greys.width, greys.level - 8),
      "=": () => greys.set(greys.width, greys.level + 8),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
    return Boolean(act);
  };
  return { shown, key };
}
