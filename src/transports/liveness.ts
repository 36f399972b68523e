import type { KernelQueues } from './sse/kernel-queues.js'

/** How a wire is kept alive, and how long its peer may be silent. */
export interface Liveness {
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly kernelQueues: KernelQueues
}

/**
 * Returns the liveness of one connection (PROTOCOL.md, Liveness).
 * @param heartbeat the heartbeat that the client asked for, in seconds; undefined if it did not
 */
export function livenessOf (ours: Liveness, heartbeat: number | undefined): Liveness {
  if (heartbeat === undefined) return ours
  const heartbeatMs = heartbeat * 1000
  const idleTimeoutMs = Math.max(ours.idleTimeoutMs, 2 * heartbeatMs)
  return { heartbeatMs, idleTimeoutMs, kernelQueues: ours.kernelQueues }
}
