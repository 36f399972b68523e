import { TypeCompiler } from '@sinclair/typebox/compiler'
import { Acknowledge, ProtocolError } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { demandUser } from './own-user.js'
import { ackSchema, unacknowledgedSchema } from './schemas.js'

const check = TypeCompiler.Compile(Acknowledge)

/** `/v1/ack` and `/v1/unacknowledged`: what a user has dealt with, and what is still open. */
export async function acknowledgementRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { hub, stream: { acknowledging } } = app.streaming

  demandUser(app, originAllowed)

  app.post('/v1/ack', { schema: ackSchema }, async (request, reply) => {
    const { body } = request
    if (!check.Check(body)) {
      const first = check.Errors(body).First()
      const field = first === undefined || first.path === '' ? 'the body' : `'${first.path.slice(1, 65)}'`
      const fields = "it is an object with 'channel', 'sequence' and, if known, 'epoch'"
      throw new ProtocolError('invalid_message', `${field} does not fit: ${fields}`)
    }
    const identity = await app.authenticator.identify(request)
    const sequence = await acknowledging.acknowledge(identity, body)
    return await reply.header('Cache-Control', 'no-store')
      .send({ type: 'acknowledged', channel: body.channel, sequence })
  })

  app.get('/v1/unacknowledged', { schema: unacknowledgedSchema }, async (request, reply) => {
    const channels = await acknowledging.open(await app.authenticator.identify(request))
    return await reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
      .send({ epoch: hub.epochText(), channels })
  })
}
