/**
 * Finds out why a stream could not be opened. A browser does not say it for a WebSocket or an EventSource,
 * but the same URL by fetch is a poll, whose refusal this page can read. Without a refusal (the network is
 * gone) there is no status.
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
 * Returns the URL of a stream. It is relative to the page, which may be served under a prefix.
 * @param {object} stream
 * @param {string[]} stream.subscribe `quotes:*`, `trades:AAPL,MSFT`
 * @param {string} [stream.after] the cursor to go on from
 * @param {string} [stream.token] for a transport that cannot set a header
 */
export function streamUrl ({ subscribe, after, token }, more = {}) {
  const url = new URL('v1/stream', document.baseURI)
  for (const selector of subscribe) url.searchParams.append('subscribe', selector)
  for (const [name, value] of Object.entries({ after, token, ...more })) {
    if (value !== undefined) url.searchParams.set(name, value)
  }
  return url
}
