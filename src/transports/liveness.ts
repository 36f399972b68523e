import type { KernelQueues } from './sse/kernel-queues.js'

/** How a wire is kept alive, and how long its peer may show no sign of life. */
export interface Liveness {
  readonly heartbeatMs: number
  readonly idleTimeoutMs: number
  readonly kernelQueues: KernelQueues
}

/** PROTOCOL.md, Liveness. @param heartbeat what the client asked for, in seconds */
export function livenessOf (ours: Liveness, heartbeat: number | undefined): Liveness {
  if (heartbeat === undefined) return ours
  const heartbeatMs = heartbeat * 1000
  return { heartbeatMs, idleTimeoutMs: Math.max(ours.idleTimeoutMs, 2 * heartbeatMs), kernelQueues: ours.kernelQueues }
}
