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
    for (let attempt = 0; ; attempt += 1) {
      const start = performance.now();
      const response = await fetch(path, { method: "POST", body: image, headers, signal: controller.signal });
      if (response.status === 429 && attempt < 3) {
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
        if (controller.signal.aborted) return null;
        continue;
      }
      const body = await parseResponse(response);
      return { result: body.readings?.[0] ?? body.predictions[0], milliseconds: performance.now() - start };
    }
  } catch (error) {
    if (controller.signal.aborted) return null;
    throw error instanceof TypeError ? new Error("The service does not respond. Is it still running?") : error;
  }
}

async function parseResponse(response) {
  const message = `The service returned the status ${response.status}. Try again later.`;
  const body = await response.json().catch(() => ({ detail: message })); // a proxy returns HTML
  if (!response.ok) throw new Error(body.detail);
  return body;
}
