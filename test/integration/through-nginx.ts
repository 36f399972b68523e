import { type IncomingMessage, request } from 'node:http'
import type { Test } from 'tap'

/**
 * docker-compose.yml puts nginx in front of the servers. Here it is Debian's nginx, with the same
 * configuration.
 */

export const program = process.env['TEST_NGINX']
export const needsNginx = { skip: program === undefined ? 'there is no nginx' : false, timeout: 60_000 }

export interface From {
  readonly localAddress?: string
  readonly headers?: Record<string, string>
}

/** Returns the head of an answer; the rest is dropped when the test ends. */
export async function get (
  t: Test,
  url: string,
  { localAddress, headers = {} }: From
): Promise<IncomingMessage> {
  const sent = request(url, { localAddress, headers })
  t.teardown(() => { sent.destroy() })
  sent.end()
  return await new Promise((resolve, reject) => { sent.on('response', resolve).on('error', reject) })
}
