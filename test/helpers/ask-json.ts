import type { TestServer } from './server.js'

export interface JsonAnswer {
  readonly status: number
  /** Empty if the answer has no body. */
  readonly body: Record<string, unknown>
}

/** Sends a request with a token, and with JSON if there is a body. */
export async function askJson (
  node: TestServer, method: string, path: string, body?: unknown, claims: Record<string, unknown> = {}
): Promise<JsonAnswer> {
  const response = await fetch(node.origin + path, {
    method,
    ...body === undefined ? {} : { body: JSON.stringify(body) },
    headers: {
      authorization: `Bearer ${node.token(claims)}`,
      ...body === undefined ? {} : { 'content-type': 'application/json' }
    }
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> }
}
