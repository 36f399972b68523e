import type { Test } from 'tap'
import { PythonDriver } from './python-client.js'
import type { TradesFeed } from './trades-feed.js'

/** One client on each transport, side by side: what a server does, it does to all of them. */

const transports = ['websocket', 'event-stream', 'polling'] as const
export const TRADES = { channel: 'trades', symbols: ['A'] }

/** A driver for each transport, with what each subscribes to. */
export function startAll (
  t: Test, program: string, url: string, subscriptions: readonly object[], credentials: object = {}
): PythonDriver[] {
  return transports.map(transport => {
    const driver = PythonDriver.start(t, program)
    driver.do({ do: 'connect', url, transports: [transport], ...credentials })
    for (const subscription of subscriptions) driver.do({ do: 'subscribe', ...subscription })
    return driver
  })
}

type Wait = (driver: PythonDriver) => Promise<void>

export const each = async (drivers: readonly PythonDriver[], wait: Wait): Promise<void> => {
  await Promise.all(drivers.map(wait))
}

/** Waits until a feed has come, and demands that each number came once and in order, and nothing else. */
export async function haveAll (t: Test, drivers: readonly PythonDriver[], feed: TradesFeed): Promise<void> {
  await feed.stop()
  await each(drivers, driver => driver.until('all have come', () => driver.numbers('trades', 'A').length >= feed.count))
  for (const [at, driver] of drivers.entries()) {
    t.strictSame(driver.numbers('trades', 'A'), feed.numbers, `each once and in order: ${transports[at]!}`)
    t.same(driver.events.filter(({ event }) => event === 'reset' || event === 'gap'), [])
  }
}

export async function close (t: Test, drivers: readonly PythonDriver[]): Promise<void> {
  for (const driver of drivers) {
    t.equal(await driver.close(), 0)
    t.equal(driver.events.at(-1)!.event, 'closed')
  }
}
