import { setTimeout as delay } from 'node:timers/promises'
import type { Fault } from './fault.js'
import { judge, type Verdict } from './judge.js'
import { judgeOutputs, type Messages } from '../processors/judge.js'
import type { StoredLog } from './stored-log.js'
import { TRADE } from './topics.js'
import { World, type WorldOptions } from './world.js'

/**
 * How long a client may take to get on after a fault before the run is given up. A poll takes 15 s to notice
 * that its node is gone, and may have to notice it twice.
 */
const RECOVERY_TIMEOUT_MS = 60_000
/** Between two faults. */
const PAUSE_MS = [200, 800] as const
const PROGRESS_MS = 3000
const SETTLE_MS = 300
const WATCH_MS = 200

export interface RunOptions extends WorldOptions {
  /** Which faults, one after another; undefined where it is over. */
  readonly next: (world: World) => Fault | undefined
  readonly say: (line: string) => void
}

export interface FaultReport {
  readonly name: string
  readonly lastedMs: number
  /**
   * From the removal of the fault's cause until every client had a message of each topic that was published
   * after that.
   */
  readonly recoveredMs: number
  /** Of the answers to publish, from its begin until all had recovered. */
  readonly slowestMs: number
  readonly lostConnections: number
}

export interface RunReport extends Verdict {
  readonly faults: readonly FaultReport[]
  readonly attempts: World['publisher']['attempts']
  readonly slowestMs: number
  /** What each node printed last, if something is violated. */
  readonly lastWords: readonly string[]
}

/**
 * Starts a world in which faults happen while messages are published and read, then judges everything that
 * came of it.
 */
export async function run (options: RunOptions): Promise<RunReport> {
  const { say, next } = options
  const world = await World.start(options)
  const { publisher, fleet, violations } = world
  const progress = setInterval(() => { say(progressOf(world)) }, PROGRESS_MS)
  const watcher = setInterval(() => { watch(world) }, WATCH_MS)
  try {
    const reports: FaultReport[] = []
    const late: string[] = []
    try {
      await publisher.mark()
      for (let fault = next(world); fault !== undefined; fault = next(world)) {
        await delay(world.random.integer(...PAUSE_MS))
        say(`${fault.name}…`)
        const report = await happen(world, fault)
        say(`${fault.name}: lasted ${report.lastedMs} ms, all had recovered after ${report.recoveredMs} ms`)
        reports.push(report)
        if (violations.length > 0) break
      }
      const last = await publisher.finish()
      // What has not recovered by now would only be waited for twice.
      if (violations.length === 0) late.push(...await fleet.haveSeen(last, RECOVERY_TIMEOUT_MS))
    } catch (error) {
      // What came until then is judged all the same.
      late.push(`the run could not go on: ${String(error)}`)
    }
    // A cursor that was on its way, and a second message where none may be, are part of what is judged.
    await delay(200)
    const hasFailed = violations.length + late.length > 0
    const final = hasFailed ? await world.readLog() : await settledLog(world)
    // After a failure nobody has waited for the outputs.
    if (!hasFailed) violations.push(...await outputFaults(world, final))
    const verdict = judge({ publisher, clients: fleet.clients, losses: world.losses, final })
    const all = [...late, ...violations, ...verdict.violations]
    const lastWords = all.length === 0 ? [] : world.nodes.map(({ name, lastWords }) => `${name} said last:\n${lastWords}`)
    for (const words of lastWords) say(words)
    return {
      ...verdict,
      violations: all,
      lastWords,
      faults: reports,
      attempts: publisher.attempts,
      slowestMs: publisher.slowest(0, Infinity)
    }
  } finally {
    clearInterval(progress)
    clearInterval(watcher)
    await world.close()
  }
}

/** The log, once processors have published what follows from it; or as it is once they are still for long. */
async function settledLog (world: World): Promise<StoredLog> {
  for (let published = -1, deadline = 0; ;) {
    const asked = Date.now()
    const log = await world.readLog()
    const now = [...log.outputs.values()].reduce((sum, messages) => sum + messages.length, 0)
    if (now > published) deadline = asked + RECOVERY_TIMEOUT_MS
    published = now
    if (asked > deadline || (await outputFaults(world, log)).length === 0) return log
    // Who reads all of the log again and again keeps Redis from the processors.
    await delay(SETTLE_MS + 3 * (Date.now() - asked))
  }
}

/** What processors have published twice, or not at all. */
async function outputFaults ({ losses }: World, { numbers, outputs }: StoredLog): Promise<string[]> {
  const symbols = [...new Set([...numbers.keys()].map(topic => topic.slice(topic.indexOf(':') + 1)))]
  const messages: Messages = async topic => (
    outputs.get(topic) ??
    (numbers.get(topic) ?? []).map(number => ({ ...TRADE, price: String(number), bid: String(number) }))
  )
  return await judgeOutputs(messages, symbols, losses.length === 0)
}

/** Nobody can go on without the nodes. */
function watch ({ nodes, publisher, violations }: World): void {
  const failed = nodes.filter(node => node.failed)
  if (failed.length === 0 || publisher.failures.length > 0) return
  for (const { name } of failed) violations.push(`${name} ended by itself`)
  publisher.abandon()
}

async function happen (world: World, fault: Fault): Promise<FaultReport> {
  const { publisher, fleet, violations } = world
  const began = Date.now()
  await fault.run(world)
  const removed = Date.now()
  violations.push(...await fleet.haveSeen(await publisher.mark(), RECOVERY_TIMEOUT_MS))
  const recovered = Date.now()
  await world.checkHolders()
  return {
    name: fault.name,
    lastedMs: removed - began,
    recoveredMs: recovered - removed,
    slowestMs: publisher.slowest(began, recovered),
    lostConnections: fleet.sum(({ ended }) => ended.filter(({ at, by }) => at >= began && by !== 'run').length)
  }
}

function progressOf ({ publisher, fleet, losses }: World): string {
  return [
    `  ${publisher.acknowledged.length} acknowledged`,
    `${fleet.sum(({ witness }) => witness.accepted)} delivered`,
    `${fleet.connected} of ${fleet.clients.length} clients connected`,
    `${fleet.sum(({ witness }) => witness.resets.length)} resets`,
    `${losses.length} losses`
  ].join(', ')
}
