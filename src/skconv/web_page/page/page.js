// Web page: passes drawings, files, pasted images, photos and examples to the model and shows the results.

import { decode, drawFalls, measureFalls } from "./attribution.js";
import { Camera, hasCamera } from "./camera.js";
import { DrawingPad } from "./drawing.js";
import { isDigitModel, isForDrawings } from "./model.js";
import { clearResult, showError, showPending, showResult } from "./result.js";

const DELAY = 350; // milliseconds after a stroke, because another may follow
const N_CLASSES = 5; // most probable classes to show
const find = (id) => document.getElementById(id);
const isLocal = document.documentElement.dataset.backend === "local";
const backend = await import(isLocal ? "./local.js" : "./service.js");

let model = null;
let readsNumbers = false;
let latest = null; // prediction on the page
let timer = null;
let imageUrl = null; // object URL of the image on the page

const camera = new Camera(find("camera"), find("video"));
const pad = new DrawingPad(find("pad"), () => {
  find("undo").disabled = find("clear").disabled = pad.isEmpty;
  clearTimeout(timer);
  if (pad.isEmpty) {
    clearResult();
    forget();
  } else timer = setTimeout(async () => submit(await pad.toBlob(), { isDrawing: true }), DELAY);
});

async function submit(image, { isDrawing = false } = {}) {
  clearTimeout(timer);
  camera.stop();
  if (!isDrawing) discardDrawing();
  showPending();
  forget();
  try {
    const response = await backend.recognize(image, { isDrawing, readsNumbers, nClasses: N_CLASSES });
    if (!response || (isDrawing && pad.isEmpty)) return;
    if (imageUrl) URL.revokeObjectURL(imageUrl);
    imageUrl = isDrawing && !readsNumbers ? null : URL.createObjectURL(image);
    showResult(response.result, response.milliseconds, imageUrl);
    latest = response.result;
    find("explain").hidden = Boolean(latest.digits);
  } catch (error) {
    showError(error.message);
  }
}

/** Remove the regions of the previous prediction. */
function forget() {
  latest = null;
  find("explain").hidden = find("regions").hidden = true;
}

find("explain").addEventListener("click", async () => {
  const result = latest;
  const { label, confidence } = result.top[0]; // the label may be "?"
  find("explain").hidden = true;
  find("falls").hidden = find("regions").hidden = false;
  find("falls-text").textContent = "Computing …";
  try {
    const input = await decode(result.seen);
    const falls = await measureFalls(input, (images) => backend.measureAll(images, label, model), confidence);
    if (result === latest) find("falls-text").textContent = drawFalls(find("falls"), input, falls, label);
  } catch (error) {
    if (result !== latest) return;
    find("falls").hidden = true;
    find("falls-text").textContent = error.message;
  }
});

function discardDrawing() {
  pad.strokes = [];
  pad.draw();
  find("undo").disabled = find("clear").disabled = true;
}

find("undo").addEventListener("click", () => pad.undo());
find("clear").addEventListener("click", () => pad.clear());
find("thickness").addEventListener("input", (event) => { pad.thickness = Number(event.target.value); });

for (const id of ["file", "photo"]) {
  find(id).addEventListener("change", (event) => {
    if (event.target.files.length) submit(event.target.files[0]);
    event.target.value = ""; // so that the same file can be selected again
  });
}

find("start").addEventListener("click", async () => {
  try {
    await camera.start();
    find("take").focus();
  } catch (error) {
    showError(error.message);
  }
});
find("take").addEventListener("click", async () => { submit(await camera.take()); find("start").focus(); });
find("stop").addEventListener("click", () => { camera.stop(); find("start").focus(); });
find("draw").addEventListener("click", () => { beginWith("drawing"); find("pad").focus(); });

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length) submit(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const image = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (image) submit(image);
});

for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", async () => {
    submit(await (await fetch(`page/examples/${button.dataset.example}`)).blob());
  });
}

/** Show the input that a model is made for: the drawing pad before the images, or the images alone. */
function beginWith(kind) {
  const isDrawing = kind === "drawing";
  document.body.dataset.first = kind;
  find("drawing").hidden = !isDrawing;
  find("photos").hidden = false;
  find("draw").hidden ||= isDrawing;
  find(isDrawing ? "result" : "drawing").after(find("photos"));
  if (isDrawing) find("digits").before(find("image"));
  else find("preview").append(find("image"));
}

function describe({ network, name, n_classes: nClasses, scores }) {
  const accuracy = scores.test_accuracy === undefined ? "" : `, test accuracy ${(100 * scores.test_accuracy).toFixed(1)} %`;
  return `Network ${network}, trained on ${name}: ${nClasses} classes${accuracy}.`;
}

function prepare() {
  const isDigit = isDigitModel(model);
  readsNumbers = backend.reads && model.reads_numbers && isDigit;
  find("model").textContent = describe(model);
  find("start").hidden = !hasCamera;
  find("examples").hidden = !readsNumbers;
  find("limits").hidden = !isLocal || !isDigit;
  if (!readsNumbers) pad.useSquare({ isDark: !(isLocal && isDigit) });
  if (isDigit || isForDrawings(model)) {
    find("title").textContent = readsNumbers ? "Draw a number" : isDigit ? "Draw a digit" : "Draw a character";
    if (readsNumbers) find("result-title").textContent = "Reading";
    beginWith("drawing");
  } else {
    find("draw").hidden = model.input.channels !== 1; // a drawing has no colours
    beginWith("photos");
  }
}

try {
  model = await backend.fetchModel();
  prepare();
} catch (error) {
  find("model").textContent = "";
  showError(error.message);
}
document.documentElement.dataset.ready = "true";
