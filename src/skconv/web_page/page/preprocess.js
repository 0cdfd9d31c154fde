// From an image file to the input of the model, by the rules of skconv.images in Python.

import { normalizeDigit } from "./digit.js";
import { reduce, resize, roundHalfEven } from "./resize.js";

const MAX_PIXELS = 13_000_000; // larger images are reduced while they are decoded

/** Return the input of the model, {width, height, channels, data}, for a file; `input` describes it as in model.json. */
export async function preprocess(file, input, isDigit) {
  const image = await decode(file, input.decoded_side);
  if (isDigit) return normalizeDigit(toGrey(image));
  return fit(input.channels === 1 ? toGrey(image) : image, input);
}

/** Decode an image file in upright orientation, without its colour profile, to RGB. */
async function decode(file, side) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  } catch {
    throw new Error("The browser cannot decode this file; expected an image such as PNG, JPEG or WebP. Convert it.");
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const image = composite(context.getImageData(0, 0, width, height));
  return reduce(image, await findFactor(file, image, side));
}

/** Return the factor by which Python reduces an image while decoding it. */
async function findFactor(file, { width, height }, side) {
  const start = new Uint8Array(await file.slice(0, 3).arrayBuffer());
  const isJpeg = start[0] === 0xff && start[1] === 0xd8 && start[2] === 0xff;
  const shorter = Math.min(width, height);
  const isLarge = width * height > MAX_PIXELS;
  if (side === null) return isJpeg && isLarge ? 2 : 1;
  if (isJpeg) return [8, 4, 2].find((factor) => shorter >= factor * side) ?? 1;
  return isLarge ? Math.floor(shorter / side) : 1;
}

/** Composite RGBA pixels on white, or on black if light strokes are drawn on a transparent background. */
function composite({ width, height, data: pixels }) {
  const background = chooseBackground(pixels);
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    const alpha = pixels[from + 3];
    for (let channel = 0; channel < 3; channel += 1, to += 1) {
      const value = background * (255 - alpha) + pixels[from + channel] * alpha + 128;
      data[to] = ((value >> 8) + value) >> 8;
    }
  }
  return { width, height, channels: 3, data };
}

function chooseBackground(pixels) {
  let [opacity, brightness, count] = [0, 0, 0];
  for (let index = 0; index < pixels.length; index += 4) {
    if (pixels[index + 3] === 0) continue;
    opacity += pixels[index + 3];
    brightness += luma(pixels, index);
    count += 1;
  }
  const coverage = opacity / 255 / (pixels.length / 4);
  return coverage > 0 && coverage < 0.5 && brightness / count > 191 ? 0 : 255;
}

function luma(pixels, index) {
  return (pixels[index] * 19595 + pixels[index + 1] * 38470 + pixels[index + 2] * 7471 + 0x8000) >> 16;
}

export function toGrey({ width, height, data: pixels }) {
  const data = new Uint8Array(width * height);
  for (let index = 0; index < data.length; index += 1) data[index] = luma(pixels, 3 * index);
  return { width, height, channels: 1, data };
}

/** Resize an image to the size of the model by its rule for images of another aspect ratio. */
export function fit(image, { width, height, resize: rule }) {
  if (image.width === width && image.height === height) return image;
  if (rule === "pad") return pad(image, width, height);
  return resize(image, width, height, rule === "crop" ? { box: findCrop(image, width, height) } : {});
}

/** Fit an image into a size, and fill the rest with the mean colour of its border. */
function pad(image, width, height) {
  const scale = Math.min(height / image.height, width / image.width);
  let [innerWidth, innerHeight] = [image.width, image.height].map((side) => Math.max(1, roundHalfEven(scale * side)));
  if (height - scale * image.height < 1 && width - scale * image.width < 1) [innerWidth, innerHeight] = [width, height];
  const inner = resize(image, innerWidth, innerHeight);
  if (innerWidth === width && innerHeight === height) return inner;
  const { channels } = image;
  const colour = findBorderColour(inner, innerHeight < height);
  const data = new Uint8Array(width * height * channels);
  for (let index = 0; index < data.length; index += 1) data[index] = colour[index % channels];
  const [top, left] = [Math.floor((height - innerHeight) / 2), Math.floor((width - innerWidth) / 2)];
  for (let y = 0; y < innerHeight; y += 1) {
    const row = inner.data.subarray(y * innerWidth * channels, (y + 1) * innerWidth * channels);
    data.set(row, ((top + y) * width + left) * channels);
  }
  return { width, height, channels, data };
}

/** Return the mean colour of the first and last row, or column, of an image. */
function findBorderColour({ width, height, channels, data }, isRow) {
  const length = isRow ? width : height;
  return Array.from({ length: channels }, (_, channel) => {
    let sum = 0;
    for (let index = 0; index < length; index += 1) {
      const [first, last] = isRow ? [index, (height - 1) * width + index] : [index * width, (index + 1) * width - 1];
      sum += data[first * channels + channel] + data[last * channels + channel];
    }
    return roundHalfEven(sum / (2 * length));
  });
}

/** Return the largest centred box (left, top, right, bottom) of the aspect ratio of a size. */
function findCrop(image, width, height) {
  const scale = Math.min(image.width / width, image.height / height);
  const [boxWidth, boxHeight] = [scale * width, scale * height];
  const [left, top] = [(image.width - boxWidth) / 2, (image.height - boxHeight) / 2];
  return [left, top, left + boxWidth, top + boxHeight];
}
