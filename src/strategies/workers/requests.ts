import type { MessageKind, Moment, Signal } from '../strategy-instance.js'

/** What the server asks of a worker, one request at a time, and what the worker answers. */

/** Begins a strategy for an id. Answered when its module is loaded and `onStart` has returned. */
export interface StartRequest {
  readonly type: 'start'
  readonly id: string
  /** The address of the module that exports the strategy. */
  readonly module: string
  readonly name: string
  readonly symbol: string
  readonly parameters: Readonly<Record<string, unknown>>
}

export interface HearRequest {
  readonly type: 'hear'
  readonly id: string
  readonly kind: MessageKind
  readonly data: unknown
  readonly moment: Moment
}

/** Forgets a strategy; it has no answer. */
interface ForgetRequest {
  readonly type: 'forget'
  readonly id: string
}

export type Request = StartRequest | HearRequest
export type WorkerMessage = Request | ForgetRequest

export interface Answer {
  /** How long the strategy took. */
  readonly ms: number
  readonly signal: Signal | undefined
  /** What it wrote to the log. */
  readonly lines: readonly string[]
  /** What it threw. */
  readonly error: string | undefined
}
