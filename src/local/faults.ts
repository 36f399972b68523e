import { type ErrorCode, ProtocolError } from '@tickwire/protocol'
import { type Fence, StaleEpoch, StaleFence } from '../log/log.js'

/** What the log or the coordination threw, on its way to the worker that called. */
export type Fault =
  | ['ProtocolError', code: ErrorCode, message: string, retryAfterMs: number | null]
  | ['StaleFence', fence: Fence]
  | ['StaleEpoch', shard: number]
  | ['TypeError' | 'Error', message: string]

export function faultOf (error: unknown, fence?: Fence): Fault {
  if (error instanceof ProtocolError) {
    return ['ProtocolError', error.code, error.message, error.retryAfterMs ?? null]
  }
  if (error instanceof StaleFence && fence !== undefined) return ['StaleFence', fence]
  if (error instanceof StaleEpoch) return ['StaleEpoch', error.shard]
  const message = error instanceof Error ? error.message : String(error)
  return [error instanceof TypeError ? 'TypeError' : 'Error', message]
}

export function errorOf (fault: Fault): Error {
  switch (fault[0]) {
    case 'ProtocolError': return new ProtocolError(fault[1], fault[2], fault[3] ?? undefined)
    case 'StaleFence': return new StaleFence(fault[1])
    case 'StaleEpoch': return new StaleEpoch(fault[1])
    case 'TypeError': return new TypeError(fault[1])
    case 'Error': return new Error(fault[1])
  }
}
