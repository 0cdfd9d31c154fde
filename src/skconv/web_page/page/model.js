// What the page offers for a model, by its classes and the form of its images.

const DIGITS = [..."0123456789"];
const BACKGROUND = "nothing"; // class of images without a digit

/** Return whether a model predicts the ten digits from grey 28×28 images. */
export function isDigitModel(model) {
  const { channels, height, width } = model.input;
  const names = listNames(model);
  return channels === 1 && height === 28 && width === 28 && names.length === 10 && hasAllDigits(names);
}

/** Return whether a model is for handwritten characters, so that the page begins with the drawing pad. */
export function isForDrawings(model) {
  const names = listNames(model);
  if (model.input.channels !== 1 || !names.every((name) => [...name].length === 1)) return false;
  // A data set without names has the classes 0, 1, …, so a few digits are not handwritten digits.
  return hasAllDigits(names) || !names.some((name) => DIGITS.includes(name));
}

function hasAllDigits(names) {
  return DIGITS.every((digit) => names.includes(digit));
}

function listNames({ class_names: names }) {
  return names.filter((name) => name !== BACKGROUND);
}
