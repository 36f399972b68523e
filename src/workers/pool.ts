import type { Worker } from 'node:cluster'
import { setTimeout as delay } from 'node:timers/promises'
import type { FromWorker, ToWorker } from './messages.js'
import type { Seat } from './seat.js'

/** How long a worker may take until it listens: a busy machine may hold it up. */
const START_MS = 90_000
/** Beyond the time that a worker has to close; after that it is killed. */
const CLOSE_MARGIN_MS = 5000
/** A worker that ran for this long was sound: one in its place is started at once. */
const SOUND_MS = 10_000
/** The pause before the next try doubles each time, up to the longest. */
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 30_000
/** The server gives up after this many workers in a row that ended early, if no other is ready. */
const MOST_FAILURES = 6

type Log = Readonly<Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>>

export interface PoolOptions {
  /** How many workers there shall be. */
  readonly count: number
  /** How long a worker may take to close. */
  readonly graceMs: number
  readonly fork: (number: number) => Worker
  /** Takes what workers say that is not the pool's. */
  readonly onMessage: (member: Member, message: FromWorker) => void
  readonly onGone: (member: Member) => void
  readonly log: Log
}

/** Where a worker listens. */
export interface Listening {
  readonly address: string
  readonly port: number
}

/** Why there are no workers: in words for whoever started the server. */
export class PoolFailure extends Error {
  override readonly name = 'PoolFailure'
}

type State = 'starting' | 'ready' | 'closing' | 'gone'

/** One worker. */
export class Member {
  state: State = 'starting'
  /** It is to end: nobody takes its place. */
  isLeaving = false
  /** When it became ready, a time of `performance.now`. */
  readySince: number | undefined
  /** What it said of why it could not start. */
  complaint: string | undefined
  /** How it ended. */
  end = ''
  readonly ready: Promise<Listening>
  readonly gone: Promise<void>

  constructor (readonly number: Seat['number'], readonly worker: Worker) {
    closeUntaken(worker)
    this.gone = new Promise(resolve => {
      worker.once('exit', (code, signal) => {
        this.state = 'gone'
        this.end = signal === null ? `with the code ${code}` : `by ${signal}`
        resolve()
      })
    })
    this.ready = new Promise((resolve, reject) => {
      const late = setTimeout(() => { worker.process.kill('SIGKILL') }, START_MS).unref()
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'failed') this.complaint = message.message
        if (message.kind !== 'ready') return
        clearTimeout(late)
        if (this.state === 'starting') this.state = 'ready'
        this.readySince = performance.now()
        resolve(message)
      })
      void this.gone.then(() => {
        clearTimeout(late)
        reject(new PoolFailure(this.complaint ?? `a worker ended ${this.end} before it was ready`))
      })
    })
    // Who waits for it hears of it; often nobody does.
    this.ready.catch(() => {})
    // A worker that ends cannot be told anything any more.
    worker.on('error', () => {})
  }

  get pid (): number | undefined {
    return this.worker.process.pid
  }

  tell (message: ToWorker): void {
    if (this.worker.isConnected()) this.worker.send(message)
  }
}

/** Connections that are remembered of a worker: more than are ever on their way to it. */
const MOST_ON_THE_WAY = 8

/**
 * Closes the connections that were on their way to a worker when it died. The cluster module would keep them,
 * and their clients would wait for an answer until they give up; so they come again at once.
 */
function closeUntaken ({ process: child }: Worker): void {
  const sent: Array<{ close (): void }> = []
  const send = child.send.bind(child) as (...args: unknown[]) => boolean
  child.send = (...args: unknown[]): boolean => {
    const [, handle] = args
    if (typeof handle === 'object' && handle !== null && 'close' in handle) {
      sent.push(handle as { close (): void })
      if (sent.length > MOST_ON_THE_WAY) sent.shift()
    }
    return send(...args)
  }
  // Those that the worker took are closed here already, and closing them again does nothing.
  child.once('exit', () => { for (const handle of sent) handle.close() })
}

/** The workers of a server: starts them, replaces those that end, and changes them one by one. */
export class WorkerPool {
  private readonly members = new Set<Member>()
  /** How many workers ended early, one after another. */
  private failures = 0
  private isStarted = false
  private isClosing = false
  private rolling: Promise<void> | undefined
  private mustRollAgain = false
  private giveUp: (failure: PoolFailure) => void = () => {}
  /** Rejects when the pool gives up. */
  readonly failed = new Promise<never>((_resolve, reject) => { this.giveUp = reject })

