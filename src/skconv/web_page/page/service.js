// Predictions by the service.

let pending = null; // AbortController of the request in progress

export const reads = true; // the service reads numbers with models of digits

export async function fetchModel() {
  return parseResponse(await fetch("v1/model"));
}

/** Return {result, milliseconds} for an image, or null if a newer image has replaced it. */
export async function recognize(image, { readsNumbers, nClasses }) {
  pending?.abort();
  const controller = (pending = new AbortController());
  const path = readsNumbers ? "v1/read?seen=true" : `v1/predict?seen=true&top=${nClasses}`;
  const headers = { "Content-Type": image.type.startsWith("image/") ? image.type : "application/octet-stream" };
  try {
    const { body, milliseconds } = await post(path, { body: image, headers, signal: controller.signal });
    return { result: body.readings?.[0] ?? body.predictions[0], milliseconds };
  } catch (error) {
    if (controller.signal.aborted) return null;
    throw error;
  }
}

/** Return the probability of a class for each of several images. */
export async function measureAll(images, label, { n_classes: nClasses, limits }) {
  const probabilities = [];
  for (let start = 0; start < images.length; start += limits.max_images) {
    const form = new FormData();
    for (const image of images.slice(start, start + limits.max_images)) form.append("image", image, "image.png");
    const { body } = await post(`v1/predict?top=${nClasses}`, { body: form });
    probabilities.push(...body.predictions.map(({ top }) => top.find((each) => each.label === label).confidence));
  }
  return probabilities;
}

/** Send a request, again after a response 429, and return the body of the response and its time. */
async function post(path, options) {
  for (let attempt = 0; ; attempt += 1) {
    const start = performance.now();
    const response = await fetch(path, { method: "POST", ...options }).catch((error) => {
      throw error instanceof TypeError ? new Error("The service does not respond. Is it still running?") : error;
    });
    if (response.status !== 429 || attempt === 3) {
      return { body: await parseResponse(response), milliseconds: performance.now() - start };
    }
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
  }
}

async function parseResponse(response) {
  const message = `The service returned the status ${response.status}. Try again later.`;
  const body = await response.json().catch(() => ({ detail: message })); // a proxy returns HTML
  if (!response.ok) throw new Error(body.detail);
  return body;
}
