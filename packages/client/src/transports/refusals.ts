import { type ErrorCode, errorPolicies } from '@tickwire/protocol/error-policies'
import type { End, Environment, Request, ServerMessage } from './transport.js'

/** Returns the end that a `closing` or an `error` announces. */
export function endOf (message: ServerMessage): End {
  const code = String(message['code'])
  const retry = message['retry_after_ms']
  return {
    code: Object.hasOwn(errorPolicies, code) ? code as ErrorCode : undefined,
    reason: String(message['reason'] ?? message['message'] ?? code),
    retryAfterMs: typeof retry === 'number' ? retry : undefined
  }
}

/**
 * Returns why a request was refused. Only the server's own error object has a code: a proxy's page says
 * nothing about the server.
 */
export async function refusalOf (response: Response): Promise<End> {
  const body = await response.text().catch(() => '')
  try {
    const end = endOf(JSON.parse(body) as ServerMessage)
    if (end.code !== undefined) return end
  } catch {}
  return { reason: `the answer was HTTP ${response.status}` }
}

/** Returns the address of the stream. */
export const streamUrl = ({ base }: Request, query: string): string => `${base}v1/stream?${query}`

/** Returns the headers of a request. */
export const headersOf = ({ token }: Request, more: Record<string, string> = {}): Record<string, string> =>
  token === undefined ? more : { ...more, Authorization: `Bearer ${token}` }

export const errorText = (error: unknown): string => error instanceof Error ? error.message : String(error)

async function ask (
  method: 'HEAD' | 'GET', request: Request, query: string, { fetch }: Environment
): Promise<Response> {
  return await fetch(streamUrl(request, query), { method, headers: headersOf(request), cache: 'no-store' })
}

/**
 * Finds out why a connection could not be opened, where the browser does not say it: the same URL by `fetch`
 * is a poll, whose refusal can be read.
 */
export async function askWhy (request: Request, reason: string, environment: Environment): Promise<End> {
  try {
    const { ok, status } = await ask('HEAD', request, request.query, environment)
    // A proxy answers so while its server is away.
    if (ok || status === 502 || status === 504) return { reason }
    const end = await refusalOf(await ask('GET', request, request.query, environment))
    return end.code === undefined ? { reason } : end
  } catch {
    return { reason }
  }
}

/** At most so many requests to find what is refused; beyond that all that is left counts as refused. */
const MAX_QUESTIONS = 64

/**
 * Finds the refused subscriptions by halves. `HEAD` gets the refusal that `GET` would get, and begins no
 * stream; the reason of a single one comes from a poll.
 */
export async function findRefused (
  request: Request, queries: readonly string[], environment: Environment
): Promise<ReadonlyMap<number, End>> {
  const refused = new Map<number, End>()
  let questions = 0
  const askFor = async (method: 'HEAD' | 'GET', from: number, to: number): Promise<Response> => {
    questions++
    return await ask(method, request, queries.slice(from, to).join('&'), environment)
  }
  const search = async (from: number, to: number): Promise<void> => {
    if (to - from === 1 || questions >= MAX_QUESTIONS) {
      const end = await refusalOf(await askFor('GET', from, to))
      if (end.code !== undefined) for (let at = from; at < to; at++) refused.set(at, end)
      return
    }
    const middle = (from + to) >>> 1
    for (const [low, high] of [[from, middle], [middle, to]] as const) {
      if (!(await askFor('HEAD', low, high)).ok) await search(low, high)
    }
  }
  await search(0, queries.length)
  return refused
}
