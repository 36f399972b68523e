import { TypeCompiler } from '@sinclair/typebox/compiler'
import { AlertRuleChange, NewAlertRule } from '@tickwire/protocol'
import type { FastifyInstance } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { demandFit } from './fit.js'
import { demandUser, keepPrivate } from './own-user.js'
import { addAlertSchema, alertSchema, alertsSchema, changeAlertSchema, removeAlertSchema } from './schemas.js'

const newRule = TypeCompiler.Compile(NewAlertRule)
const change = TypeCompiler.Compile(AlertRuleChange)

interface OneRule { Params: { id: string } }

/** `/v1/alerts`: the alert rules of the token's own user. */
export async function alertRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { alerts } = app.streaming

  demandUser(app, originAllowed)
  keepPrivate(app)

  app.get('/v1/alerts', { schema: alertsSchema }, async request =>
    ({ rules: await alerts.list(app.authenticator.userOf(request)!) }))

  app.post('/v1/alerts', { schema: addAlertSchema }, async (request, reply) => {
    demandFit(newRule, request.body)
    const identity = await app.authenticator.identify(request)
    return await reply.code(201).send(await alerts.add(identity, request.body as NewAlertRule))
  })

  app.get<OneRule>('/v1/alerts/:id', { schema: alertSchema }, async request =>
    await alerts.get(app.authenticator.userOf(request)!, request.params.id))

  app.patch<OneRule>('/v1/alerts/:id', { schema: changeAlertSchema }, async request => {
    demandFit(change, request.body)
    const identity = await app.authenticator.identify(request)
    return await alerts.update(identity, request.params.id, request.body as AlertRuleChange)
  })

  app.delete<OneRule>('/v1/alerts/:id', { schema: removeAlertSchema }, async (request, reply) => {
    await alerts.remove(app.authenticator.userOf(request)!, request.params.id)
    return await reply.code(204).send()
  })
}
