import { type OrderRequest, parseParameters, ProtocolError, searchOf } from '@tickwire/protocol'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { OriginPolicy } from '../src/auth/origin.js'
import { demandUser } from './own-user.js'
import { cancelOrderSchema, replaceOrderSchema, resetAccountSchema, submitOrderSchema } from './schemas.js'

/** The parameters of a `DELETE`: proxies and libraries may drop its body. */
const CANCEL_PARAMETERS = ['request_id', 'timestamp', 'signature']

interface OneOrder { Params: { id: string } }

/** Requests of users to the exchange: the same as the actions of a WebSocket, with the same answers. */
export async function orderRoutes (
  app: FastifyInstance, { originAllowed }: { originAllowed: OriginPolicy }
): Promise<void> {
  const { orderRequests } = app.streaming

  demandUser(app, originAllowed, ({ method }) => method === 'DELETE' ? CANCEL_PARAMETERS : [])

  app.post('/v1/orders', { schema: submitOrderSchema }, async (request, reply) => {
    const order = requestOf({ action: 'submit_order' }, request.body)
    const identity = await app.authenticator.identify(request)
    return await accept(reply, 'order_accepted', await orderRequests.submit(identity, order))
  })

  app.delete<OneOrder>('/v1/orders/:id', { schema: cancelOrderSchema }, async (request, reply) => {
    if ((request.body ?? undefined) !== undefined) {
      const names = CANCEL_PARAMETERS.join(', ')
      throw new ProtocolError('bad_request', `a DELETE has no body here; write ${names} into its query`)
    }
    const parameters = parseParameters(searchOf(request.url), CANCEL_PARAMETERS)
    const given = Object.fromEntries(Array.from(parameters, ([name, [value]]) => [name, value]))
    const cancel = requestOf({ action: 'cancel_order', order_id: request.params.id }, given)
    const identity = await app.authenticator.identify(request)
    return await accept(reply, 'order_accepted', await orderRequests.cancel(identity, cancel))
  })

  app.patch<OneOrder>('/v1/orders/:id', { schema: replaceOrderSchema }, async (request, reply) => {
    const change = requestOf({ action: 'replace_order', order_id: request.params.id }, request.body)
    const identity = await app.authenticator.identify(request)
    return await accept(reply, 'order_accepted', await orderRequests.replace(identity, change))
  })

  app.post('/v1/account/reset', { schema: resetAccountSchema }, async (request, reply) => {
    const reset = requestOf({ action: 'reset_account' }, request.body)
    const identity = await app.authenticator.identify(request)
    return await accept(reply, 'reset_accepted', await orderRequests.reset(identity, reset))
  })
}

/**
 * Makes a request of a body. It may repeat what the URL says, as the text that was signed does. Whoever takes
 * the request checks the rest of its form.
 * @param said what the URL says
 * @throws ProtocolError `invalid_message`
 */
function requestOf<Action extends OrderRequest['action']> (
  said: { readonly action: Action, readonly order_id?: string }, body: unknown
): Extract<OrderRequest, { action: Action }> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ProtocolError('invalid_message', 'the body must be an object')
  }
  for (const [name, value] of Object.entries(said)) {
    if (Object.hasOwn(body, name) && (body as Record<string, unknown>)[name] !== value) {
      throw new ProtocolError('invalid_message', `${name}: it must be what the URL says, or absent`)
    }
  }
  return { ...body, ...said } as unknown as Extract<OrderRequest, { action: Action }>
}

/** Accepted, not created: what becomes of the request is a message of `orders`. */
async function accept (reply: FastifyReply, type: string, answer: object): Promise<FastifyReply> {
  return await reply.code(202).header('Cache-Control', 'no-store').send({ type, ...answer })
}
