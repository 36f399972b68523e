/**
 * Why a stream could not be opened: a browser says so neither of a WebSocket nor of an EventSource, but the same URL by
 * fetch is a poll, whose refusal can be read. Without a refusal, as where the network is gone, there is no status.
 * @returns {Promise<{ status?: number, message?: string, retryAfterMs?: number }>}
 */
export async function askWhy (stream) {
  try {
    const response = await fetch(streamUrl(stream))
    if (!response.ok) {
      const { message, retry_after_ms: retryAfterMs } = await response.json()
      return { status: response.status, message, retryAfterMs }
    }
    await response.body.cancel()
  } catch {}
  return {}
}

/**
 * The URL of a stream. It is relative to the page, which may be served under a prefix.
 * @param {object} stream
 * @param {string[]} stream.subscribe `quotes:*`, `trades:AAPL,MSFT`
 * @param {string} [stream.after] the cursor to go on from
 * @param {string} [stream.token] where a header cannot be set
 */
export function streamUrl ({ subscribe, after, token }, more = {}) {
  const url = new URL('v1/stream', document.baseURI)
  for (const selector of subscribe) url.searchParams.append('subscribe', selector)
  for (const [name, value] of Object.entries({ after, token, ...more })) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url
}
