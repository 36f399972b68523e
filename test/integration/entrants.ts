import type { Test } from 'tap'
import type { Parts } from '../../src/app.js'
import type { Config } from '../../src/config.js'
import { startServer, type TestServer } from '../helpers/server.js'
import { ask } from '../helpers/ways-in.js'

/** What the suites of credentials and of tickets share. */

const PEOPLE = ['alice', 'bob']

/** Starts a server that lets nobody in without a credential, and has a portfolio of each of the people. */
export async function start (
  t: Test,
  overrides: Partial<Config> = {},
  parts: Parts = {}
): Promise<TestServer> {
  const server = await startServer(t, { AUTH: 'required', ...overrides }, parts)
  for (const user of PEOPLE) {
    const positions = [
      { symbol: user, quantity: '1', avg_price: '1', market_value: '1', unrealized_pnl: '0' }
    ]
    const [result] = await server.parts.publisher.publish(
      [{ channel: 'portfolio', user, data: { total_value: '1', cash: '0', day_pnl: '0', positions } }],
      { publisher: 'test' }
    )
    if (result === undefined || 'code' in result) throw new Error(`refused: ${JSON.stringify(result)}`)
  }
  return server
}

export const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` }

/** Asks for a ticket. Returns it, or the code of the refusal. */
export async function ticketFor (
  server: TestServer,
  token: string | undefined
): Promise<{ ticket: string } | { code: string }> {
  const { status, body } = await ask(`${server.origin}/api/ws/token`, bearer(token))
  const answer = JSON.parse(body) as { ticket: string, code: string }
  return status === 200
    ? { ticket: answer.ticket }
    : { code: status === 401 ? answer.code : `${answer.code} with status ${status}` }
}
