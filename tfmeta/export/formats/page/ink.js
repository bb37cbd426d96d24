// A field to draw in, with pointer or keyboard, and its drawing as pixels.

const FINE = 12; // Pixels of the raster to one of the net's, along each side.
const STEP = 0.03; // How far an arrow key moves the pen, as a share of the field.

export class Pad {
  // size: {height, width} of the net's pictures; pen: its width, as a share of the field.
  constructor(place, { label, size, pen, changed, told = () => {} }) {
    this.told = told;
    this.lines = [];
    this.size = size;
    this.pen = pen;
    this.changed = changed;
    this.at = { x: 0.5, y: 0.5 };
    this.down = false; // Whether the keyboard's pen is down.
    this.canvas = document.createElement("canvas");
    this.canvas.width = this.canvas.height = 640;
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.name(label);
    place.append(this.canvas);
    this.listen();
    this.show();
  }

  name(label) {
    this.canvas.setAttribute(
      "aria-label",
      `${label}. Arrow keys move the pen, Space puts it down or lifts it.`,
    );
  }

  get empty() {
    return this.lines.length === 0;
  }

  clear() {
    this.lines = [];
    this.lift();
    this.redraw();
  }

  undo() {
    this.lines.pop();
    this.lift();
    this.redraw();
  }

  // Draws lines at once: arrays of [x, y], shares of the field.
  draw(lines) {
    this.lines = lines.map((line) => line.map(([x, y]) => ({ x, y })));
    this.redraw();
  }

  // Ends a line that is being drawn, by pointer or keyboard.
  lift() {
    this.pointer = undefined;
    this.down = false;
  }

  redraw() {
    this.show();
    this.changed();
  }

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      canvas.setPointerCapture(event.pointerId);
      this.down = false;
      this.pointer = event.pointerId;
      this.lines.push([this.place(event)]);
      this.show();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.pointer) return;
      const moves = event.getCoalescedEvents?.() ?? [];
      for (const each of moves.length ? moves : [event]) {
        this.lines.at(-1).push(this.place(each));
      }
      this.show();
    });
    const end = (event) => {
      if (event.pointerId !== this.pointer) return;
      this.pointer = undefined;
      this.changed();
    };
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("focus", () => this.show());
    canvas.addEventListener("blur", () => {
      if (this.down) {
        this.lift();
        this.changed();
      }
      this.show();
    });
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: (event.clientX - box.left) / box.width,
      y: (event.clientY - box.top) / box.height,
    };
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const ways = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
    };
    const way = ways[event.key];
    if (way) {
      const kept = (n) => Math.min(Math.max(n, 0.02), 0.98);
      this.at = { x: kept(this.at.x + STEP * way[0]), y: kept(this.at.y + STEP * way[1]) };
      if (this.down) this.lines.at(-1).push(this.at);
      this.show();
    } else if (event.key === " ") {
      this.down = !this.down;
      this.told(this.down ? "Pen down" : "Pen up");
      if (this.down) this.lines.push([this.at]);
      this.show();
      if (!this.down) this.changed();
    } else if (event.key === "z" || event.key === "Z") {
      this.undo();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.clear();
    } else {
      return;
    }
    event.preventDefault();
  }

  show() {
    const context = this.canvas.getContext("2d");
    const { width } = this.canvas;
    context.clearRect(0, 0, width, width);
    trace(context, this.lines, width, width, this.pen);
    if (document.activeElement === this.canvas) {
      context.beginPath();
      context.arc(this.at.x * width, this.at.y * width, 14, 0, 2 * Math.PI);
      context.strokeStyle = this.down ? "#f2a65e" : "#9cc3f5";
      context.lineWidth = 6;
      context.stroke();
    }
  }

  // The drawing as the net sees it: numbers from 0 (ground) to 1 (ink), row by row.
  pixels() {
    return rastered(this.lines, this.size, this.pen);
  }
}

function trace(context, lines, width, height, pen) {
  context.strokeStyle = context.fillStyle = "#ffffff";
  context.lineWidth = pen * width;
  context.lineCap = context.lineJoin = "round";
  for (const line of lines) {
    context.beginPath();
    context.moveTo(line[0].x * width, line[0].y * height);
    if (line.length === 1) context.lineTo(line[0].x * width + 0.01, line[0].y * height);
    for (const point of line.slice(1)) context.lineTo(point.x * width, point.y * height);
    context.stroke();
  }
}

function rastered(lines, { height, width }, pen) {
  const fine = document.createElement("canvas");
  fine.width = width * FINE;
  fine.height = height * FINE;
  const context = fine.getContext("2d", { willReadFrequently: true });
  trace(context, lines, fine.width, fine.height, pen);
  const { data } = context.getImageData(0, 0, fine.width, fine.height);
  const found = new Float32Array(height * width);
  for (let row = 0; row < fine.height; row++) {
    for (let column = 0; column < fine.width; column++) {
      const place = Math.floor(row / FINE) * width + Math.floor(column / FINE);
      found[place] += data[4 * (row * fine.width + column) + 3];
    }
  }
  return found.map((sum) => Math.round(sum / (FINE * FINE)) / 255);
}
