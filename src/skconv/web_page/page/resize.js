// Resizing with antialiasing. The arithmetic is that of Pillow, so that the result equals that of Python bit for bit.

const PRECISION = 22; // bits of the fraction of a weight for 8-bit pixels
const FILTERS = {
  bicubic: { support: 2, weigh: weighBicubic },
  box: { support: 0.5, weigh: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
};

/**
 * Resize an image {width, height, channels, data}, of which `box` is used: left, top, right, bottom in pixels.
 * `data` is a Uint8Array, or a Float32Array for values that are not rounded.
 */
export function resize(image, width, height, { box = [0, 0, image.width, image.height], filter = "bicubic" } = {}) {
  const [left, top, right, bottom] = box.map(Math.fround);
  const passes = [];
  if (width !== image.width || left !== 0 || right !== width) {
    passes.push((each) => resampleRows(each, findWeights(image.width, left, right, width, FILTERS[filter], image.data)));
  }
  if (height !== image.height || top !== 0 || bottom !== height) {
    passes.push((each) => resampleColumns(each, findWeights(image.height, top, bottom, height, FILTERS[filter], image.data)));
  }
  // The order of Pillow 13, which affects the rounding.
  const isFlattened = height < image.height && image.height - height > 2 * (image.width - width);
  if (isFlattened) passes.reverse();
  return passes.reduce((each, pass) => pass(each), image);
}

/** Reduce an image by an integer factor, averaging blocks of pixels; those at the right and bottom may be smaller. */
export function reduce(image, factor) {
  if (factor <= 1) return image;
  const { channels, data } = image;
  const [width, height] = [Math.ceil(image.width / factor), Math.ceil(image.height / factor)];
  const result = new Uint8Array(width * height * channels);
  for (let y = 0, index = 0; y < height; y += 1) {
    const bottom = Math.min((y + 1) * factor, image.height);
    for (let x = 0; x < width; x += 1) {
      const right = Math.min((x + 1) * factor, image.width);
      const count = (bottom - y * factor) * (right - x * factor);
      for (let channel = 0; channel < channels; channel += 1, index += 1) {
        let sum = 0;
        for (let row = y * factor; row < bottom; row += 1) {
          for (let column = x * factor; column < right; column += 1) {
            sum += data[(row * image.width + column) * channels + channel];
          }
        }
        result[index] = Math.floor(sum / count + 0.5);
      }
    }
  }
  return { width, height, channels, data: result };
}

/** Round as Python does: halves to the even integer. */
export function roundHalfEven(value) {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

function weighBicubic(x) {
  const a = -0.5;
  const distance = Math.abs(x);
  if (distance < 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0;
}

/** Return, for each output pixel, the first input pixel and the weights; integers if the pixels are bytes. */
function findWeights(inputSize, start, end, outputSize, { support, weigh }, data) {
  const scale = Math.fround(end - start) / outputSize;
  const filterScale = Math.max(scale, 1);
  const reach = support * filterScale;
  return Array.from({ length: outputSize }, (_, index) => {
    const centre = start + (index + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - reach + 0.5), 0);
    const last = Math.min(Math.trunc(centre + reach + 0.5), inputSize);
    const weights = new Float64Array(last - first);
    let sum = 0;
    for (let k = 0; k < weights.length; k += 1) {
      weights[k] = weigh((k + first - centre + 0.5) * (1 / filterScale));
      sum += weights[k];
    }
    for (let k = 0; k < weights.length; k += 1) {
      if (sum !== 0) weights[k] /= sum;
      if (data instanceof Uint8Array) {
        weights[k] = Math.trunc(weights[k] * 2 ** PRECISION + (weights[k] < 0 ? -0.5 : 0.5));
      }
    }
    return { first, weights };
  });
}

function resampleRows({ width, height, channels, data }, weightsOf) {
  const result = new data.constructor(weightsOf.length * height * channels);
  const round = findRounding(data);
  for (let y = 0, index = 0; y < height; y += 1) {
    for (const { first, weights } of weightsOf) {
      for (let channel = 0; channel < channels; channel += 1, index += 1) {
        let sum = 0;
        let position = (y * width + first) * channels + channel;
        for (let k = 0; k < weights.length; k += 1, position += channels) sum += data[position] * weights[k];
        result[index] = round(sum);
      }
    }
  }
  return { width: weightsOf.length, height, channels, data: result };
}

function resampleColumns({ width, channels, data }, weightsOf) {
  const length = width * channels;
  const result = new data.constructor(length * weightsOf.length);
  const round = findRounding(data);
  weightsOf.forEach(({ first, weights }, y) => {
    for (let x = 0; x < length; x += 1) {
      let sum = 0;
      let position = first * length + x;
      for (let k = 0; k < weights.length; k += 1, position += length) sum += data[position] * weights[k];
      result[y * length + x] = round(sum);
    }
  });
  return { width, height: weightsOf.length, channels, data: result };
}

function findRounding(data) {
  if (!(data instanceof Uint8Array)) return (value) => value;
  return (value) => Math.min(Math.max((value + 2 ** (PRECISION - 1)) >> PRECISION, 0), 255);
}
