// The page: images from the paper, a file, the clipboard, the camera or the examples go to the service.

import { ask, fetchModel } from "./asking.js";
import { DrawingPad } from "./drawing.js";
import { showAnswer, showNothing, showProblem, showWaiting } from "./showing.js";

const PAUSE = 350; // milliseconds after a stroke: the next one may follow at once
const find = (id) => document.getElementById(id);

let readsNumbers = true;
let timer = null;
let address = null; // of the image shown, to be released when another comes

const pad = new DrawingPad(find("pad"), () => {
  find("undo").disabled = find("clear").disabled = pad.isEmpty;
  clearTimeout(timer);
  if (pad.isEmpty) showNothing();
  else timer = setTimeout(async () => askAbout(await pad.toBlob(), { isDrawing: true }), PAUSE);
});

async function askAbout(image, { isDrawing = false } = {}) {
  clearTimeout(timer);
  if (!isDrawing) forgetDrawing();
  showWaiting();
  try {
    const found = await ask(image, readsNumbers);
    if (!found || (isDrawing && pad.isEmpty)) return;
    if (address) URL.revokeObjectURL(address);
    address = isDrawing && !readsNumbers ? null : URL.createObjectURL(image);
    showAnswer(found.answer, found.milliseconds, address);
  } catch (error) {
    showProblem(error.message);
  }
}

function forgetDrawing() {
  pad.strokes = [];
  pad.draw();
  find("undo").disabled = find("clear").disabled = true;
}

find("undo").addEventListener("click", () => pad.undo());
find("clear").addEventListener("click", () => pad.clear());
find("thickness").addEventListener("input", (event) => { pad.thickness = Number(event.target.value); });

for (const id of ["choose", "photo"]) {
  find(id).addEventListener("change", (event) => {
    if (event.target.files.length) askAbout(event.target.files[0]);
    event.target.value = ""; // the same file again is a change
  });
}

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  if (event.dataTransfer.files.length) askAbout(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const image = [...event.clipboardData.files].find((file) => file.type.startsWith("image/"));
  if (image) askAbout(image);
});

for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", async () => {
    askAbout(await (await fetch(`page/examples/${button.dataset.example}`)).blob());
  });
}

try {
  const model = await fetchModel();
  readsNumbers = model.reads_numbers;
  find("examples").hidden = !readsNumbers;
  const { test_accuracy: accuracy } = model.scores;
  const score = accuracy === undefined ? "" : `, ${(100 * accuracy).toFixed(1)} % right on its test images`;
  find("model").textContent = `Network ${model.network}, trained on ${model.name}: ${model.n_classes} classes${score}.`;
  if (!readsNumbers) {
    find("title").textContent = "Draw or drop an image";
    find("answer-title").textContent = "Class";
    pad.useBlackSquare();
    find("pad").classList.add("square");
  }
} catch (error) {
  showProblem(error.message);
}
document.documentElement.dataset.ready = "true";
