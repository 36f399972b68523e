import { setTimeout as delay } from 'node:timers/promises'
import { Driver } from '../driver.js'
import type { Transport } from '../events.js'
import type { Refusal } from './refusals.js'
import { RefusingServer } from './refusing-server.js'

/** Clients wait `random() * min(MOST_S, BASE_S * 2^n)` from attempt to attempt. */
const BASE_S = 0.8
const MOST_S = 30
/** How many attempts more than on average are no storm yet: twice as many, and a few. */
const FACTOR = 2
const FEW = 4
/** For what must happen, on a busy machine. */
const PATIENCE_MS = 120_000
const LOOK_MS = 20
/** A client that is told when to come back must do so at least so often. */
const LEAST_TOLD = 4
const LEAST_RETRIES = 2
/** How many HEAD requests a client may send for each attempt with its only symbol. */
const MOST_PROBES = 4
/** A timer may fire so much early. */
const TIMER_MS = 2

export interface RefusalOptions {
  readonly command: string
  readonly refusal: Refusal
  /** Those that the client may use. */
  readonly transports: readonly Transport[]
  /** For how long the server refuses; a client that must stop is watched until it has. */
  readonly seconds: number
}

export interface RefusalReport {
  readonly attempts: number
  readonly failures: readonly string[]
}

/** How many attempts a client makes on average in so many seconds, from its first one. */
function usualAttempts (seconds: number): number {
  let attempts = 1
  for (let passed = 0, step = BASE_S; ; step = Math.min(MOST_S, step * 2), attempts++) {
    passed += step / 2
    if (passed > seconds) return attempts
  }
}

/** How many attempts are a storm: each time that it tries, a client may try each of its transports. */
const stormAt = ({ seconds, transports }: RefusalOptions): number =>
  transports.length * (FACTOR * usualAttempts(seconds) + FEW)

/** Has a server refuse a client again and again, and counts how often it comes. */
export async function runRefusal (options: RefusalOptions): Promise<RefusalReport> {
  const { command, refusal, transports } = options
  const server = await RefusingServer.start(refusal.word)
  const failures: string[] = []
  let driver: Driver | undefined
  try {
    driver = await Driver.start(command)
    driver.do({
      do: 'connect', url: `http://127.0.0.1:${server.port}`, transports, tokens: ['first', 'second', 'third']
    })
    driver.do({ do: 'subscribe', channel: 'trades', symbols: ['AAPL'] })
    failures.push(...await watch(driver, server, options))
    const before = server.attempts.length
    const hadStopped = hasStopped(driver)
    await driver.close()
    if (server.probes > MOST_PROBES * before) failures.push(`it sent ${server.probes} HEAD requests for ${before} attempts`)
    if (hadStopped && server.attempts.length > before) failures.push('it came again after it had stopped for good')
  } catch (error) {
    failures.push((error as Error).message)
  } finally {
    driver?.kill()
    server.close()
  }
  return { attempts: server.attempts.length, failures: [...driver?.faults ?? [], ...failures] }
}

/** Whether the client has stopped for good, or has given up its only symbol. */
const hasStopped = (driver: Driver): boolean =>
  driver.isOver || driver.told.some(({ event }) => event.event === 'rejected')

async function watch (driver: Driver, server: RefusingServer, options: RefusalOptions): Promise<string[]> {
  const { attempts } = server
  const { refusal: { duty, word, asking = 0 }, seconds } = options
  switch (duty) {
    case 'stop': return await watchEnd(driver, attempts, 1, 1 + asking)
    case 'renew': return await watchEnd(driver, attempts, 2, 2 + asking)
    case 'wait longer': return await watchRetries(driver, attempts, options)
    case 'wait as told': {
      const after = 'retryAfterMs' in word ? word.retryAfterMs! : 0
      return await watchTold(driver, attempts, seconds, after)
    }
  }
}

/** Looks until something is so, or for {@link PATIENCE_MS}. */
async function look (holds: () => boolean, patienceMs = PATIENCE_MS): Promise<void> {
  const deadline = Date.now() + patienceMs
  while (!holds() && Date.now() < deadline) await delay(LOOK_MS)
}

/** @param most how many attempts there may be; `due` of them must be */
async function watchEnd (
  driver: Driver, attempts: readonly number[], due: number, most: number
): Promise<string[]> {
  await look(() => hasStopped(driver) || attempts.length > most)
  if (attempts.length > most) return [`it came ${attempts.length} times, and should have stopped after ${due}`]
  if (!hasStopped(driver)) return [`it has not stopped for good after ${attempts.length} attempts`]
  return attempts.length >= due ? [] : [`it stopped after ${attempts.length} attempts, and should after ${due}`]
}

async function watchRetries (
  driver: Driver, attempts: readonly number[], options: RefusalOptions
): Promise<string[]> {
  const { seconds } = options
  await look(() => driver.hasEnded || attempts.length > 0)
  const storm = stormAt(options)
  await look(() => driver.isOver || attempts.length > storm, seconds * 1000)
  if (attempts.length > storm) return [`it came ${attempts.length} times within ${seconds} s, where ${usualAttempts(seconds)} are usual`]
  await look(() => driver.isOver || attempts.length >= LEAST_RETRIES)
  if (driver.isOver) return [`it stopped for good (${driver.state?.code}), and should have come again`]
  return attempts.length >= LEAST_RETRIES ? [] : ['it did not come again']
}

async function watchTold (
  driver: Driver, attempts: readonly number[], seconds: number, after: number
): Promise<string[]> {
  // A busy machine only makes them later.
  const early = (): number =>
    attempts.filter((at, index) => index > 0 && at - attempts[index - 1]! < after - TIMER_MS).length
  const isOver = (): boolean => driver.isOver || early() > 0
  await look(isOver, seconds * 1000)
  await look(() => isOver() || attempts.length >= LEAST_TOLD)
  if (early() > 0) return [`${early()} of ${attempts.length} attempts came before retry_after_ms was over`]
  return attempts.length >= LEAST_TOLD ? [] : [`it came only ${attempts.length} times, and should have come again`]
}
