// Normalisation of a drawn or cleanly scanned digit to the form of MNIST.
//
// The steps are a part of those of skconv.digits.preprocess: the background is even, specks are removed, but no lines and
// neighbouring characters, and the stroke width is not corrected.

import { resize, roundHalfEven } from "./resize.js";

const SIDE = 28;
const BOX = 20; // pixels of the longer side of a digit
const MIN_INK = 0.04; // fainter pixels do not extend the bounding box
const WEIGHTS = [-0.1, 1.2, -0.1].map(Math.fround); // of the thirds of a pixel, to reduce blur
const MIN_CONTRAST = 10; // grey levels; smaller differences are the unevenness of a scan
const MIN_COMPONENT = 0.22; // fainter pixels do not connect strokes
const MAD_TO_SD = 1.4826; // ratio of standard deviation to median absolute deviation of a normal distribution

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

/** Return the ink as 1 and the background as 0, from the contrast to the median of the border. */
function findStrokes({ width, height, data }) {
  const border = listBorder(width, height, data).sort();
  const background = border[border.length >> 1];
  let cubes = 0; // give ink, which deviates strongly, more weight than the background
  for (const value of data) cubes += (value - background) ** 3;
  const contrast = Float32Array.from(data, (value) => Math.sign(cubes || 1) * (value - background));
  const deviations = border.map((value) => Math.abs(value - background)).sort();
  const floor = 3 * MAD_TO_SD * deviations[deviations.length >> 1];
  const above = contrast.filter((value) => value > floor + MIN_CONTRAST / 2).sort();
  const threshold = findThreshold(above);
  const ink = above.filter((value) => value >= threshold);
  const core = ink.length ? ink[Math.trunc(0.9 * (ink.length - 1))] : 0;
  if (core < Math.max(MIN_CONTRAST, 2 * floor)) return { width, height, channels: 1, data: new Float32Array(data.length) };
  const strokes = contrast.map((value) => Math.min(Math.max((value - floor) / (core - floor), 0), 1));
  return { width, height, channels: 1, data: selectDigit(strokes, width, height) };
}

/** Return the pixels of a border of 3 % of the shorter side. */
function listBorder(width, height, data) {
  const margin = Math.max(1, Math.round(0.03 * Math.min(width, height)));
  return data.filter((_, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    return x < margin || y < margin || x >= width - margin || y >= height - margin;
  });
}

/** Return Otsu's threshold of sorted values. */
function findThreshold(values) {
  const total = values.reduce((sum, each) => sum + each, 0);
  let [best, threshold, sum] = [-1, values[0] ?? 0, 0];
  for (let below = 1; below < values.length; below += 1) {
    sum += values[below - 1];
    const above = values.length - below;
    const variance = below * above * (sum / below - (total - sum) / above) ** 2;
    if (variance > best) [best, threshold] = [variance, values[below]];
  }
  return threshold;
}

/** Set all but the digit to 0: components that are small compared with it, the larger the farther away, and noise. */
function selectDigit(strokes, width, height) {
  const { labels, components } = findComponents(strokes, width, height);
  if (components.length === 0) return strokes.fill(0);
  const main = components.reduce((a, b) => (weigh(b, width, height) > weigh(a, width, height) ? b : a));
  const selected = new Set([main]);
  const box = { ...main };
  for (let found = true; found;) {
    const part = components.find((each) => !selected.has(each) && isPart(each, main, box));
    found = part !== undefined;
    if (!found) break;
    selected.add(part);
    for (const side of ["left", "top"]) box[side] = Math.min(box[side], part[side]);
    for (const side of ["right", "bottom"]) box[side] = Math.max(box[side], part[side]);
  }
  // The soft edges of the digit are faint, as is the noise far from it.
  const reach = Math.max(1, roundHalfEven(0.04 * (Math.max(box.right - box.left, box.bottom - box.top) - 1)));
  return strokes.map((value, index) => {
    const [x, y] = [index % width, Math.floor(index / width)];
    const isNear = x >= box.left - reach && x < box.right + reach && y >= box.top - reach && y < box.bottom + reach;
    return isNear && (labels[index] < 0 || selected.has(components[labels[index]])) ? value : 0;
  });
}

/** Return the weight of a component as the digit: its area, lower away from the centre and at the edge of the image. */
function weigh({ area, left, top, right, bottom }, width, height) {
  const eccentricity = Math.hypot((left + right) / 2 / width - 0.5, (top + bottom) / 2 / height - 0.5);
  const isAtEdge = left === 0 || top === 0 || right === width || bottom === height;
  return area * (isAtEdge ? 0.3 : 1) * Math.exp(-((eccentricity / 0.4) ** 2));
}

function isPart(each, main, box) {
  const gap = Math.hypot(
    Math.max(0, each.left - box.right, box.left - each.right),
    Math.max(0, each.top - box.bottom, box.top - each.bottom),
  );
  return each.area / main.area >= 0.02 + (0.6 * gap) / Math.max(box.right - box.left, box.bottom - box.top);
}

/** Return the 8-connected components of ink, and the number of the component of each pixel or -1. */
function findComponents(strokes, width, height) {
  const labels = new Int32Array(strokes.length).fill(-1);
  const components = [];
  for (let start = 0; start < strokes.length; start += 1) {
    if (labels[start] >= 0 || strokes[start] < MIN_COMPONENT) continue;
    const component = { area: 0, left: width, top: height, right: 0, bottom: 0 };
    const stack = [start];
    labels[start] = components.length;
    while (stack.length) {
      const index = stack.pop();
      const [x, y] = [index % width, Math.floor(index / width)];
      component.area += 1;
      [component.left, component.top] = [Math.min(component.left, x), Math.min(component.top, y)];
      [component.right, component.bottom] = [Math.max(component.right, x + 1), Math.max(component.bottom, y + 1)];
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row += 1) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column += 1) {
          const next = row * width + column;
          if (labels[next] >= 0 || strokes[next] < MIN_COMPONENT) continue;
          labels[next] = components.length;
          stack.push(next);
        }
      }
    }
    components.push(component);
  }
  return { labels, components };
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
