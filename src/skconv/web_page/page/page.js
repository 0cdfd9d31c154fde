// Web page: sends drawings, files, pasted images, photos and examples to the service and shows the results.

import { fetchModel, recognize } from "./api.js";
import { DrawingPad } from "./drawing.js";
import { clearResult, showError, showPending, showResult } from "./result.js";

const DELAY = 350; // milliseconds after a stroke, because another may follow
const find = (id) => document.getElementById(id);

let readsNumbers = true;
let timer = null;
let imageUrl = null; // object URL of the image on the page

const pad = new DrawingPad(find("pad"), () => {
  find("undo").disabled = find("clear").disabled = pad.isEmpty;
  clearTimeout(timer);
  if (pad.isEmpty) clearResult();
  else timer = setTimeout(async () => submit(await pad.toBlob(), { isDrawing: true }), DELAY);
});

async function submit(image, { isDrawing = false } = {}) {
  clearTimeout(timer);
  if (!isDrawing) discardDrawing();
  showPending();
  try {
    const response = await recognize(image, readsNumbers);
    if (!response || (isDrawing && pad.isEmpty)) return;
    if (imageUrl) URL.revokeObjectURL(imageUrl);
    imageUrl = isDrawing && !readsNumbers ? null : URL.createObjectURL(image);
    showResult(response.result, response.milliseconds, imageUrl);
  } catch (error) {
    showError(error.message);
  }
}

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

try {
  const model = await fetchModel();
  readsNumbers = model.reads_numbers;
  find("examples").hidden = !readsNumbers;
  const { test_accuracy: accuracy } = model.scores;
  const score = accuracy === undefined ? "" : `, test accuracy ${(100 * accuracy).toFixed(1)} %`;
  find("model").textContent = `Network ${model.network}, trained on ${model.name}: ${model.n_classes} classes${score}.`;
  if (!readsNumbers) {
    find("title").textContent = "Draw or drop an image";
    find("result-title").textContent = "Class";
    pad.useBlackSquare();
    find("pad").classList.add("square");
  }
} catch (error) {
  showError(error.message);
}
document.documentElement.dataset.ready = "true";
