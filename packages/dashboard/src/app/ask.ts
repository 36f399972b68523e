import type { TickwireClient } from '@tickwire/client'
import { answerOf } from './answer.js'
import { language } from './preferences.js'

const JSON_HEADERS = { 'Content-Type': 'application/json' }
const UNREACHABLE = {
  en: 'The server cannot be reached.',
  ko: '서버에 연결할 수 없습니다.'
} as const

interface Request {
  readonly method?: string
  readonly body?: object
  readonly signal?: AbortSignal
}

/**
 * Asks an endpoint with the client's token.
 * @returns the answer; undefined where it has no body
 * @throws Refused with the server's words; TypeError of the network
 */
export async function ask<Answer> (
  client: Pick<TickwireClient, 'fetch'>, path: string, { method, body, signal }: Request = {}
): Promise<Answer> {
  const response = await client.fetch(path, {
    ...(signal === undefined ? {} : { signal }),
    ...(method === undefined ? {} : { method }),
    ...(body === undefined ? {} : { headers: JSON_HEADERS, body: JSON.stringify(body) })
  })
  return await answerOf(response) as Answer
}

/** Returns what to say of an error: the server's words, if it is the server's. */
export function wordsOf (error: unknown): string {
  if (error instanceof TypeError) return UNREACHABLE[language.get()]
  return error instanceof Error ? error.message : String(error)
}
