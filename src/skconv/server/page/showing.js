// What the service answered, as text, boxes and bars.

const SURE = 0.9;
const LONG = 8; // characters above which the text is set smaller
const SVG = "http://www.w3.org/2000/svg";

const find = (id) => document.getElementById(id);

export function showWaiting() {
  find("text").classList.add("quiet");
}

export function showNothing(explanation = "What you draw or drop is read here.") {
  showText("…", explanation, { quiet: true });
  find("shown").hidden = true;
  find("shown").replaceChildren();
  find("digits").replaceChildren();
}

export function showProblem(message) {
  showNothing(message);
  find("sure").classList.add("problem");
}

/** Show a reading (with digits and boxes) or a prediction (one label), with the image's address where there is one. */
export function showAnswer(answer, milliseconds, address) {
  const text = answer.text ?? answer.label;
  const told = text ? `${formatShare(answer.confidence)} sure, in ${Math.round(milliseconds)} ms` : "There is nothing to read in it.";
  showText(text || "–", told, { quiet: !text });
  const digits = answer.digits ?? [answer];
  find("digits").replaceChildren(...digits.map(makeDigit));
  showImage(answer, address);
}

function showText(text, told, { quiet }) {
  const element = find("text");
  element.textContent = text;
  element.classList.toggle("quiet", quiet);
  element.classList.toggle("long", text.length > LONG);
  find("sure").textContent = told;
  find("sure").classList.remove("problem");
}

function showImage(answer, address) {
  const shown = find("shown");
  shown.hidden = !address;
  if (!address) return shown.replaceChildren();
  const image = document.createElement("img");
  image.alt = answer.digits ? `The image, with ${answer.digits.length} digits boxed` : "The image";
  image.addEventListener("error", () => { shown.hidden = true; }); // a form that this browser cannot show
  image.src = address;
  shown.replaceChildren(image, ...(answer.digits ? [makeBoxes(answer)] : []));
}

function makeBoxes({ width, height, digits }) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
  drawing.setAttribute("aria-hidden", "true");
  for (const { box, confidence } of digits) {
    const [left, top, right, bottom] = box;
    const frame = document.createElementNS(SVG, "rect");
    const places = { x: left, y: top, width: right - left, height: bottom - top };
    for (const [name, value] of Object.entries(places)) frame.setAttribute(name, value);
    frame.setAttribute("class", confidence < SURE ? "box unsure" : "box");
    drawing.append(frame);
  }
  return drawing;
}

function makeDigit(digit) {
  const item = document.createElement("li");
  item.className = "digit";
  const image = document.createElement("img");
  image.src = `data:image/png;base64,${digit.seen}`;
  image.alt = `What the network saw of ${digit.label}`;
  const bars = document.createElement("ul");
  bars.className = digit.confidence < SURE ? "bars unsure" : "bars";
  bars.append(...[digit, ...digit.alternatives].map(makeBar));
  item.append(image, bars);
  return item;
}

function makeBar({ label, confidence }) {
  const item = document.createElement("li");
  const [name, bar, filled, share] = ["span", "span", "span", "span"].map((tag) => document.createElement(tag));
  name.textContent = label;
  bar.className = "bar";
  bar.setAttribute("aria-hidden", "true");
  filled.style.width = `${100 * confidence}%`;
  bar.append(filled);
  share.className = "share";
  share.textContent = formatShare(confidence);
  item.append(name, bar, share);
  return item;
}

function formatShare(share) {
  const percent = 100 * share;
  return percent > 99.9 ? "> 99.9 %" : percent < 0.1 ? "< 0.1 %" : `${percent.toFixed(1)} %`;
}
