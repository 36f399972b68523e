import { language } from '../app/preferences.js'
import { Refused } from '../app/session.js'
import type { Client } from './actions.js'

const JSON_HEADERS = { 'Content-Type': 'application/json' }
const UNREACHABLE = {
  en: 'The server cannot be reached.',
  ko: '서버에 연결할 수 없습니다.'
} as const

/**
 * Asks an endpoint with the client's token.
 * @returns the answer; undefined where it has no body
 * @throws Refused with the server's words; TypeError of the network
 */
export async function ask<Answer> (
  client: Client, path: string, { method, body }: { readonly method?: string, readonly body?: object } = {}
): Promise<Answer> {
  const response = await client.fetch(path, {
    ...(method === undefined ? {} : { method }),
    ...(body === undefined ? {} : { headers: JSON_HEADERS, body: JSON.stringify(body) })
  })
  const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => undefined)
  if (response.ok) return answer as Answer
  const { message } = (answer ?? {}) as { readonly message?: unknown }
  throw new Refused(response.status, typeof message === 'string' ? message : `${response.status}`)
}

/** Returns what to say of an error: the server's words, if it is the server's. */
export function wordsOf (error: unknown): string {
  if (error instanceof TypeError) return UNREACHABLE[language.get()]
  return error instanceof Error ? error.message : String(error)
}
