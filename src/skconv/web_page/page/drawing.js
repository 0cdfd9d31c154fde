// Drawing pad for mouse, pen, finger and keyboard.

const STEP = 12; // canvas units per arrow key; four times as many with Shift

export class DrawingPad {
  /** onChange is called after every stroke, undo and clear. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onChange = onChange;
    this.thickness = 22;
    this.background = "#ffffff";
    this.foreground = "#111111";
    this.strokes = [];
    this.current = null;
    this.pen = null; // position of the keyboard's pen, null until it is used
    canvas.addEventListener("pointerdown", (event) => this.startPointer(event));
    canvas.addEventListener("pointermove", (event) => this.movePointer(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.endStroke());
    canvas.addEventListener("keydown", (event) => this.handleKey(event));
    canvas.addEventListener("blur", () => { this.endStroke(); this.pen = null; this.draw(); });
    this.draw();
  }

  get isEmpty() { return this.strokes.length === 0; }

  /** Use a square for one character; white on black if the model does not adapt the colours, as of MNIST. */
  useSquare({ isDark }) {
    this.canvas.width = this.canvas.height;
    this.canvas.classList.add("square");
    if (isDark) [this.background, this.foreground] = ["#000000", "#ffffff"];
    this.draw();
  }

  undo() {
    if (this.isEmpty) return;
    this.strokes.pop();
    this.current = null;
    this.draw();
    this.onChange();
  }

  clear() {
    if (this.isEmpty) return;
    this.strokes = [];
    this.current = null;
    this.draw();
    this.onChange();
  }

  /** Return the drawing as a PNG file, without the keyboard's pen. */
  toBlob() {
    this.draw(false);
    return new Promise((resolve) => this.canvas.toBlob((blob) => { resolve(blob); this.draw(); }, "image/png"));
  }

  startPointer(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* the pointer was released already */ }
    this.pen = null;
    this.startStroke(this.toPoint(event));
  }

  movePointer(event) {
    if (!this.current || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.current.points.push(this.toPoint(each));
    this.draw();
  }

  endStroke() {
    if (!this.current) return;
    this.current = null;
    this.onChange();
  }

  handleKey(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key in moves) this.movePen(...moves[event.key], event.shiftKey ? 4 * STEP : STEP);
    else if (event.key === " ") this.togglePen();
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
  }

  movePen(right, down, step) {
    this.pen ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    this.pen = {
      x: Math.min(Math.max(this.pen.x + right * step, 0), this.canvas.width),
      y: Math.min(Math.max(this.pen.y + down * step, 0), this.canvas.height),
    };
    if (this.current) this.current.points.push(this.pen);
    this.draw();
  }

  togglePen() {
    this.pen ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    if (this.current) this.endStroke();
    else this.startStroke(this.pen);
    this.draw();
  }

  startStroke(point) {
    this.current = { thickness: this.thickness, points: [point] };
    this.strokes.push(this.current);
    this.draw();
  }

  toPoint(event) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) * this.canvas.width) / frame.width,
      y: ((event.clientY - frame.top) * this.canvas.height) / frame.height,
    };
  }

  draw(withPen = true) {
    const { context, canvas } = this;
    context.fillStyle = this.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = this.foreground;
    context.lineCap = context.lineJoin = "round";
    for (const { thickness, points } of this.strokes) {
      context.lineWidth = thickness;
      context.beginPath();
      context.moveTo(points[0].x, points[0].y);
      for (const point of points) context.lineTo(point.x, point.y);
      context.stroke();
    }
    if (withPen && this.pen) this.drawPen();
  }

  drawPen() {
    const { context, pen } = this;
    context.strokeStyle = this.current ? "#c85000" : "#005ab5";
    context.lineWidth = 3;
    context.beginPath();
    context.arc(pen.x, pen.y, 16, 0, 2 * Math.PI);
    context.stroke();
  }
}
