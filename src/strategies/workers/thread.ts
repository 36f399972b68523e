import { constants, setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import { isStrategy } from '../define-strategy.js'
import { type Signal, StrategyInstance } from '../strategy-instance.js'
import type { Answer, Request, StartRequest, WorkerMessage } from './requests.js'

/** The program of a worker: it runs strategies, one call after another (ADR 52). */

const MAX_LINES = 10
const MAX_LINE = 500
const MAX_ERROR = 200

// On Linux that is the priority of this thread alone: where cores are few, the stream goes first.
if (process.platform === 'linux') setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

const port = parentPort!
const afterMicrotasks = setImmediate
// A strategy has no clock. What a callback leaves behind runs before its call is answered, and counts to it.
for (const name of ['setTimeout', 'setInterval', 'setImmediate']) Reflect.deleteProperty(globalThis, name)

const instances = new Map<string, StrategyInstance>()
let lines: string[] = []
/** What a promise of the present call has failed with. */
let stray: unknown
process.on('uncaughtException', error => { stray ??= error })

const log = (line: string): void => {
  if (lines.length < MAX_LINES) lines.push(line.slice(0, MAX_LINE))
}

port.on('message', (message: WorkerMessage) => {
  if (message.type === 'forget') instances.delete(message.id)
  else void answer(message)
})

async function answer (request: Request): Promise<void> {
  const beganAt = performance.now()
  let signal: Signal | undefined
  let thrown: unknown
  lines = []
  stray = undefined
  try {
    if (request.type === 'start') await start(request)
    else signal = instances.get(request.id)!.hear(request.kind, request.data, request.moment)
  } catch (error) {
    thrown = error ?? new Error('it threw nothing')
  }
  afterMicrotasks(() => {
    const error = thrown ?? stray
    const answer: Answer = {
      ms: performance.now() - beganAt,
      lines,
      signal: error === undefined ? signal : undefined,
      error: error === undefined ? undefined : String(error).slice(0, MAX_ERROR)
    }
    port.postMessage(answer)
  })
}

async function start ({ id, module, name, symbol, parameters }: StartRequest): Promise<void> {
  const exported = await import(module) as Readonly<Record<string, unknown>>
  const strategy = Object.values(exported).filter(isStrategy).find(found => found.name === name)
  if (strategy === undefined) throw new Error(`${module} has no strategy ${name} any more`)
  const instance = new StrategyInstance(strategy, symbol, parameters, log)
  instance.start()
  instances.set(id, instance)
}
