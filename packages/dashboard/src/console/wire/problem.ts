import { type ClientPolicy, type ErrorCode, errorPolicies } from '@tickwire/protocol/error-policies'

/** Something that was refused or that ended, in the server's words. */
export interface Problem {
  /** Undefined: it is not the server that said so. */
  readonly code?: ErrorCode
  readonly words: string
  readonly status?: number
  readonly close?: number
  readonly retryAfterMs?: number
}

const codes = Object.keys(errorPolicies) as ErrorCode[]
const codeOf = (value: unknown): ErrorCode | undefined => codes.find(code => code === value)

export const policyOf = (code: ErrorCode): ClientPolicy => errorPolicies[code][2]

/** Returns the problem that an `error`, a `closing`, or an item of `rejected` tells of. */
export function problemOf (message: Readonly<Record<string, unknown>>): Problem {
  const { code, reason, message: words, retry_after_ms: retry, symbol } = message
  const known = codeOf(code)
  const said = String(words ?? reason ?? code)
  return {
    words: typeof symbol === 'string' ? `${symbol}: ${said}` : said,
    ...(known === undefined ? {} : { code: known }),
    ...(typeof retry === 'number' ? { retryAfterMs: retry } : {})
  }
}

/** Returns the problem of an answer over HTTP. Only the server's own error object has a code. */
export function problemOfAnswer (status: number, body: string): Problem {
  try {
    const value: unknown = JSON.parse(body)
    if (typeof value === 'object' && value !== null) {
      return { ...problemOf(value as Record<string, unknown>), status }
    }
  } catch {}
  return { words: `HTTP ${status}`, status }
}

/** Returns the problem of a close that nothing announced: the first code of its row in the table. */
export function problemOfClose (close: number, reason: string): Problem | undefined {
  if (close === 1000) return undefined
  const code = codes.find(one => errorPolicies[one][0] === close)
  return { words: reason, close, ...(code === undefined ? {} : { code }) }
}

export const problemOfError = (error: unknown): Problem =>
  ({ words: error instanceof Error ? error.message : String(error) })
