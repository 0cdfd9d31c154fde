// Results: text, boxes on the image, bars of the confidences.

const MIN_CONFIDENT = 0.9; // below, boxes and bars are marked as uncertain
const MAX_LARGE = 8; // characters of a text in large type
const UNSURE = "?";
const SVG = "http://www.w3.org/2000/svg";

const find = (id) => document.getElementById(id);

export function showPending() {
  find("text").classList.add("quiet");
}

export function clearResult(message = "The result appears here.") {
  showText("…", message, { quiet: true });
  find("image").hidden = true;
  find("image").replaceChildren();
  find("digits").replaceChildren();
  find("unlike").hidden = true;
}

export function showError(message) {
  clearResult(message);
  find("confidence").classList.add("error");
}

/** Show a reading (text, digits and boxes) or a prediction (one label), and the image if it has a URL. */
export function showResult(result, milliseconds, url) {
  const text = result.text ?? result.label;
  const sets = result.labels ? ` Prediction set: ${result.labels.join(", ") || "empty"}.` : "";
  const summary = `Confidence ${formatPercent(result.confidence)}, ${Math.round(milliseconds)} ms.${sets}`;
  showText(text || "–", text ? summary : "No result.", { quiet: !text });
  find("unlike").hidden = !result.unlike_training;
  const digits = result.digits ?? [result];
  find("digits").replaceChildren(...digits.map(makeDigit));
  showImage(result, url);
}

function showText(text, summary, { quiet }) {
  const element = find("text");
  element.textContent = text;
  element.classList.toggle("quiet", quiet);
  element.classList.toggle("long", text.length > MAX_LARGE);
  find("confidence").textContent = summary;
  find("confidence").classList.remove("error");
}

function showImage(result, url) {
  const frame = find("image");
  frame.hidden = !url;
  if (!url) return frame.replaceChildren();
  const image = document.createElement("img");
  image.alt = result.digits ? `The image, with ${result.digits.length} digits in boxes` : "The classified image";
  image.addEventListener("error", () => { frame.hidden = true; }); // a format that the browser does not support
  image.src = url;
  frame.replaceChildren(image, ...(result.digits ? [makeBoxes(result)] : []));
}

function makeBoxes({ width, height, digits }) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  for (const { box, confidence } of digits) {
    const [left, top, right, bottom] = box;
    const rect = document.createElementNS(SVG, "rect");
    const attributes = { x: left, y: top, width: right - left, height: bottom - top };
    for (const [name, value] of Object.entries(attributes)) rect.setAttribute(name, value);
    rect.setAttribute("class", confidence < MIN_CONFIDENT ? "box uncertain" : "box");
    svg.append(rect);
  }
  return svg;
}

function makeDigit(digit) {
  const item = document.createElement("li");
  item.className = "digit";
  const image = document.createElement("img");
  image.src = `data:image/png;base64,${digit.seen}`;
  image.alt = `Model input for ${digit.label}`;
  const bars = document.createElement("ul");
  bars.className = digit.confidence < MIN_CONFIDENT ? "bars uncertain" : "bars";
  bars.append(...rank(digit).map(makeBar));
  item.append(image, bars);
  return item;
}

/** Return the most probable classes; the label "?" is that of a confidence below the minimum of the service. */
function rank({ label, confidence, alternatives, top }) {
  return top ?? (label === UNSURE ? alternatives : [{ label, confidence }, ...alternatives]);
}

function makeBar({ label, confidence }) {
  const item = document.createElement("li");
  const [name, bar, filled, percent] = ["span", "span", "span", "span"].map((tag) => document.createElement(tag));
  name.textContent = label;
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  filled.style.width = `${100 * confidence}%`;
  bar.append(filled);
  percent.className = "percent";
  percent.textContent = formatPercent(confidence);
  item.append(name, bar, percent);
  return item;
}

function formatPercent(fraction) {
  const percent = 100 * fraction;
  return percent > 99.9 ? "> 99.9 %" : percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}
