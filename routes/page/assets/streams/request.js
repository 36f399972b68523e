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
