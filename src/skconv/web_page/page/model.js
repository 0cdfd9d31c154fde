// What the page offers for a model, by its classes and the form of its images.

const DIGITS = [..."0123456789"];
const BACKGROUND = "nothing"; // class of images without a digit

/** Return whether a model predicts digits from grey 28×28 images, as skconv.digits.ocr.recognition.reads_digits does. */
export function isDigitModel({ input, class_names: names }) {
  const isSmallGrey = input.channels === 1 && input.height === 28 && input.width === 28;
  return isSmallGrey && names.every((name) => name === BACKGROUND || DIGITS.includes(name));
}

/** Return whether a model is for handwritten characters, so that the page begins with the drawing pad. */
export function isForDrawings(model) {
  const names = model.class_names.filter((name) => name !== BACKGROUND);
  if (model.input.channels !== 1 || !names.every((name) => [...name].length === 1)) return false;
  // A data set without names has the classes 0, 1, …, so a few digits are not handwritten digits.
  return DIGITS.every((digit) => names.includes(digit)) || !names.some((name) => DIGITS.includes(name));
}
