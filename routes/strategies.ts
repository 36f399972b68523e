import { TypeCompiler } from '@sinclair/typebox/compiler'
import { NewStrategy } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { demandFit } from './fit.js'
import { demandUser, keepPrivate } from './own-user.js'
import {
  addStrategySchema, askStrategySchema, removeStrategySchema, strategiesSchema, strategyRegistrySchema
} from './schemas.js'

const newStrategy = TypeCompiler.Compile(NewStrategy)

/** What a user may ask of a strategy, and the status that it comes to. */
const ASKED = { pause: 'paused', resume: 'running', stop: 'stopped' } as const

interface OneStrategy { Params: { id: string } }

/** `/v1/strategies`: the strategies that there are, and those that the token's own user has started. */
export async function strategyRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { strategies } = app.streaming

  demandUser(app, originAllowed)
  keepPrivate(app)

  app.get('/v1/strategies/registry', { schema: strategyRegistrySchema }, async () =>
    ({ strategies: strategies.registered() }))

  app.get('/v1/strategies', { schema: strategiesSchema }, async request =>
    ({ strategies: await strategies.list(app.authenticator.userOf(request)!) }))

  app.post('/v1/strategies', { schema: addStrategySchema }, async (request, reply) => {
    demandFit(newStrategy, request.body)
    const identity = await app.authenticator.identify(request)
    return await reply.code(201).send(await strategies.add(identity, request.body as NewStrategy))
  })

  for (const [action, status] of Object.entries(ASKED)) {
    const schema = askStrategySchema(action)
    app.post<OneStrategy>(`/v1/strategies/:id/${action}`, { schema }, async request =>
      await strategies.ask(app.authenticator.userOf(request)!, request.params.id, status))
  }

  app.delete<OneStrategy>('/v1/strategies/:id', { schema: removeStrategySchema }, async (request, reply) => {
    await strategies.remove(app.authenticator.userOf(request)!, request.params.id)
    return await reply.code(204).send()
  })
}
