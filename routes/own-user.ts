import { parseParameters, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type OriginPolicy, refuseForeignPage } from '../src/auth/origin.js'
import { refuseAnonymous } from '../src/auth/permissions.js'

/** The query of a request may have no parameters. */
const none = (): readonly string[] => []

/**
 * Refuses the requests of a group's endpoints that come from nobody, before the server reads a body.
 * @param parameters returns the parameters that the query of a request may have
 */
export function demandUser (
  app: FastifyInstance,
  originAllowed: OriginPolicy,
  parameters: (request: FastifyRequest) => readonly string[] = none
): void {
  app.addHook('preParsing', async request => {
    refuseForeignPage(originAllowed, request)
    parseParameters(searchOf(request.url), parameters(request))
    await app.authenticator.demand(request, refuseAnonymous)
  })
}

/** Has nobody keep the answers of a group's endpoints: they are for the user of the token alone. */
export function keepPrivate (app: FastifyInstance): void {
  app.addHook('onSend', async (_request, reply) => {
    reply.header('Cache-Control', 'no-store').header('Vary', 'Origin, Authorization')
  })
}
