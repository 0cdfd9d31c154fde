// A sheet of paper to draw on with mouse, pen, finger or keyboard.

const STEP = 12; // units of the canvas that an arrow key moves the pen; with Shift four times as far

export class DrawingPad {
  /** onChange is called after every stroke, and after one is taken back or all are cleared. */
  constructor(canvas, onChange) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.onChange = onChange;
    this.thickness = 22;
    this.paper = "#ffffff";
    this.ink = "#111111";
    this.strokes = [];
    this.current = null;
    this.pen = null; // where the keyboard's pen is, once it was used
    canvas.addEventListener("pointerdown", (event) => this.begin(event));
    canvas.addEventListener("pointermove", (event) => this.follow(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => this.end());
    canvas.addEventListener("keydown", (event) => this.press(event));
    canvas.addEventListener("blur", () => { this.end(); this.pen = null; this.draw(); });
    this.draw();
  }

  get isEmpty() { return this.strokes.length === 0; }

  /** A square of black paper and a white pen: what a network sees that does not find its subject itself. */
  useBlackSquare() {
    this.canvas.width = this.canvas.height;
    [this.paper, this.ink] = ["#000000", "#ffffff"];
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

  /** The drawing as a PNG file, without the keyboard's pen. */
  toBlob() {
    this.draw(false);
    return new Promise((resolve) => this.canvas.toBlob((blob) => { resolve(blob); this.draw(); }, "image/png"));
  }

  begin(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    try { this.canvas.setPointerCapture(event.pointerId); } catch { /* a pointer that is gone already */ }
    this.pen = null;
    this.startStroke(this.place(event));
  }

  follow(event) {
    if (!this.current || !event.isPrimary) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.current.points.push(this.place(each));
    this.draw();
  }

  end() {
    if (!this.current) return;
    this.current = null;
    this.onChange();
  }

  press(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") this.undo();
    else if (event.ctrlKey || event.metaKey || event.altKey) return;
    else if (event.key in moves) this.move(...moves[event.key], event.shiftKey ? 4 * STEP : STEP);
    else if (event.key === " ") this.toggle();
    else if (event.key === "Delete" || event.key === "Backspace") this.clear();
    else return;
    event.preventDefault();
  }

  move(right, down, step) {
    this.pen ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    this.pen = {
      x: Math.min(Math.max(this.pen.x + right * step, 0), this.canvas.width),
      y: Math.min(Math.max(this.pen.y + down * step, 0), this.canvas.height),
    };
    if (this.current) this.current.points.push(this.pen);
    this.draw();
  }

  toggle() {
    this.pen ??= { x: this.canvas.width / 2, y: this.canvas.height / 2 };
    if (this.current) this.end();
    else this.startStroke(this.pen);
    this.draw();
  }

  startStroke(point) {
    this.current = { thickness: this.thickness, points: [point] };
    this.strokes.push(this.current);
    this.draw();
  }

  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - frame.left) * this.canvas.width) / frame.width,
      y: ((event.clientY - frame.top) * this.canvas.height) / frame.height,
    };
  }

  draw(withPen = true) {
    const { context, canvas } = this;
    context.fillStyle = this.paper;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.strokeStyle = this.ink;
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
