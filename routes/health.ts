import { ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import { livenessSchema, readinessSchema } from './schemas.js'

/** Liveness and readiness, for a proxy or an orchestrator. */
export async function healthRoutes (app: FastifyInstance): Promise<void> {
  const { log, stream, heartbeat } = app.streaming

  const options = { config: { rateLimit: false } }

  app.get('/healthz', { ...options, schema: livenessSchema }, async (_request, reply) =>
    await reply.header('Cache-Control', 'no-store').send({ status: 'ok' }))

  app.get('/readyz', { ...options, schema: readinessSchema }, async (_request, reply) => {
    if (stream.draining.aborted) throw new ProtocolError('going_away')
    if (!heartbeat.isRegistered) {
      throw new ProtocolError('log_unavailable', 'this server is not registered with the others now')
    }
    try {
      await log.head()
    } catch {
      throw new ProtocolError('log_unavailable')
    }
    return await reply.header('Cache-Control', 'no-store').send({ status: 'ready' })
  })
}
