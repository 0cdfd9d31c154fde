// Requests to the service this page came from.

let waiting = null; // the request whose answer is awaited: a newer one makes it worthless

export async function fetchModel() {
  return readAnswer(await fetch("v1/model"));
}

/** Return {answer, milliseconds} for an image; null where a newer image was asked about in the meantime. */
export async function ask(image, readsNumbers) {
  waiting?.abort();
  const own = (waiting = new AbortController());
  const path = readsNumbers ? "v1/read?seen=true" : "v1/predict?seen=true";
  const headers = { "Content-Type": image.type.startsWith("image/") ? image.type : "application/octet-stream" };
  try {
    for (let attempt = 0; ; attempt += 1) {
      const begun = performance.now();
      const response = await fetch(path, { method: "POST", body: image, headers, signal: own.signal });
      if (response.status === 429 && attempt < 3) {
        await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") ?? 1)));
        if (own.signal.aborted) return null;
        continue;
      }
      const answer = await readAnswer(response);
      return { answer: answer.readings?.[0] ?? answer.predictions[0], milliseconds: performance.now() - begun };
    }
  } catch (error) {
    if (own.signal.aborted) return null;
    throw error instanceof TypeError ? new Error("The service does not answer. Is it still running?") : error;
  }
}

async function readAnswer(response) {
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}
