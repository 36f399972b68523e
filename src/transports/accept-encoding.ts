const GZIP = /^(?:x-)?gzip(?:\s*;\s*q=(?<weight>[\d.]+))?$/i

/** Whether a request's `Accept-Encoding` has gzip, and not with a weight of 0 (RFC 9110, 12.5.3). */
export function acceptsGzip (header: string | string[] | undefined): boolean {
  return String(header ?? '').split(',').some(coding => {
    const match = GZIP.exec(coding.trim())
    return match !== null && Number(match.groups?.['weight'] ?? 1) > 0
  })
}
