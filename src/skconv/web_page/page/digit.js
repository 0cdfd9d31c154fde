// Normalisation of a drawn or cleanly scanned digit to the form of MNIST.
//
// The steps are those of skconv.digits.preprocess.normalization, without the removal of uneven backgrounds, lines,
// specks and neighbours, and without the correction of the stroke width.

import { resize, roundHalfEven } from "./resize.js";

const SIDE = 28;
const BOX = 20; // pixels of the longer side of a digit
const MIN_INK = 0.04; // fainter pixels do not extend the bounding box
const WEIGHTS = [-0.1, 1.2, -0.1].map(Math.fround); // of the thirds of a pixel, to reduce blur
const BORDER = 0.03; // width of the border, as a fraction of the shorter side

/** Normalise a grey image of one digit to 28×28 pixels, light on dark; all zeros if there is no ink. */
export function normalizeDigit(image) {
  if (hasMnistForm(image)) return image;
  const strokes = crop(findStrokes(image));
  return strokes ? centre(fitBox(strokes)) : { width: SIDE, height: SIDE, channels: 1, data: new Uint8Array(SIDE * SIDE) };
}

/** Return whether an image has the size, box and centre of mass of a digit of MNIST. */
function hasMnistForm({ width, height, data }) {
  if (width !== SIDE || height !== SIDE || Math.max(...data) < 250) return false;
  let longest = 0;
  for (const isRow of [true, false]) {
    const mass = sumAlong({ width, height, data }, isRow);
    const first = mass.findIndex(Boolean);
    const last = mass.findLastIndex(Boolean);
    const offset = SIDE / 2 - findCentre(mass);
    const isCentred = Math.abs(offset) <= 0.6 || (offset > 0 && last === SIDE - 1) || (offset < 0 && first === 0);
    if (!isCentred) return false;
    longest = Math.max(longest, last + 1 - first);
  }
  return longest >= BOX - 2 && longest <= BOX;
}

/** Return the contrast to the median of the border, from 0 to 1, whichever of both is lighter. */
function findStrokes({ width, height, data }) {
  const margin = Math.max(1, Math.round(BORDER * Math.min(width, height)));
  const isBorder = (index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    return x < margin || y < margin || x >= width - margin || y >= height - margin;
  };
  const border = data.filter((_, index) => isBorder(index)).sort();
  const background = border[border.length >> 1];
  let [cubes, strongest] = [0, 0];
  for (const value of data) {
    cubes += (value - background) ** 3;
    strongest = Math.max(strongest, Math.abs(value - background));
  }
  const sign = cubes > 0 ? 1 : -1;
  const strokes = Float32Array.from(data, (value) => Math.max(0, sign * (value - background)) / Math.max(strongest, 1));
  return { width, height, channels: 1, data: strokes };
}

/** Return the bounding box of the ink, or null if there is none. */
function crop(strokes) {
  const [rows, columns] = [maxAlong(strokes, true), maxAlong(strokes, false)];
  const [top, left] = [rows, columns].map((profile) => profile.findIndex((value) => value >= MIN_INK));
  if (top < 0) return null;
  const [bottom, right] = [rows, columns].map((profile) => profile.findLastIndex((value) => value >= MIN_INK) + 1);
  const [width, height] = [right - left, bottom - top];
  const data = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    const start = (top + y) * strokes.width + left;
    data.set(strokes.data.subarray(start, start + width), y * width);
  }
  return { width, height, channels: 1, data };
}

/** Resize strokes to the box of 20×20 pixels; strokes end where their value is half of the maximum. */
function fitBox(strokes) {
  const longest = Math.max(strokes.width, strokes.height);
  const [top, bottom] = findEdges(maxAlong(strokes, true), longest);
  const [left, right] = findEdges(maxAlong(strokes, false), longest);
  const scale = BOX / Math.max(bottom - top, right - left);
  const [width, height] = [right - left, bottom - top].map((side) => Math.max(1, roundHalfEven(side * scale)));
  const filter = scale > 1 ? "bicubic" : "box";
  const thirds = resize(strokes, 3 * width, 3 * height, { box: [left, top, right, bottom], filter });
  const data = new Float32Array(width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      let sum = 0;
      for (let a = 0; a < 3; a += 1) {
        for (let b = 0; b < 3; b += 1) {
          sum += thirds.data[(3 * y + a) * thirds.width + 3 * x + b] * WEIGHTS[a] * WEIGHTS[b];
        }
      }
      data[y * width + x] = Math.min(Math.max(sum, 0), 1);
    }
  }
  return { width, height, channels: 1, data };
}

/** Return start and end of the ink in a profile, with subpixel accuracy. */
function findEdges(profile, longest) {
  const reach = Math.trunc((0.7 * longest) / BOX) + 1;
  const first = findFirstEdge(profile, reach);
  const last = profile.length - findFirstEdge([...profile].reverse(), reach);
  return last - first >= 1 ? [first, last] : [0, profile.length];
}

function findFirstEdge(profile, reach) {
  const half = Math.max(...profile.slice(0, reach)) / 2;
  const after = profile.findIndex((value) => value >= half);
  const before = after > 0 ? profile[after - 1] : 0;
  return Math.max(0, after - 0.5 + (half - before) / Math.max(profile[after] - before, 1e-6));
}

/** Place strokes in 28×28 pixels, with their centre of mass at pixel (14, 14). */
function centre(strokes) {
  const data = new Uint8Array(SIDE * SIDE);
  const strongest = Math.max(...strokes.data);
  if (strongest > 0) {
    const [top, left] = [true, false].map((isRow) => {
      const corner = roundHalfEven(SIDE / 2 - findCentre(sumAlong(strokes, isRow)));
      return Math.min(Math.max(corner, 0), SIDE - (isRow ? strokes.height : strokes.width));
    });
    strokes.data.forEach((value, index) => {
      const [x, y] = [index % strokes.width, Math.floor(index / strokes.width)];
      data[(top + y) * SIDE + left + x] = roundHalfEven((255 * value) / Math.max(strongest, 1e-6));
    });
  }
  return { width: SIDE, height: SIDE, channels: 1, data };
}

function findCentre(mass) {
  const total = mass.reduce((sum, each) => sum + each, 0);
  return mass.reduce((sum, each, index) => sum + each * index, 0) / total;
}

function sumAlong(image, isRow) {
  return foldAlong(image, isRow, (sum, value) => sum + value);
}

function maxAlong(image, isRow) {
  return foldAlong(image, isRow, Math.max);
}

/** Combine the values of each row, or of each column. */
function foldAlong({ width, height, data }, isRow, combine) {
  const result = new Array(isRow ? height : width).fill(0);
  for (let index = 0; index < data.length; index += 1) {
    const position = isRow ? Math.floor(index / width) : index % width;
    result[position] = combine(result[position], data[index]);
  }
  return result;
}