  constructor (private readonly options: PoolOptions) {
    this.failed.catch(() => {})
  }

  /** Workers that are ready. */
  get ready (): readonly Member[] {
    return [...this.members].filter(({ state }) => state === 'ready')
  }

  /** Starts all. @returns where they listen @throws PoolFailure */
  async start (): Promise<Listening> {
    const listening = await new Promise<Listening>((resolve, reject) => {
      this.failed.catch(reject)
      const onReady = (listening: Listening): void => {
        if (this.ready.length >= this.options.count) resolve(listening)
      }
      for (let n = 0; n < this.options.count; n++) void this.keep(this.launch(), onReady)
    })
    this.isStarted = true
    return listening
  }

  /**
   * Changes each worker that is there now for a fresh one: the fresh one is ready before the old one begins
   * to close. If a fresh one cannot start, the others stay as they are. If it is called while workers are
   * changed already, they are changed once more after that.
   */
  async roll (): Promise<void> {
    if (this.rolling !== undefined) {
      this.mustRollAgain = true
      return
    }
    do {
      this.mustRollAgain = false
      this.rolling = this.rollAll()
      await this.rolling
      this.rolling = undefined
    } while (this.mustRollAgain && !this.isClosing)
  }

  /** Closes all in good order. */
  async close (): Promise<void> {
    this.isClosing = true
    await Promise.all([...this.members].map(member => this.closeOne(member)))
  }

  /** Ends all at once. */
  kill (): void {
    this.isClosing = true
    for (const { worker } of this.members) worker.process.kill('SIGKILL')
  }

  private launch (): Member {
    const taken = new Set([...this.members].map(({ number }) => number))
    let number = 1
    while (taken.has(number)) number++
    const member = new Member(number, this.options.fork(number))
    this.members.add(member)
    member.worker.on('message', (message: FromWorker) => { this.options.onMessage(member, message) })
    void member.gone.then(() => {
      this.members.delete(member)
      this.options.onGone(member)
    })
    return member
  }

  /** Starts another worker whenever the one ends, until it is closed. */
  private async keep (first: Member, onReady: (listening: Listening) => void = () => {}): Promise<void> {
    for (let member = first; ; member = this.launch()) {
      member.ready.then(onReady, () => {})
      await member.gone
      if (this.isClosing || member.isLeaving) return
      const { readySince, complaint, number, pid, end } = member
      const isSound = readySince !== undefined && performance.now() - readySince >= SOUND_MS
      this.failures = isSound ? 0 : this.failures + 1
      const isHopeless = !this.isStarted && complaint !== undefined
      if (isHopeless || (this.ready.length === 0 && this.failures >= MOST_FAILURES)) {
        const tries = isHopeless ? '' : `${this.failures} workers in a row ended early; the last: `
        this.giveUp(new PoolFailure(tries + (complaint ?? `it ended ${end}`)))
        return
      }
      const pause = this.failures < 2 ? 0 : Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures)
      this.options.log.error({ event: 'worker', worker: number, pid, reason: complaint, pause_ms: pause },
        `a worker ended ${end}; another takes its place`)
      if (pause > 0) await delay(pause, undefined, { ref: false })
      if (this.isClosing) return
    }
  }

  private async rollAll (): Promise<void> {
    const { log } = this.options
    const old = this.ready
    log.info({ event: 'roll', workers: old.length }, 'workers are changed for fresh ones, one by one')
    for (const member of old) {
      if (this.isClosing) return
      // One that has ended meanwhile has a fresh one in its place.
      if (member.state !== 'ready') continue
      const fresh = this.launch()
      try {
        await fresh.ready
      } catch (error) {
        if (this.isClosing) return
        const { message: reason } = error as Error
        log.error({ event: 'roll', reason }, 'a fresh worker cannot start: the others stay as they are')
        return
      }
      void this.keep(fresh)
      await this.closeOne(member)
    }
    log.info({ event: 'roll', workers: this.ready.length }, 'all workers are fresh')
  }

  private async closeOne (member: Member): Promise<void> {
    member.isLeaving = true
    if (member.state === 'ready') member.state = 'closing'
    // One that has only just begun to start knows of nothing to close.
    if (member.state === 'starting') member.worker.process.kill('SIGKILL')
    member.tell({ kind: 'close', all: this.isClosing })
    const late = setTimeout(() => { member.worker.process.kill('SIGKILL') },
      this.options.graceMs + CLOSE_MARGIN_MS).unref()
    await member.gone
    clearTimeout(late)
  }
}
