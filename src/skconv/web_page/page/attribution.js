// Attribution by occlusion: how much the probability of a class falls if a region of the model input is covered.

const GRID = 7; // regions per side; each covers two cells of the grid, so that neighbours overlap
const MAX_DEVIATION = 0.02; // between the probabilities of the image and of its model input
const MIN_FALL = 0.01; // smaller falls are not marked
const SIDE = 280; // pixels of the longer side of the drawing

/** Return a canvas with an image that is encoded in base64. */
export async function decode(encoded) {
  const image = new Image();
  image.src = `data:image/png;base64,${encoded}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas;
}

/**
 * Return the fall of the probability of a class for each covered region, row by row.
 *
 * `measure` returns the probability of the class for each of several files; `confidence` is that of the image.
 */
export async function measureFalls(input, measure, confidence) {
  const colour = findMean(input);
  const images = [input, ...Array.from({ length: GRID * GRID }, (_, index) => cover(input, index, colour))];
  const files = images.map((image) => new Promise((resolve) => image.toBlob(resolve, "image/png")));
  const [unchanged, ...covered] = await measure(await Promise.all(files));
  if (Math.abs(unchanged - confidence) > MAX_DEVIATION) {
    throw new Error("Regions cannot be shown for this model, because it preprocesses its own input again.");
  }
  return covered.map((probability) => unchanged - probability);
}

/** Draw the model input with the regions marked by their fall, and return a description. */
export function drawFalls(canvas, input, falls, label) {
  const scale = SIDE / Math.max(input.width, input.height);
  [canvas.width, canvas.height] = [input.width, input.height].map((side) => Math.max(1, Math.round(scale * side)));
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = scale < 1;
  context.drawImage(input, 0, 0, canvas.width, canvas.height);
  const highest = Math.max(...falls);
  if (highest < MIN_FALL) return `Covering single regions lowers the probability of ${label} by less than 1 point.`;
  falls.forEach((fall, index) => {
    context.fillStyle = `rgba(200, 80, 0, ${(0.75 * Math.max(fall, 0)) / highest})`;
    const [left, top, right, bottom] = findCell(canvas, index, 0);
    context.fillRect(left, top, right - left, bottom - top);
  });
  return `Covering the most strongly marked region lowers the probability of ${label} by ${(100 * highest).toFixed(0)} points.`;
}

function cover(input, index, colour) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [input.width, input.height];
  const context = canvas.getContext("2d");
  context.drawImage(input, 0, 0);
  context.fillStyle = colour;
  const [left, top, right, bottom] = findCell(input, index, 0.5);
  context.fillRect(left, top, right - left, bottom - top);
  return canvas;
}

/** Return left, top, right and bottom of a cell, extended on each side by a part of its size. */
function findCell({ width, height }, index, extension) {
  const [column, row] = [index % GRID, Math.floor(index / GRID)];
  return [
    Math.round(((column - extension) * width) / GRID),
    Math.round(((row - extension) * height) / GRID),
    Math.round(((column + 1 + extension) * width) / GRID),
    Math.round(((row + 1 + extension) * height) / GRID),
  ];
}

function findMean(input) {
  const { data } = input.getContext("2d").getImageData(0, 0, input.width, input.height);
  const sums = [0, 0, 0];
  for (let index = 0; index < data.length; index += 4) {
    for (let channel = 0; channel < 3; channel += 1) sums[channel] += data[index + channel];
  }
  return `rgb(${sums.map((sum) => Math.round((4 * sum) / data.length)).join(", ")})`;
}
