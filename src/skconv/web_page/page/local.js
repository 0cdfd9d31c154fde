// Predictions in the browser, with onnxruntime-web and the files of `skconv export --format web`.

import { env, InferenceSession, Tensor } from "../onnxruntime-web/ort.js";
import { isDigitModel } from "./model.js";
import { preprocess } from "./preprocess.js";

export const reads = false; // one class per image

let model = null;
let session = null;
let queue = Promise.resolve(); // a session runs one image at a time
let newest = 0;

export async function fetchModel() {
  const fetchFile = async (path) => {
    const response = await fetch(path);
    if (!response.ok) throw new Error(`The file ${path} of this page is missing. Copy the exported folder again.`);
    return response;
  };
  const [description, network, runtime] = await Promise.all(
    ["model.json", "model.onnx", "onnxruntime-web/ort.wasm"].map(fetchFile),
  );
  model = await description.json();
  // Passed as bytes, because some file servers send .wasm files with a type that browsers do not compile.
  env.wasm.wasmBinary = await runtime.arrayBuffer();
  env.wasm.numThreads = 1; // threads need response headers that file servers do not send
  env.logLevel = "error";
  session = await InferenceSession.create(new Uint8Array(await network.arrayBuffer()), { executionProviders: ["wasm"] });
  return model;
}

/** Return {result, milliseconds} for an image, or null if a newer image has replaced it. */
export function recognize(image, { isDrawing, nClasses }) {
  const number = (newest += 1);
  const work = queue.then(() => (number === newest ? classify(image, isDrawing, nClasses) : null));
  queue = work.catch(() => {});
  return work;
}

/** Return the probability of a class for each of several images, which have the size of the model's images. */
export function measureAll(images, label) {
  const index = model.class_names.indexOf(label);
  const work = queue.then(async () => {
    const found = [];
    for (const image of images) {
      const input = await preprocess(image, model.input, false);
      found.push((await session.run({ images: toTensor(input) })).probabilities.data[index]);
    }
    return found;
  });
  queue = work.catch(() => {});
  return work;
}

async function classify(image, isDrawing, nClasses) {
  const start = performance.now();
  const isDigit = model.input.normalization === "digit" || (isDrawing && isDigitModel(model));
  const input = await preprocess(image, model.input, isDigit);
  const outputs = await session.run({ images: toTensor(input) });
  const result = describe(outputs, nClasses);
  return { result: { ...result, seen: encode(input) }, milliseconds: performance.now() - start };
}

/** Return an image as float32 (1, channels, height, width). */
function toTensor({ width, height, channels, data }) {
  const area = width * height;
  const values = new Float32Array(data.length);
  for (let index = 0; index < data.length; index += 1) {
    values[(index % channels) * area + Math.floor(index / channels)] = data[index];
  }
  return new Tensor("float32", values, [1, channels, height, width]);
}

/** Return a prediction with the keys of the service. */
function describe({ probabilities, ood_score: score }, nClasses) {
  const ranked = [...probabilities.data]
    .map((confidence, index) => ({ label: model.class_names[index], confidence }))
    .sort((a, b) => b.confidence - a.confidence);
  const result = { ...ranked[0], top: ranked.slice(0, nClasses) };
  if (!model.ood || !score) return result;
  return { ...result, ood_score: score.data[0], unlike_training: score.data[0] > model.ood.threshold };
}

/** Return an image as a PNG file in base64. */
function encode({ width, height, channels, data }) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const pixels = new ImageData(width, height);
  for (let index = 0; index < width * height; index += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      pixels.data[4 * index + channel] = data[index * channels + (channels === 3 ? channel : 0)];
    }
    pixels.data[4 * index + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}
