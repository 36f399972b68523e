import type { AdminLinkDesk } from '../auth/admin-links.js'

/** The variable by which a process learns that it is a worker; its value is {@link Seat} as JSON. */
const VARIABLE = 'TICKWIRE_WORKER'

/** What a worker is told when it is started. */
export interface Seat {
  /** From 1; of the workers that run at once, each has its own. */
  readonly number: number
  /** The socket of the log, if the first process holds it. */
  readonly socket?: string | undefined
  /** The secret that checks tokens, where no key is set: all workers must have the same. */
  readonly secret?: string | undefined
  /** The port on which the other workers listen, where the system has chosen one. */
  readonly port?: number | undefined
}

/** Returns the variable for a worker. */
export const seatVariable = (seat: Seat): Record<string, string> => ({ [VARIABLE]: JSON.stringify(seat) })

/** Takes the seat out of the environment: no other process shall inherit it. @returns undefined: no worker */
export function takeSeat (env: Record<string, string | undefined>): Seat | undefined {
  const text = env[VARIABLE]
  delete env[VARIABLE]
  return text === undefined ? undefined : JSON.parse(text) as Seat
}

/** The metrics of all workers, each a text in Prometheus' format. */
export interface WorkersMetrics {
  readonly texts: readonly string[]
  /** Workers that did not answer in time. */
  readonly silent: number
}

/** What a worker has by the first process. */
export interface Workers {
  /** The name of this worker in metrics. */
  readonly name: string
  readonly adminLinks: AdminLinkDesk
  /** Whether all workers close, and not this one alone. */
  readonly areClosing: boolean
  /** Sets what this worker tells the others of its metrics. */
  answerMetrics (metrics: () => Promise<string>): void
  /** Collects the metrics of the others; rejects if the first process does not answer. */
  gatherMetrics (): Promise<WorkersMetrics>
}
