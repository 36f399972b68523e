import type { Fault } from '../local/faults.js'
import type { AdminLinkDesk } from '../auth/admin-links.js'

/** What the first process and its workers tell one another, beside what goes over the socket of the log. */

/** What a worker asks for, with what it must know for that. */
export type Wish = readonly [what: keyof AdminLinkDesk | 'metrics', argument?: string]

export type FromWorker =
  | { readonly kind: 'ready', readonly address: string, readonly port: number }
  | { readonly kind: 'failed', readonly message: string }
  | { readonly kind: 'wish', readonly number: number, readonly wish: Wish }
  | { readonly kind: 'metrics', readonly number: number, readonly text: string }

export type ToWorker =
  /** Close in good order: this one, or all, and then the log if the first process holds it. */
  | { readonly kind: 'close', readonly all: boolean }
  | { readonly kind: 'granted', readonly number: number, readonly value: unknown }
  | { readonly kind: 'refused', readonly number: number, readonly fault: Fault }
  /** Answer with `metrics`. */
  | { readonly kind: 'measure', readonly number: number }
